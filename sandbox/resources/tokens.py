"""Card tokens, good for one use."""

import stripe

from sandbox import cards
from sandbox.errors import StripeError, invalid
from sandbox.route import Call, route
from sandbox.world import Object


@route("POST", "/v1/tokens", params=stripe.params.TokenCreateParams, permission="token_write")
def create(call: Call) -> Object:
    world = call.world
    given = call.params.get("card")
    if not isinstance(given, dict):
        raise invalid("Missing required param: card.", code="parameter_missing", param="card")
    card = cards.of_number(given["number"])
    if card is None:
        raise StripeError(402, "Your card number is incorrect.", type="card_error", code="incorrect_number", param="number")
    shown = card.details(
        exp_month=int(given["exp_month"]),
        exp_year=int(given["exp_year"]),
        fingerprint=cards.fingerprint(world.account, given["number"]),
        checked="cvc" in given,
    )
    fields = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    token: Object = {
        "id": world.new_id("tok"),
        "object": "token",
        "card": {"id": world.new_id("card"), "object": "card", "name": given.get("name"), **{name: shown[name] for name in fields}},
        "client_ip": None,
        "created": world.clock.now(),
        "livemode": world.livemode,
        "type": "card",
        "used": False,
    }
    return world.insert(token, private={"card": card.name})


@route("GET", "/v1/tokens/{token}", permission="token_read")
def retrieve(call: Call) -> Object:
    token = call.world.require("token", call.path["token"])
    return token | {"used": bool(call.world.private("token", token["id"]).get("used"))}

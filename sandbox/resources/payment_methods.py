"""Payment methods, the well-known test ones included."""

from typing import Any

import stripe

from sandbox import cards
from sandbox.errors import StripeError, invalid, not_found
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.route import Call, route
from sandbox.world import Object, World

_NOBODY = {"address": {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}}


def _fresh(world: World, type: str, details: Object, *, billing: Object | None = None, metadata: Any = None) -> Object:
    return {
        "id": world.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {**_NOBODY, "email": None, "name": None, "phone": None, "tax_id": None} | (billing or {}),
        type: details,
        "created": world.clock.now(),
        "customer": None,
        "livemode": world.livemode,
        "metadata": merged({}, metadata or {}),
        "type": type,
    }


def from_number(world: World, number: str, *, exp_month: int, exp_year: int, cvc: str | None, param: str, **rest: Any) -> Object:
    """A payment method for a raw test card; a number that is no test card's is refused as Stripe refuses real ones in test mode."""
    card = cards.of_number(number)
    if card is None:
        code, words = ("incorrect_number", "Your card number is incorrect.")
        raise StripeError(402, words, type="card_error", code=code, param=param)
    details = card.details(
        exp_month=exp_month, exp_year=exp_year, fingerprint=cards.fingerprint(world.account, number), checked=cvc is not None
    )
    method = _fresh(world, "card", details, **rest)
    world.insert(method, private={"card": card.name})
    return method


def of_card(world: World, card: cards.Card, **rest: Any) -> Object:
    """A payment method for one of the known test cards."""
    return from_number(world, card.number, exp_month=12, exp_year=2034, cvc="123", param="card", **rest)


def no_types(call: Call) -> None:
    """Which kinds of payment are offered is no longer for a request to say. Scripts that name no version (the CLI's) mean an older one."""
    if call.pinned and "payment_method_types" in call.params:
        raise invalid(
            "payment_method_types is no longer supported. Leave it out, or use allowed_payment_method_types.",
            param="payment_method_types",
            code="payment_method_types_no_longer_supported",
        )


def usable(world: World, id: str, *, param: str) -> Object:
    """The payment method of an id; `pm_card_visa` and its like make a new one. Raises resource_missing."""
    found = world.get("payment_method", id)
    if found:
        return found
    card = cards.NAMED.get(id.removeprefix("pm_card_")) if id.startswith("pm_card_") else None
    if card is None:
        raise not_found("payment_method", id, param=param)
    return of_card(world, card)


def from_source(world: World, source: Any, *, param: str) -> Object:
    """The payment method that a legacy `source` means: a token, a card's or a payment method's id, or raw card fields."""
    if isinstance(source, dict):
        return from_number(
            world,
            str(source.get("number", "")),
            exp_month=int(source.get("exp_month", 12)),
            exp_year=int(source.get("exp_year", 2034)),
            cvc=source.get("cvc"),
            param=param,
        )
    if source.startswith("tok_"):
        card = cards.NAMED.get(source.removeprefix("tok_"))
        if card:
            return of_card(world, card)
        token = world.get("token", source)
        if token is None:
            raise not_found("token", source, param=param, status=400)
        known = world.private("token", source)
        if known.get("used"):
            raise invalid(f"You cannot use a Stripe token more than once: {source}.", code="token_already_used", param=param)
        world.set_private("token", source, known | {"used": True})
        return of_card(world, cards.CARDS[known["card"]])
    return usable(world, source, param=param)


def card_of(world: World, method: Object) -> cards.Card:
    """The test card behind a payment method; any other kind always works."""
    return cards.CARDS[world.private("payment_method", method["id"]).get("card", "visa")]


def attached(world: World, method: Object, customer: str) -> Object:
    """The payment method on its customer. Raises 402 when the card is declined at this point."""
    if method["customer"] == customer:
        return method
    if method["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.", code="payment_method_unexpected_state")
    card = card_of(world, method)
    if card.declines_attaching:
        raise card.error(type_of_request="attach")
    method["customer"] = customer
    world.save(method)
    world.emit("payment_method.attached", method)
    return method


@route("POST", "/v1/payment_methods", params=stripe.params.PaymentMethodCreateParams, permission="payment_method_write")
def create(call: Call) -> Object:
    world, params = call.world, call.params
    if "type" not in params:
        raise invalid("Missing required param: type.", code="parameter_missing", param="type")
    rest = {"billing": params.get("billing_details"), "metadata": params.get("metadata")}
    if params["type"] != "card":
        method = _fresh(world, params["type"], params.get(params["type"], {}), **rest)
        return world.insert(method)
    card = params.get("card")
    if card is None:
        raise invalid("Missing required param: card.", code="parameter_missing", param="card")
    if "token" in card:
        method = from_source(world, card["token"], param="card[token]")
        method["billing_details"] |= rest["billing"] or {}
        method["metadata"] = merged(method["metadata"], rest["metadata"] or {})
        return world.save(method)
    return from_number(
        world,
        card["number"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        cvc=card.get("cvc"),
        param="card[number]",
        **rest,
    )


@route(
    "GET", "/v1/payment_methods", params=stripe.params.PaymentMethodListParams, permission="payment_method_read", list_of="payment_method"
)
def every(call: Call) -> Object:
    return page(call, "payment_method", filters={"customer": "customer", "type": "type"})


@route(
    "GET",
    "/v1/customers/{customer}/payment_methods",
    params=stripe.params.CustomerListPaymentMethodsParams,
    permission="payment_method_read",
    list_of="payment_method",
)
def of_customer(call: Call) -> Object:
    call.world.require("customer", call.path["customer"])
    return page(call, "payment_method", filters={"type": "type"}, where=[("customer = ?", [call.path["customer"]])])


@route("GET", "/v1/payment_methods/{payment_method}", permission="payment_method_read")
def retrieve(call: Call) -> Object:
    return usable(call.world, call.path["payment_method"], param="id")


@route("GET", "/v1/customers/{customer}/payment_methods/{payment_method}", permission="payment_method_read")
def of_customer_one(call: Call) -> Object:
    method = call.world.require("payment_method", call.path["payment_method"])
    if method["customer"] != call.path["customer"]:
        raise not_found("payment_method", method["id"])
    return method


@route("POST", "/v1/payment_methods/{payment_method}", params=stripe.params.PaymentMethodUpdateParams, permission="payment_method_write")
def update(call: Call) -> Object:
    method = call.world.require("payment_method", call.path["payment_method"])
    params = call.params
    if "metadata" in params:
        method["metadata"] = merged(method["metadata"], params["metadata"])
    method["billing_details"] |= params.get("billing_details") or {}
    if "card" in params:
        method["card"] |= {name: params["card"][name] for name in ("exp_month", "exp_year") if name in params["card"]}
    call.world.save(method)
    call.world.emit("payment_method.updated", method)
    return method


@route(
    "POST", "/v1/payment_methods/{payment_method}/attach", params=stripe.params.PaymentMethodAttachParams, permission="payment_method_write"
)
def attach(call: Call) -> Object:
    world = call.world
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = world.require("customer", call.params["customer"], param="customer")
    return attached(world, usable(world, call.path["payment_method"], param="id"), customer["id"])


@route("POST", "/v1/payment_methods/{payment_method}/detach", permission="payment_method_write")
def detach(call: Call) -> Object:
    world = call.world
    method = world.require("payment_method", call.path["payment_method"])
    if not method["customer"]:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    customer = world.get("customer", method["customer"])
    if customer and customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        world.save(customer)
        world.emit("customer.updated", customer)
    method["customer"] = None
    world.save(method)
    world.emit("payment_method.detached", method)
    return method

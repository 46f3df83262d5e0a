"""A payment intent's life: from an amount to a charge, over the states Stripe gives it."""

from typing import Any

from sandbox import connect, timers
from sandbox.cards import Card
from sandbox.charging import charged, released
from sandbox.errors import StripeError, invalid
from sandbox.resources import payment_methods
from sandbox.world import Object, World

AUTHORISED_FOR = 7 * 86400


def built(world: World, *, amount: int, currency: str, created: int | None = None, **rest: Any) -> Object:
    """The intent before anything is tried, not yet kept; `rest` overrides any field (customer, description, metadata, …)."""
    id = world.new_id("pi")
    method = rest.get("payment_method")
    return {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{world.ids.letters(24)}",
        "confirmation_method": "automatic",
        "created": created or world.clock.now(),
        "currency": currency,
        "customer": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": world.livemode,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    } | rest


def started(world: World, *, amount: int, currency: str, **rest: Any) -> Object:
    """A new intent, kept and announced."""
    intent = built(world, amount=amount, currency=currency, **rest)
    world.insert(intent)
    world.emit("payment_intent.created", intent)
    return intent


def unexpected(intent: Object, message: str) -> StripeError:
    """payment_intent_unexpected_state, with the intent in the error."""
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=intent)


def tried(world: World, intent: Object, method: Object, *, authenticated: bool = False) -> Object:
    """Confirm with a payment method and keep what comes of it: `status` is succeeded, requires_capture, requires_action or, after a
    decline, requires_payment_method with `last_payment_error`. Does not raise; `declined` gives the error."""
    card = payment_methods.card_of(world, method)
    intent |= {"payment_method": method["id"], "next_action": None}
    if card.authentication and not authenticated:
        intent |= {
            "status": "requires_action",
            "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": world.new_id("src")}},
        }
        world.save(intent)
        world.emit("payment_intent.requires_action", intent)
        return intent
    manual = intent["capture_method"] == "manual"
    charge = charged(
        world,
        amount=intent["amount"],
        currency=intent["currency"],
        method=method,
        card=card,
        capture=not manual,
        later=intent["capture_method"] != "automatic",
        payment_intent=intent["id"],
        transfer_data=connect.of_charge(intent["transfer_data"]),
        **{
            name: intent[name]
            for name in (
                "application_fee_amount",
                "customer",
                "description",
                "metadata",
                "on_behalf_of",
                "receipt_email",
                "shipping",
                "statement_descriptor",
                "statement_descriptor_suffix",
                "transfer_group",
            )
        },
    )
    intent["latest_charge"] = charge["id"]
    if card.code:
        _declined(world, intent, method, card, charge["id"])
    elif manual:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"], "last_payment_error": None}
        world.save(intent)
        world.emit("payment_intent.amount_capturable_updated", intent)
        timers.later(world, AUTHORISED_FOR, "authorisation_expires", intent["id"])
    else:
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
        world.save(intent)
        world.emit("payment_intent.succeeded", intent)
    return intent


@timers.timer("authorisation_expires")
def _expires(world: World, id: str) -> None:
    intent = world.get("payment_intent", id)
    if intent is None or intent["status"] != "requires_capture":
        return
    charge = released(world, world.require("charge", intent["latest_charge"]))
    world.emit("charge.expired", charge)
    canceled(world, intent, "automatic")


def canceled(world: World, intent: Object, reason: str | None) -> Object:
    """The end of an intent that was not paid, kept and announced."""
    intent |= {
        "status": "canceled",
        "canceled_at": world.clock.now(),
        "cancellation_reason": reason,
        "amount_capturable": 0,
        "next_action": None,
    }
    world.save(intent)
    world.emit("payment_intent.canceled", intent)
    return intent


def _declined(world: World, intent: Object, method: Object, card: Card, charge: str | None) -> None:
    problem = card.error().body()["error"] | {"payment_method": method}
    if charge:
        problem["charge"] = charge
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None, "last_payment_error": problem}
    world.save(intent)
    world.emit("payment_intent.payment_failed", intent)


def declined(intent: Object) -> StripeError:
    """The 402 for an intent whose last attempt failed; what the attempt left behind is kept."""
    problem = intent["last_payment_error"]
    extra = {name: value for name, value in problem.items() if name in ("charge", "payment_method", "advice_code")}
    return StripeError(
        402,
        problem["message"],
        type="card_error",
        code=problem["code"],
        decline_code=problem.get("decline_code"),
        param=problem.get("param"),
        extra=extra | {"payment_intent": intent},
        keep=True,
    )


def unauthenticated(world: World, intent: Object, method: Object) -> StripeError:
    """An off-session payment whose card wants its holder: the intent goes back, with authentication_required."""
    card = Card("", "", code="authentication_required", decline_code="authentication_required")
    _declined(world, intent, method, card, None)
    return declined(intent)

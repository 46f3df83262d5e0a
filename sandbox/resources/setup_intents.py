"""Setup intents: a card kept for later, without a charge."""

import stripe

from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import payment_methods
from sandbox.resources.payment_intents import OLDER
from sandbox.route import Call, route
from sandbox.world import Object, World

CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def _confirmed(world: World, intent: Object, method: Object) -> Object:
    card = payment_methods.card_of(world, method)
    intent["payment_method"] = method["id"]
    if card.declines_attaching:
        error = card.error(keep=True)
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_setup_error": error.body()["error"] | {"payment_method": method},
        }
        world.save(intent)
        world.emit("setup_intent.setup_failed", intent)
        error.extra = {**error.extra, "setup_intent": intent}
        raise error
    if card.authentication:
        intent |= {
            "status": "requires_action",
            "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": world.new_id("src")}},
        }
        world.save(intent)
        world.emit("setup_intent.requires_action", intent)
        return intent
    if intent["customer"]:
        payment_methods.attached(world, method, intent["customer"])
    intent |= {"status": "succeeded", "last_setup_error": None, "next_action": None}
    world.save(intent)
    world.emit("setup_intent.succeeded", intent)
    return intent


@route("POST", "/v1/setup_intents", params=stripe.params.SetupIntentCreateParams, permission="setup_intent_write", extra=OLDER)
def create(call: Call) -> Object:
    world, params = call.world, call.params
    payment_methods.no_types(call)
    customer = world.require("customer", params["customer"], param="customer")["id"] if params.get("customer") else None
    method = payment_methods.usable(world, params["payment_method"], param="payment_method") if params.get("payment_method") else None
    id = world.new_id("seti")
    intent: Object = {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_{world.ids.letters(24)}",
        "created": world.clock.now(),
        "customer": customer,
        "description": params.get("description"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": world.livemode,
        "mandate": None,
        "metadata": merged({}, params.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    world.insert(intent)
    world.emit("setup_intent.created", intent)
    if params.get("confirm"):
        return _confirmed(world, intent, _needed(intent, method))
    return intent


def _needed(intent: Object, method: Object | None) -> Object:
    if method is None:
        raise invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
            setup_intent=intent,
        )
    return method


@route("GET", "/v1/setup_intents", params=stripe.params.SetupIntentListParams, permission="setup_intent_read", list_of="setup_intent")
def every(call: Call) -> Object:
    return page(call, "setup_intent", filters={"customer": "customer", "payment_method": "payment_method"})


@route("GET", "/v1/setup_intents/{intent}", params=stripe.params.SetupIntentRetrieveParams, permission="setup_intent_read")
def retrieve(call: Call) -> Object:
    return call.world.require("setup_intent", call.path["intent"])


@route("POST", "/v1/setup_intents/{intent}/confirm", params=stripe.params.SetupIntentConfirmParams, permission="setup_intent_write")
def confirm(call: Call) -> Object:
    world = call.world
    intent = world.require("setup_intent", call.path["intent"])
    if intent["status"] not in CANCELLABLE:
        raise invalid(
            f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.", code="setup_intent_unexpected_state"
        )
    wanted = call.params.get("payment_method") or intent["payment_method"]
    method = payment_methods.usable(world, wanted, param="payment_method") if wanted else None
    return _confirmed(world, intent, _needed(intent, method))


@route("POST", "/v1/setup_intents/{intent}/cancel", params=stripe.params.SetupIntentCancelParams, permission="setup_intent_write")
def cancel(call: Call) -> Object:
    world = call.world
    intent = world.require("setup_intent", call.path["intent"])
    if intent["status"] not in CANCELLABLE:
        raise invalid(
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.", code="setup_intent_unexpected_state"
        )
    intent |= {"status": "canceled", "cancellation_reason": call.params.get("cancellation_reason"), "next_action": None}
    world.save(intent)
    world.emit("setup_intent.canceled", intent)
    return intent

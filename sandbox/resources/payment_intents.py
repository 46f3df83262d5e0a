"""Payment intents: create, confirm, capture, cancel, update."""

from typing import Any

import stripe

from sandbox import amounts, connect, intents
from sandbox.charging import captured, released
from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import payment_methods
from sandbox.route import Call, route
from sandbox.world import Object, World

COPIED = (
    "allowed_payment_method_types",
    "capture_method",
    "confirmation_method",
    "description",
    "excluded_payment_method_types",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
CANCELLABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
# Parameters of earlier API versions that scripts still send.
OLDER = {"payment_method_types": list[str]}


def _method(world: World, params: dict[str, Any], customer: str | None) -> Object | None:
    """The payment method that a request names or describes."""
    if "payment_method_data" in params:
        data = params["payment_method_data"]
        if data["type"] != "card":
            raise invalid(f"The payment method type {data['type']} cannot be made here.", param="payment_method_data[type]")
        raise invalid("Missing required param: payment_method_data[card].", code="parameter_missing", param="payment_method_data[card]")
    if not params.get("payment_method"):
        return None
    method = payment_methods.usable(world, params["payment_method"], param="payment_method")
    if method["customer"] and method["customer"] != customer:
        who = f"Customer {method['customer']}" if customer is None else "a different customer"
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to {who}. Please include the Customer in the `customer` parameter on the"
            " PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="payment_method",
        )
    return method


def _confirmed(call: Call, intent: Object, method: Object | None) -> Object:
    world, params = call.world, call.params
    if method is None:
        raise intents.unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a"
            " payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.",
        )
    if intent["setup_future_usage"] and intent["customer"]:
        payment_methods.attached(world, method, intent["customer"])
    intents.tried(world, intent, method)
    if intent["status"] == "requires_action" and (params.get("off_session") or params.get("error_on_requires_action")):
        raise intents.unauthenticated(world, intent, method)
    if intent["last_payment_error"]:
        raise intents.declined(intent)
    return intent


@route("POST", "/v1/payment_intents", params=stripe.params.PaymentIntentCreateParams, permission="payment_intent_write", extra=OLDER)
def create(call: Call) -> Object:
    world, params = call.world, call.params
    payment_methods.no_types(call)
    currency = amounts.currency_of(params["currency"])
    amounts.check(params["amount"], currency)
    customer = world.require("customer", params["customer"], param="customer")["id"] if params.get("customer") else None
    if params.get("off_session") and not params.get("confirm"):
        raise invalid("You cannot provide `off_session` unless `confirm` is true.", param="off_session")
    method = _method(world, params, customer)
    rest = {name: params[name] for name in COPIED if name in params}
    if "automatic_payment_methods" in params:
        wanted = params["automatic_payment_methods"]
        rest["automatic_payment_methods"] = {"allow_redirects": wanted.get("allow_redirects", "always"), "enabled": wanted["enabled"]}
    intent = intents.started(
        world,
        amount=params["amount"],
        currency=currency,
        customer=customer,
        payment_method=method["id"] if method else None,
        metadata=merged({}, params.get("metadata") or {}),
        **connect.asked(world, params, params["amount"], currency),
        **rest,
    )
    return _confirmed(call, intent, method) if params.get("confirm") else intent


@route(
    "GET", "/v1/payment_intents", params=stripe.params.PaymentIntentListParams, permission="payment_intent_read", list_of="payment_intent"
)
def every(call: Call) -> Object:
    return page(call, "payment_intent", filters={"customer": "customer"})


@route("GET", "/v1/payment_intents/{intent}", params=stripe.params.PaymentIntentRetrieveParams, permission="payment_intent_read")
def retrieve(call: Call) -> Object:
    return call.world.require("payment_intent", call.path["intent"])


@route(
    "POST", "/v1/payment_intents/{intent}", params=stripe.params.PaymentIntentUpdateParams, permission="payment_intent_write", extra=OLDER
)
def update(call: Call) -> Object:
    world, params = call.world, call.params
    payment_methods.no_types(call)
    intent = world.require("payment_intent", call.path["intent"])
    fixed = intent["status"] in ("succeeded", "canceled", "processing", "requires_capture")
    for name in ("amount", "currency", "customer", "payment_method", "application_fee_amount", "transfer_data"):
        if fixed and name in params and params[name] != intent[name]:
            raise intents.unexpected(
                intent, f"This PaymentIntent's {name} could not be updated because it has a status of {intent['status']}."
            )
    if "currency" in params:
        intent["currency"] = amounts.currency_of(params["currency"])
    if "amount" in params:
        intent["amount"] = params["amount"]
    amounts.check(intent["amount"], intent["currency"])
    shares = {name: intent[name] for name in connect.FIELDS if intent[name] is not None} | params
    intent |= connect.asked(world, shares, intent["amount"], intent["currency"], kept=intent)
    if params.get("customer"):
        intent["customer"] = world.require("customer", params["customer"], param="customer")["id"]
    method = _method(world, params, intent["customer"])
    if method and not fixed:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    for name in COPIED:
        if name in params:
            intent[name] = params[name] or None
    if "metadata" in params:
        intent["metadata"] = merged(intent["metadata"], params["metadata"])
    return world.save(intent)


@route("POST", "/v1/payment_intents/{intent}/confirm", params=stripe.params.PaymentIntentConfirmParams, permission="payment_intent_write")
def confirm(call: Call) -> Object:
    world, params = call.world, call.params
    intent = world.require("payment_intent", call.path["intent"])
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise intents.unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
            if intent["status"] == "succeeded"
            else f"This PaymentIntent could not be confirmed because it has a status of {intent['status']}.",
        )
    for name in ("receipt_email", "setup_future_usage", "shipping", "capture_method"):
        if name in params:
            intent[name] = params[name] or None
    method = _method(world, params, intent["customer"])
    if method is None and intent["payment_method"]:
        method = world.require("payment_method", intent["payment_method"], param="payment_method")
    return _confirmed(call, intent, method)


@route("POST", "/v1/payment_intents/{intent}/capture", params=stripe.params.PaymentIntentCaptureParams, permission="payment_intent_write")
def capture(call: Call) -> Object:
    world, params = call.world, call.params
    intent = world.require("payment_intent", call.path["intent"])
    if intent["status"] != "requires_capture":
        raise intents.unexpected(
            intent,
            f"This PaymentIntent could not be captured because it has a status of {intent['status']}. Only a PaymentIntent with one of the"
            " following statuses may be captured: requires_capture.",
        )
    amount = params.get("amount_to_capture", intent["amount_capturable"])
    if not 1 <= amount <= intent["amount_capturable"]:
        raise invalid(
            "The amount to capture must be at least 1 and no more than the amount that is capturable.",
            param="amount_to_capture",
            code="amount_too_large" if amount > 0 else "amount_too_small",
        )
    amounts.check_fraction(amount, intent["currency"], param="amount_to_capture")
    shares = connect.asked(world, params, amount, intent["currency"], kept=intent)
    intent |= shares
    charge = world.require("charge", intent["latest_charge"])
    charge |= shares | {"transfer_data": connect.of_charge(intent["transfer_data"])}
    captured(world, charge, amount)
    if "metadata" in params:
        intent["metadata"] = merged(intent["metadata"], params["metadata"])
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    world.save(intent)
    world.emit("payment_intent.succeeded", intent)
    return intent


@route("POST", "/v1/payment_intents/{intent}/cancel", params=stripe.params.PaymentIntentCancelParams, permission="payment_intent_write")
def cancel(call: Call) -> Object:
    world = call.world
    intent = world.require("payment_intent", call.path["intent"])
    if intent["status"] not in CANCELLABLE:
        raise intents.unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent with one of the"
            f" following statuses may be canceled: {', '.join(CANCELLABLE)}.",
        )
    if intent["status"] == "requires_capture":
        released(world, world.require("charge", intent["latest_charge"]))
    return intents.canceled(world, intent, call.params.get("cancellation_reason"))

"""Refunds: never more than what is left of a charge, and none while a dispute holds it."""

from hashlib import blake2b
from typing import Any

import stripe

from sandbox import connect, timers
from sandbox.amounts import check_fraction, spelled
from sandbox.cards import CARDS
from sandbox.errors import StripeError, invalid, not_found
from sandbox.expand import on_expand
from sandbox.listing import listed, page
from sandbox.metadata import merged
from sandbox.resources import balance_transactions, disputes, early_fraud_warnings
from sandbox.route import Call, route
from sandbox.world import Object, World

# In seconds of the sandbox's clock: until the network gives a reference, and until a test card that settles late does.
REFERENCE_AFTER = 2
SETTLES_AFTER = 3
NEEDS_THE_CUSTOMER = ("konbini", "promptpay", "paynow", "multibanco", "oxxo", "boleto")


def _refundable(world: World, call: Call) -> Object:
    params = call.params
    if "payment_intent" in params:
        intent = world.get("payment_intent", params["payment_intent"])
        if intent is None:
            raise not_found("payment_intent", params["payment_intent"], param="payment_intent", status=404)
        if not intent["latest_charge"]:
            raise _nothing_paid(intent["id"])
        if params.get("charge", intent["latest_charge"]) != intent["latest_charge"]:
            raise invalid("The charge does not belong to the payment_intent.", param="charge")
        return world.require("charge", intent["latest_charge"])
    if "charge" not in params:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    return world.require("charge", params["charge"])


def _nothing_paid(intent: str) -> StripeError:
    return invalid(f"This PaymentIntent ({intent}) does not have a successful charge to refund.")


def _left(world: World, charge: Object) -> int:
    """What can still be refunded. Of a charge that was captured in part the released rest counts as refunded already."""
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["captured"]:
        return left
    made = [refund["amount"] for refund in world.find("refund", charge=charge["id"]) if refund["status"] not in ("failed", "canceled")]
    return min(left, charge["amount_captured"] - sum(made))


def _allow(world: World, charge: Object, amount: int | None) -> int:
    """The amount to refund, or Stripe's refusal."""
    left, intent = _left(world, charge), charge["payment_intent"]
    if charge["status"] == "failed":
        raise _nothing_paid(intent) if intent else invalid(f"Charge {charge['id']} has failed and cannot be refunded.")
    if intent and not charge["captured"]:
        raise invalid(
            f"This uncaptured Charge was created by a PaymentIntent ({intent}). You must cancel the PaymentIntent to reverse the"
            " authorization instead of refunding the Charge directly. For more information, see"
            " https://stripe.com/docs/payments/place-a-hold-on-a-payment-method"
        )
    if disputes.blocking(world, charge["id"]):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if charge["refunded"] or left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is None:
        return left
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer")
    if amount > left:
        raise invalid(
            f"Refund amount ({spelled(amount, charge['currency'])}) is greater than unrefunded amount on charge"
            f" ({spelled(left, charge['currency'])})",
            param="amount",
        )
    check_fraction(amount, charge["currency"])
    if charge["currency"] == "huf" and amount % 100 and amount != left:
        # Stripe charges fractions of a forint and pays out none; whether it refunds a part with one is not documented.
        raise invalid("Invalid amount: amounts in huf must be evenly divisible by 100.", param="amount", code="invalid_charge_amount")
    if not charge["captured"] and amount != left:
        raise invalid(
            "You cannot partially refund an uncaptured charge. Instead, capture the charge with a smaller amount.", param="amount"
        )
    return amount


def made(
    world: World,
    charge: Object,
    amount: int | None = None,
    *,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
    instructions_email: str | None = None,
    reverse_transfer: bool = False,
    refund_application_fee: bool = False,
) -> Object:
    """Refund a charge, all that is left or `amount`; kept and announced. Raises what Stripe refuses."""
    amount = _allow(world, charge, amount)
    if refusal := connect.refusal(charge, reverse=reverse_transfer, fee=refund_application_fee):
        raise refusal
    kind = charge["payment_method_details"]["type"]
    card = CARDS.get(world.private("charge", charge["id"]).get("card", "visa"), CARDS["visa"])
    status = "pending" if card.refund in ("pending", "stays") else "requires_action" if kind in NEEDS_THE_CUSTOMER else "succeeded"
    if status == "requires_action" and not instructions_email:
        raise invalid("You must provide instructions_email for this payment method.", code="parameter_missing", param="instructions_email")
    refund: Object = {
        "id": world.new_id("re" if kind == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": world.clock.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        }
        if kind == "card"
        else {kind: {}, "type": kind},
        "metadata": merged({}, metadata or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    if status == "pending":
        refund["pending_reason"] = "processing"
    if status == "requires_action":
        refund["instructions_email"] = instructions_email
        refund["next_action"] = {
            "display_details": {
                "email_sent": {"email_sent_at": refund["created"], "email_sent_to": instructions_email},
                "expires_at": refund["created"] + 45 * 86400,
            },
            "type": "display_details",
        }
    if charge["captured"]:
        refund["balance_transaction"] = balance_transactions.recorded(
            world, "refund", -amount, charge["currency"], refund["id"], description="REFUND FOR CHARGE"
        )["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    told = connect.taken_back(world, charge, refund, reverse=reverse_transfer, fee=refund_application_fee)
    world.insert(refund)
    if reason == "fraudulent":
        charge["fraud_details"] = {"user_report": "fraudulent"}
    world.save(charge)
    world.emit("refund.created", refund)
    world.emit("charge.refunded", charge)
    early_fraud_warnings.answered(world, charge["id"])
    for type, obj in told:
        world.emit(type, obj)
    if status == "succeeded" and kind == "card":
        timers.later(world, REFERENCE_AFTER, "refund_referenced", refund["id"])
    if card.refund in ("pending", "failed"):
        timers.later(world, SETTLES_AFTER, "refund_settles", refund["id"])
    return refund


def referenced(refund: Object) -> Object:
    """The refund with the number that the card network knows it by."""
    number = int.from_bytes(blake2b(refund["id"].encode(), digest_size=8).digest()) % 10**16
    card = refund["destination_details"]["card"] | {"reference": f"{number:016}", "reference_status": "available"}
    return refund | {"destination_details": refund["destination_details"] | {"card": card}}


@timers.timer("refund_referenced")
def _referenced(world: World, id: str) -> None:
    refund = world.get("refund", id)
    if refund is None or refund["status"] != "succeeded":
        return
    refund = world.save(referenced(refund))
    world.emit("refund.updated", refund)
    # Documented for "selected payment methods"; this is where it was seen.
    world.emit("charge.refund.updated", refund)


@timers.timer("refund_settles")
def _settles(world: World, id: str) -> None:
    refund = world.get("refund", id)
    if refund is None or refund["status"] not in ("pending", "succeeded"):
        return
    if refund["status"] == "pending":
        refund |= {"status": "succeeded"}
        refund.pop("pending_reason", None)
        _announce(world, refund)
        if "card" in refund["destination_details"]:
            timers.later(world, REFERENCE_AFTER, "refund_referenced", id)
    else:
        undone(world, refund, "failed", failure_reason="expired_or_canceled_card")


def undone(world: World, refund: Object, status: str, *, failure_reason: str | None = None) -> Object:
    """The money comes back: a refund that `failed` or was `canceled`; its charge has that much more left, of which no event tells."""
    movement = balance_transactions.recorded(world, "refund_failure", refund["amount"], refund["currency"], refund["id"])
    refund |= {"status": status, "failure_balance_transaction": movement["id"]}
    if failure_reason:
        refund["failure_reason"] = failure_reason
    refund.pop("next_action", None)
    charge = world.require("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    _announce(world, refund)
    if status == "failed":
        world.emit("refund.failed", refund)
    world.save(charge)
    return refund


def _announce(world: World, refund: Object) -> None:
    world.save(refund)
    world.emit("refund.updated", refund)


def _asked(call: Call, charge: Object) -> Object:
    params: dict[str, Any] = call.params
    if "currency" in params and params["currency"].lower() != charge["currency"]:
        raise invalid(f"The currency of the refund must be that of the charge: {charge['currency']}.", param="currency")
    for name in ("origin", "customer"):
        if name in params:
            raise invalid(f"This sandbox refunds no customer balance: {name} cannot be used.", param=name)
    return made(
        call.world,
        charge,
        params.get("amount"),
        reason=params.get("reason"),
        metadata=params.get("metadata") or {},
        instructions_email=params.get("instructions_email"),
        reverse_transfer=params.get("reverse_transfer", False),
        refund_application_fee=params.get("refund_application_fee", False),
    )


@route("POST", "/v1/refunds", params=stripe.params.RefundCreateParams, permission="refund_write")
def create(call: Call) -> Object:
    return _asked(call, _refundable(call.world, call))


@route("POST", "/v1/charges/{charge}/refunds", params=stripe.params.RefundCreateParams, permission="refund_write")
def create_for_charge(call: Call) -> Object:
    return _asked(call, call.world.require("charge", call.path["charge"]))


@route("POST", "/v1/charges/{charge}/refund", params=stripe.params.RefundCreateParams, permission="refund_write")
def create_and_show_charge(call: Call) -> Object:
    """The oldest way, which answers with the charge."""
    return call.world.require("charge", create_for_charge(call)["charge"])


@route("GET", "/v1/refunds", params=stripe.params.RefundListParams, permission="refund_read", list_of="refund")
def every(call: Call) -> Object:
    return page(call, "refund", filters={"charge": "charge", "payment_intent": "payment_intent"})


@route("GET", "/v1/charges/{charge}/refunds", params=stripe.params.RefundListParams, permission="refund_read", list_of="refund")
def of_charge(call: Call) -> Object:
    return page(call, "refund", where=[("charge = ?", [call.path["charge"]])])


@route("GET", "/v1/refunds/{refund}", permission="refund_read")
def retrieve(call: Call) -> Object:
    return call.world.require("refund", call.path["refund"])


@route("POST", "/v1/refunds/{refund}", params=stripe.params.RefundUpdateParams, permission="refund_write")
def update(call: Call) -> Object:
    refund = call.world.require("refund", call.path["refund"])
    if "metadata" in call.params:
        refund["metadata"] = merged(refund["metadata"], call.params["metadata"])
    _announce(call.world, refund)
    return refund


@route("POST", "/v1/refunds/{refund}/cancel", params=stripe.params.RefundCancelParams, permission="refund_write")
def cancel(call: Call) -> Object:
    refund = call.world.require("refund", call.path["refund"])
    if refund["status"] != "requires_action":
        raise StripeError(400, f"You cannot cancel a refund with status {refund['status']}; only requires_action can be canceled.")
    return undone(call.world, refund, "canceled")


@on_expand("charge", "refunds")
def _refunds(world: World, charge: Object) -> Object:
    found = world.find("refund", charge=charge["id"])
    return listed(found[:10], f"/v1/charges/{charge['id']}/refunds", has_more=len(found) > 10)

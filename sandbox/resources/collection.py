"""How an invoice asks for its money: a payment intent, an invoice payment that ties the two, and the payment method that pays."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox import intents
from sandbox.errors import StripeError, invalid
from sandbox.resources import invoice_payments, payment_methods
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to: minor units received, or the error to answer with."""

    received: int = 0
    error: StripeError | None = None
    action_required: bool = False


def default_method(world: World, customer: dict, subscription: dict | None = None) -> str | None:
    """The id of what pays by default: the subscription's own, the customer's for invoices, then the older default source."""
    own = (subscription or {}).get("default_payment_method")
    return own or customer["invoice_settings"]["default_payment_method"] or customer["default_source"]


def request(world: World, invoice: dict) -> None:
    """Open the payment intent of a finalized invoice."""
    intent = intents.started(
        world,
        amount=invoice["amount_remaining"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description=f"Payment for Invoice {invoice['number']}",
        capture_method="automatic",
        automatic_payment_methods=None,
        setup_future_usage="off_session" if invoice["parent"] else None,
    )
    invoice_payments.build(world, invoice, intent["id"])


def _intent(world: World, invoice: dict) -> dict | None:
    payment = invoice_payments.open_for(world, invoice["id"])
    return world.get("payment_intent", payment["payment"]["payment_intent"]) if payment else None


def client_secret(world: World, invoice: dict) -> str | None:
    intent = _intent(world, invoice)
    return intent["client_secret"] if intent else None


def attempt(world: World, invoice: dict, *, payment_method: str | None, off_session: bool) -> Outcome:
    """Try to collect what remains. Leaves the failed charge and intent behind when the card declines."""
    customer = world.require("customer", invoice["customer"], param="customer")
    chosen = payment_method or invoice["default_payment_method"] or default_method(world, customer)
    if chosen is None:
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set either `invoice_settings.default_payment_method`"
            " on the Customer, or `default_payment_method` on the Invoice."
        )
    method = payment_methods.usable(world, chosen, param="payment_method")
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method does not belong to the customer of this invoice.", param="payment_method")
    if _intent(world, invoice) is None:
        request(world, invoice)
    intent = _intent(world, invoice)
    payment = invoice_payments.open_for(world, invoice["id"])
    if intent is None or payment is None:
        raise invalid("This invoice has no open payment.", param="id")
    intents.tried(world, intent, method)
    if intent["status"] == "requires_action":
        error = StripeError(
            402,
            "This payment requires additional user action before it can be completed successfully. Payment can be completed using the"
            " PaymentIntent associated with this Invoice.",
            type="card_error",
            code="invoice_payment_intent_requires_action",
            extra={"payment_intent": intent},
            keep=True,
        )
        return Outcome(
            error=intents.unauthenticated(world, intent, method) if off_session and not invoice["parent"] else error, action_required=True
        )
    if intent["last_payment_error"]:
        return Outcome(error=intents.declined(intent))
    invoice_payments.mark_paid(world, payment, intent["amount_received"])
    return Outcome(received=intent["amount_received"])


def reprice(world: World, invoice: dict) -> None:
    """Ask for what remains after a credit note changed it."""
    intent, payment = _intent(world, invoice), invoice_payments.open_for(world, invoice["id"])
    if intent is None or payment is None:
        return
    if invoice["amount_remaining"] == 0:
        withdraw(world, invoice, "void_invoice")
        return
    intent["amount"] = payment["amount_requested"] = invoice["amount_remaining"]
    world.save(intent)
    world.save(payment)


def withdraw(world: World, invoice: dict, reason: str) -> None:
    """Cancel the open payment of an invoice that will not be paid this way."""
    intent, payment = _intent(world, invoice), invoice_payments.open_for(world, invoice["id"])
    if payment is not None:
        invoice_payments.cancel(world, payment)
    if intent is not None and intent["status"] != "succeeded":
        known = reason if reason == "void_invoice" else None
        intent |= {"status": "canceled", "canceled_at": world.clock.now(), "cancellation_reason": known, "next_action": None}
        world.save(intent)
        world.emit("payment_intent.canceled", intent)

"""The states of an invoice: draft, then open, then paid, void or uncollectible, and what each step announces."""

from __future__ import annotations

from sandbox import timers
from sandbox.errors import StripeError, invalid
from sandbox.listing import listed
from sandbox.resources import collection, discounts, invoice_items, invoice_lines, subscription_status
from sandbox.resources.fields import update
from sandbox.world import World

HOUR, DAY = 3_600, 86_400
NOT_DRAFT = "invoice_not_editable"


def blank(world: World, customer: dict, *, currency: str, billing_reason: str, collection_method: str = "charge_automatically") -> dict:
    """A draft without lines, not stored yet."""
    now = world.clock.now()
    id = world.new_id("in")
    return {
        "id": id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
        "automatically_finalizes_at": None,
        "billing_reason": billing_reason,
        "collection_method": collection_method,
        "created": now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer.get("address"),
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"),
        "customer_shipping": customer.get("shipping"),
        "customer_tax_exempt": customer.get("tax_exempt") or "none",
        "customer_tax_ids": [{"type": tax["type"], "value": tax["value"]} for tax in world.find("tax_id", customer=customer["id"])],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": listed([], f"/v1/invoices/{id}/lines"),
        "livemode": world.livemode,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer.get("balance") or 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {"finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": customer.get("test_clock"),
        "threshold_reason": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }


def draft(world: World, invoice: dict, lines: list[dict], pending: list[dict]) -> dict:
    """Store a draft with its lines and the pending invoice items that it takes along."""
    if invoice["auto_advance"]:
        invoice["automatically_finalizes_at"] = invoice["created"] + HOUR
        timers.later(world, HOUR, "draft_is_finalized", invoice["id"])
        if invoice["collection_method"] == "charge_automatically":
            invoice["next_payment_attempt"] = invoice["created"] + HOUR
    world.insert(invoice)
    for item in pending:
        item["invoice"] = invoice["id"]
        world.save(item)
        lines = [*lines, invoice_items.line(world, item)]
    invoice_lines.put(world, invoice, lines)
    world.save(invoice)
    world.emit("invoice.created", invoice)
    return invoice


def _number(world: World, customer: dict) -> str:
    """The customer's prefix and next number, as in `4F2A91C0-0001`."""
    prefix = customer.get("invoice_prefix") or world.ids.letters(8).upper()
    sequence = customer.get("next_invoice_sequence") or 1
    customer |= {"invoice_prefix": prefix, "next_invoice_sequence": sequence + 1}
    return f"{prefix}-{sequence:04d}"


def finalize(world: World, invoice: dict, *, auto_advance: bool | None = None, param: str = "id") -> dict:
    """Freeze the amounts, give the number, ask for the money. One that owes nothing is paid at once."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.", param=param, code=NOT_DRAFT)
    if not invoice_lines.of(world, invoice):
        raise invalid("Nothing to invoice for customer", code="invoice_no_customer_line_items")
    now = world.clock.now()
    customer = world.require("customer", invoice["customer"], param="customer")
    if invoice["collection_method"] == "send_invoice" and not customer.get("email"):
        raise invalid(
            "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid email.",
            param="customer",
        )
    invoice["starting_balance"] = customer.get("balance") or 0
    invoice_lines.due(invoice)
    balance = invoice["total"] + invoice["starting_balance"]
    invoice["ending_balance"] = min(0, balance)
    invoice["number"] = invoice["number"] or _number(world, customer)
    customer["balance"] = invoice["ending_balance"]
    if customer.get("currency") is None:
        customer["currency"] = invoice["currency"]
    world.save(customer)
    world.emit("customer.updated", customer, promised=False)
    secret = f"{world.account}/{'live' if world.livemode else 'test'}_{world.ids.letters(32)}"
    invoice |= {
        "status": "open",
        "effective_at": invoice["effective_at"] or now,
        "automatically_finalizes_at": None,
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{secret}?s=ap",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{secret}/pdf?s=ap",
        "auto_advance": invoice["auto_advance"] if auto_advance is None else auto_advance,
    }
    invoice["status_transitions"]["finalized_at"] = now
    if invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
        invoice["next_payment_attempt"] = now + HOUR
    discounts.mark_used(world, [entry["discount"] for entry in invoice["total_discount_amounts"]])
    if invoice["amount_due"] > 0:
        collection.request(world, invoice)
    world.save(invoice)
    world.emit("invoice.finalized", invoice)
    if invoice["amount_due"] == 0:
        return paid(world, invoice)
    return invoice


def paid(world: World, invoice: dict, *, received: int = 0, off_stripe: int = 0) -> dict:
    """The money is there (or none is owed)."""
    invoice |= {"status": "paid", "attempted": True, "auto_advance": False, "next_payment_attempt": None}
    invoice["amount_paid"] += received + off_stripe
    invoice["amount_paid_off_stripe"] += off_stripe
    invoice["amount_remaining"] = max(0, invoice["amount_due"] - invoice["amount_paid"])
    invoice["status_transitions"]["paid_at"] = world.clock.now()
    world.save(invoice)
    world.emit("invoice.updated", invoice, promised=False)
    world.emit("invoice.paid", invoice)
    if not off_stripe:
        world.emit("invoice.payment_succeeded", invoice)
    delinquency(world, invoice["customer"])
    subscription_status.after_invoice(world, invoice, "paid")
    return invoice


def pay(world: World, invoice: dict, *, payment_method: str | None = None, out_of_band: bool = False, off_session: bool = True) -> dict:
    """Try to collect. A declined payment raises 402 and leaves its traces: a failed charge, a counted attempt, an event."""
    if invoice["status"] == "draft" and finalize(world, invoice)["status"] == "paid":
        return invoice
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", param="id")
    if invoice["status"] == "void":
        raise invalid("Invoice is void and can no longer be paid.", param="id")
    if out_of_band:
        collection.withdraw(world, invoice, "canceled_out_of_band")
        return paid(world, invoice, off_stripe=invoice["amount_remaining"])
    outcome = collection.attempt(world, invoice, payment_method=payment_method, off_session=off_session)
    if outcome.error is None:
        return paid(world, invoice, received=outcome.received)
    failed(world, invoice, action_required=outcome.action_required)
    raise outcome.error


def failed(world: World, invoice: dict, *, action_required: bool) -> None:
    invoice["attempt_count"] += 1
    invoice["attempted"] = True
    if invoice["auto_advance"]:
        invoice["next_payment_attempt"] = world.clock.now() + 3 * DAY
    world.save(invoice)
    world.emit("invoice.updated", invoice, promised=False)
    if action_required:
        world.emit("invoice.payment_action_required", invoice)
    world.emit("invoice.payment_failed", invoice)
    delinquency(world, invoice["customer"])
    subscription_status.after_invoice(world, invoice, "failed")


def delinquency(world: World, customer_id: str) -> None:
    """Whether the customer owes what was asked for and refused. No event that Stripe promises tells this of the customer."""
    customer = world.get("customer", customer_id)
    if customer is None:
        return
    unpaid = world.find("invoice", customer=customer_id, status="open")
    owing = any(one["attempt_count"] and one["collection_method"] == "charge_automatically" for one in unpaid)
    if customer["delinquent"] != owing:
        customer["delinquent"] = owing
        update(world, customer, "customer.updated", promised=False)


def void(world: World, invoice: dict) -> dict:
    """Final: an open or uncollectible invoice that nobody owes any more."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(
            f"You can only pass in open or uncollectible invoices. This invoice is {invoice['status']}.", param="id", code=NOT_DRAFT
        )
    collection.withdraw(world, invoice, "void_invoice")
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = world.clock.now()
    update(world, invoice, "invoice.updated", promised=False)
    world.emit("invoice.voided", invoice)
    delinquency(world, invoice["customer"])
    subscription_status.after_invoice(world, invoice, "void")
    return invoice


def mark_uncollectible(world: World, invoice: dict) -> dict:
    """Bad debt: it can still be paid or voided."""
    if invoice["status"] != "open":
        raise invalid(f"You can only mark open invoices as uncollectible. This invoice is {invoice['status']}.", param="id")
    invoice |= {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["marked_uncollectible_at"] = world.clock.now()
    invoice["status_details"] = {"uncollectible": {"reason": "user_forgiven"}}
    update(world, invoice, "invoice.updated", promised=False)
    world.emit("invoice.marked_uncollectible", invoice)
    delinquency(world, invoice["customer"])
    subscription_status.after_invoice(world, invoice, "uncollectible")
    return invoice


def send(world: World, invoice: dict) -> dict:
    """Announce a bill to be paid by hand; a draft is finalized first. The sandbox sends no e-mail."""
    if invoice["collection_method"] != "send_invoice":
        raise invalid("You can only manually send an invoice if its collection method is 'send_invoice'.", param="id")
    if invoice["status"] == "draft":
        finalize(world, invoice)
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise invalid(f"You can't send an invoice that is {invoice['status']}.", param="id")
    world.emit("invoice.sent", invoice)
    return invoice


def collect(world: World, invoice: dict, *, off_session: bool = True) -> StripeError | None:
    """Try to collect on Billing's own account: the refusal is answered, not raised."""
    try:
        pay(world, invoice, off_session=off_session)
    except StripeError as error:
        return error
    return None


__all__ = ["blank", "collect", "draft", "finalize", "mark_uncollectible", "paid", "pay", "send", "void"]

"""How a subscription bills: the invoice of a period, its lines, prorations, and the next invoice as a preview."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sandbox.errors import StripeError, invalid
from sandbox.resources import collection, discounts, invoice_items, invoice_lifecycle, invoice_lines, prices, subscription_items
from sandbox.resources.fields import minor_units
from sandbox.world import World


def _blank(world: World, customer: dict, subscription: dict, billing_reason: str) -> dict:
    invoice = invoice_lifecycle.blank(
        world,
        customer,
        currency=subscription["currency"],
        billing_reason=billing_reason,
        collection_method=subscription["collection_method"],
    )
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"], "subscription_proration_date": None}
    invoice |= {
        "auto_advance": True,
        "default_payment_method": subscription["default_payment_method"],
        "description": subscription["description"],
        "parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"},
    }
    invoice["period_start"], invoice["period_end"] = subscription_items.period_of(subscription)
    if subscription["collection_method"] == "send_invoice":
        invoice["due_date"] = invoice["created"] + (subscription["days_until_due"] or 0) * invoice_lifecycle.DAY
    return invoice


def lines(world: World, subscription: dict) -> list[dict]:
    """One line for each item: its period in full, or nothing while the trial runs."""
    trial = subscription["status"] == "trialing"
    built = []
    for item in subscription["items"]["data"]:
        if item["price"]["recurring"]["usage_type"] == "metered":
            continue
        what = subscription_items.describe(world, item)
        built.append(
            invoice_lines.build(
                world,
                amount=0 if trial else prices.line_amount(world, item["price"], item["quantity"]),
                currency=subscription["currency"],
                description=f"Trial period for {what}" if trial else what,
                period={"end": item["current_period_end"], "start": item["current_period_start"]},
                quantity=item["quantity"],
                price=item["price"],
                subscription=subscription["id"],
                subscription_item=item["id"],
                own_discounts=item["discounts"],
            )
        )
    return built


def bill(world: World, subscription: dict, *, reason: str, with_period: bool = True) -> dict:
    """Draft the invoice of the current period (or of what is pending only) and make it the latest one."""
    customer = world.require("customer", subscription["customer"])
    invoice = _blank(world, customer, subscription, reason)
    running = discounts.running(world, subscription["discounts"], world.clock.now())
    invoice["discounts"] = running or ([customer["discount"]["id"]] if customer.get("discount") else [])
    pending = [
        item for item in invoice_items.pending(world, customer["id"], subscription["currency"]) if _belongs(item, subscription["id"])
    ]
    drafted = invoice_lifecycle.draft(world, invoice, lines(world, subscription) if with_period else [], pending)
    subscription["latest_invoice"] = drafted["id"]
    world.save(subscription)
    return drafted


def _belongs(item: dict, subscription_id: str) -> bool:
    details = (item["parent"] or {}).get("subscription_details")
    return details is None or details["subscription"] == subscription_id


def settle(world: World, subscription: dict, invoice: dict, *, off_session: bool = True) -> StripeError | None:
    """Finalize and collect now, if it is to be collected; the refusal of a payment is answered."""
    if subscription["collection_method"] == "send_invoice":
        return None
    invoice_lifecycle.finalize(world, invoice)
    if invoice["status"] == "paid":
        return None
    return invoice_lifecycle.collect(world, invoice, off_session=off_session)


def require_payment_method(world: World, subscription: dict) -> None:
    """Stripe's refusal of a subscription that could never be charged."""
    customer = world.require("customer", subscription["customer"])
    if collection.default_method(world, customer, subscription) is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default payment method."
            " For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.",
            code="resource_missing",
        )


def prorate(world: World, subscription: dict, before: list[dict], after: list[dict], *, moment: int | None = None) -> None:
    """Credit what is left of the old items and charge what is left of the new ones, by the second, as pending invoice items."""
    now = moment or world.clock.now()
    old, new = ({item["id"]: item for item in items} for items in (before, after))
    for id in [*old, *(id for id in new if id not in old)]:
        if id in old and id in new and _same(old[id], new[id]):
            continue
        for item, sign, words in ((old.get(id), -1, "Unused time on"), (new.get(id), 1, "Remaining time on")):
            if item is not None:
                _prorated(world, subscription, item, sign, words, now)


def _same(one: dict, other: dict) -> bool:
    return one["price"]["id"] == other["price"]["id"] and one["quantity"] == other["quantity"]


def _prorated(world: World, subscription: dict, item: dict, sign: int, words: str, now: int) -> None:
    start, end = item["current_period_start"], item["current_period_end"]
    if item["price"]["recurring"]["usage_type"] == "metered" or now >= end:
        return
    full = Decimal(prices.line_amount(world, item["price"], item["quantity"]))
    share = full * (end - max(now, start)) / (end - start)
    day = datetime.fromtimestamp(now, UTC).strftime("%d %b %Y")
    invoice_items.build(
        world,
        customer=subscription["customer"],
        amount=sign * minor_units(share, subscription["currency"]),
        currency=subscription["currency"],
        description=f"{words} {subscription_items.describe(world, item)} after {day}",
        quantity=item["quantity"],
        price=item["price"],
        subscription=subscription["id"],
        subscription_item=item["id"],
        proration=True,
        discountable=False,
        period={"end": end, "start": now},
    )


def preview(world: World, customer: dict, subscription: dict | None, currency: str | None) -> dict:
    """The next invoice as it would be now. It is computed in the transaction and taken back, so it leaves nothing behind."""
    world.store.db.execute("SAVEPOINT preview")
    try:
        if subscription is not None:
            invoice = bill(world, _next_period(subscription), reason="subscription_cycle")
        else:
            pending = invoice_items.pending(world, customer["id"], currency)
            pending = [item for item in pending if item["currency"] == pending[0]["currency"]]
            if not pending:
                raise invalid(f"No upcoming invoices for customer: {customer['id']}", code="invoice_upcoming_none", param="customer")
            invoice = invoice_lifecycle.blank(world, customer, currency=pending[0]["currency"], billing_reason="manual")
            invoice = invoice_lifecycle.draft(world, invoice, [], pending)
        invoice["id"] = "upcoming_" + invoice["id"]
        return invoice
    finally:
        world.store.db.execute("ROLLBACK TO preview")
        world.store.db.execute("RELEASE preview")


def _next_period(subscription: dict) -> dict:
    data = []
    for item in subscription["items"]["data"]:
        start = item["current_period_end"]
        end = subscription_items.period_end(subscription["billing_cycle_anchor"], start, item["price"]["recurring"])
        data.append({**item, "current_period_start": start, "current_period_end": end})
    status = "active" if subscription["status"] == "trialing" else subscription["status"]
    return {**subscription, "status": status, "items": {**subscription["items"], "data": data}}

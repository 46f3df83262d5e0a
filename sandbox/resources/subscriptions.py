"""Subscriptions: the routes, creation and the end."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid, missing, not_found
from sandbox.listing import listed, page
from sandbox.metadata import merged
from sandbox.resources import (
    billing_clock,
    discounts,
    invoice_items,
    prices,
    subscription_billing,
    subscription_changes,
    subscription_items,
    test_clocks,
)
from sandbox.resources.fields import update
from sandbox.resources.subscription_status import ENDED
from sandbox.route import Call, route
from sandbox.world import World

_LATER = (
    "backdate_start_date",
    "billing_cycle_anchor",
    "billing_cycle_anchor_config",
    "billing_schedules",
    "billing_thresholds",
    "transfer_data",
)


@route("POST", "/v1/subscriptions", params=stripe.params.SubscriptionCreateParams, permission="subscription_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    if not given.get("customer"):
        raise missing("customer")
    if not given.get("items"):
        raise missing("items")
    for name in _LATER:
        if name in given:
            raise invalid(f"`{name}` is not part of this sandbox.", param=name)
    customer = world.require("customer", given["customer"], param="customer")
    subscription = build(world, customer, given)
    for position, extra in enumerate(given.get("add_invoice_items") or []):
        _extra(world, subscription, extra, f"add_invoice_items[{position}]")
    automatic = subscription["collection_method"] == "charge_automatically"
    behavior = given.get("payment_behavior", "allow_incomplete")
    if automatic and subscription["status"] == "incomplete" and behavior != "default_incomplete" and _owes(world, subscription):
        subscription_billing.require_payment_method(world, subscription)
    invoice = subscription_billing.bill(world, subscription, reason="subscription_create")
    world.emit("customer.subscription.created", subscription)
    if subscription["trial_end"] and subscription["trial_end"] - world.clock.now() <= subscription_changes.WARNING:
        world.emit("customer.subscription.trial_will_end", subscription)
    if behavior == "default_incomplete" and automatic and invoice["amount_due"] > 0:
        subscription_billing.invoice_lifecycle.finalize(world, invoice)
    else:
        error = subscription_billing.settle(world, subscription, invoice, off_session=given.get("off_session", False))
        if error is not None and behavior == "error_if_incomplete":
            error.keep = False
            raise error
    after = world.require("subscription", subscription["id"])
    billing_clock.watch(world, after)
    return after


def _owes(world: World, subscription: dict) -> bool:
    return any(prices.line_amount(world, item["price"], item["quantity"]) for item in subscription["items"]["data"])


def _extra(world: World, subscription: dict, extra: dict, at: str) -> None:
    price = (
        prices.from_data(world, extra["price_data"])
        if "price_data" in extra
        else world.require("price", extra.get("price", ""), param=f"{at}[price]")
    )
    quantity = extra.get("quantity", 1)
    invoice_items.build(
        world,
        customer=subscription["customer"],
        amount=prices.line_amount(world, price, quantity),
        currency=price["currency"],
        description=(world.get("product", price["product"]) or {}).get("name"),
        quantity=quantity,
        price=price,
        subscription=subscription["id"],
    )


def build(world: World, customer: dict, given: dict) -> dict:
    """Store a new subscription with its items; it is `incomplete` until its first invoice is paid, unless it has a trial or is billed."""
    now = world.clock.now()
    id = world.new_id("sub")
    found = [subscription_items.price_of(world, item, f"items[{n}]") for n, item in enumerate(given["items"])]
    recurring = found[0]["recurring"]
    trial_end = given.get("trial_end")
    if given.get("trial_period_days"):
        trial_end = now + given["trial_period_days"] * subscription_changes.DAY
    elif given.get("trial_from_plan") and recurring["trial_period_days"]:
        trial_end = now + recurring["trial_period_days"] * subscription_changes.DAY
    if trial_end == "now":
        trial_end = None
    elif trial_end is not None and int(trial_end) <= now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    end = int(trial_end) if trial_end else subscription_items.period_end(now, now, recurring)
    pairs = zip(found, given["items"], strict=True)
    items = [subscription_items.build(world, id, price, item, start=now, end=end, customer=customer["id"]) for price, item in pairs]
    currency = (given.get("currency") or found[0]["currency"]).lower()
    subscription_changes.check(items, currency)
    automatic = given.get("collection_method", "charge_automatically") == "charge_automatically"
    subscription = {
        "id": id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": end if trial_end else now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": given.get("billing_mode", {}).get("type", "flexible"), "updated_at": None},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": listed(items, f"/v1/subscription_items?subscription={id}"),
        "latest_invoice": None,
        "livemode": world.livemode,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"},
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "status": "trialing" if trial_end else "incomplete" if automatic else "active",
        "test_clock": customer.get("test_clock"),
        "transfer_data": None,
        "trial_end": int(trial_end) if trial_end else None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": now if trial_end else None,
    }
    subscription_changes.assign_new(world, subscription, given)
    subscription["metadata"] = merged({}, given.get("metadata"))
    world.insert(subscription)
    subscription_items.put(world, subscription, items)
    subscription["discounts"] = discounts.apply(world, given.get("discounts"), customer=customer["id"], subscription=id)
    world.save(subscription)
    if customer.get("currency") is None:
        customer["currency"] = currency
        world.save(customer)
        world.emit("customer.updated", customer, promised=False)
    return subscription


def _not_cancelled(params: dict) -> tuple[str, list] | None:
    status = params.get("status")
    if status == "all":
        return None
    if status == "ended":
        return "status IN ('canceled', 'incomplete_expired')", []
    return ("status = ?", [status]) if status else ("status != 'canceled'", [])


@route("GET", "/v1/subscriptions", params=stripe.params.SubscriptionListParams, permission="subscription_read", list_of="subscription")
def list_subscriptions(call: Call) -> dict:
    where: list[tuple[str, list]] = [hidden] if (hidden := test_clocks.hidden(call.params)) else []
    if "price" in call.params:
        where.append(
            ("EXISTS (SELECT 1 FROM json_each(body, '$.items.data') WHERE json_extract(value, '$.price.id') = ?)", [call.params["price"]])
        )
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    for name in ("current_period_start", "current_period_end"):
        wanted = call.params.get(name)
        for bound, moment in wanted.items() if isinstance(wanted, dict) else [("", wanted)] if wanted is not None else []:
            where.append((f"json_extract(body, '$.items.data[0].{name}') {signs.get(bound, '=')} ?", [moment]))
    return page(
        call,
        "subscription",
        filters={"customer": "customer", "collection_method": "collection_method", "test_clock": "test_clock"},
        default=_not_cancelled,
        where=where,
    )


@route("GET", "/v1/subscriptions/{id}", params=stripe.params.SubscriptionRetrieveParams, permission="subscription_read")
def retrieve(call: Call) -> dict:
    return call.world.require("subscription", call.path["id"])


@route("POST", "/v1/subscriptions/{id}", params=stripe.params.SubscriptionUpdateParams, permission="subscription_write")
def modify(call: Call) -> dict:
    subscription = call.world.require("subscription", call.path["id"])
    after = subscription_changes.change(call.world, subscription, call.params)
    billing_clock.watch(call.world, after)
    return after


@route("DELETE", "/v1/subscriptions/{id}", params=stripe.params.SubscriptionCancelParams, permission="subscription_write")
def cancel(call: Call) -> dict:
    world, given = call.world, call.params
    subscription = world.require("subscription", call.path["id"])
    if subscription["status"] in ENDED:
        raise not_found("subscription", subscription["id"])
    if given.get("prorate") and subscription["status"] in ("active", "past_due"):
        subscription_billing.prorate(world, subscription, subscription["items"]["data"], [])
    if given.get("invoice_now") and any(item for item in invoice_items.pending(world, subscription["customer"], subscription["currency"])):
        invoice = subscription_billing.bill(world, subscription, reason="subscription_update", with_period=False)
        subscription_billing.settle(world, subscription, invoice)
        subscription = world.require("subscription", subscription["id"])
    subscription_changes.note_reason(subscription, given.get("cancellation_details"))
    return subscription_changes.end(world, subscription, "cancellation_requested")


@route("POST", "/v1/subscriptions/{id}/resume", params=stripe.params.SubscriptionResumeParams, permission="subscription_write")
def resume(call: Call) -> dict:
    world = call.world
    subscription = world.require("subscription", call.path["id"])
    if subscription["status"] != "paused":
        raise invalid(f"Only paused subscriptions can be resumed. This subscription is {subscription['status']}.", param="id")
    subscription_billing.require_payment_method(world, subscription)
    subscription_changes.start_period(world, subscription, world.clock.now())
    update(world, subscription, "customer.subscription.updated")
    world.emit("customer.subscription.resumed", subscription)
    invoice = subscription_billing.bill(world, subscription, reason="subscription_update")
    subscription_billing.settle(world, subscription, invoice)
    after = world.require("subscription", subscription["id"])
    billing_clock.watch(world, after)
    return after


@route("DELETE", "/v1/subscriptions/{id}/discount", params=stripe.params.SubscriptionDeleteDiscountParams, permission="subscription_write")
def delete_discount(call: Call) -> dict:
    world = call.world
    subscription = world.require("subscription", call.path["id"])
    if not subscription["discounts"]:
        raise not_found("discount", subscription["id"])
    ended = [discounts.remove(world, id) for id in subscription["discounts"]]
    subscription["discounts"] = []
    update(world, subscription, "customer.subscription.updated")
    return ended[-1] or {}

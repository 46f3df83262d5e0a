"""What can be changed on a subscription, and what each change bills."""

from __future__ import annotations

from sandbox.errors import invalid
from sandbox.resources import discounts, subscription_billing, subscription_items
from sandbox.resources.fields import assign, update
from sandbox.resources.subscription_status import ENDED
from sandbox.world import World

DAY = 86_400
WARNING = 3 * DAY
_PLAIN = ("default_payment_method", "default_source", "description", "metadata", "on_behalf_of", "payment_settings", "trial_settings")
_PLAIN += ("pending_invoice_item_interval", "invoice_settings", "application_fee_percent")
_IMMUTABLE = "A canceled subscription can only update its cancellation_details and metadata."


def change(world: World, subscription: dict, given: dict) -> dict:
    """Apply an update's parameters, bill what they bill, announce the change. Answers the subscription as it is then."""
    if subscription["status"] in ENDED:
        frozen = sorted(given.keys() - {"metadata", "cancellation_details"})
        if frozen:
            raise invalid(_IMMUTABLE, param=frozen[0], code="invalid_canceled_subscription_fields")
    before = [dict(item) for item in subscription["items"]["data"]]
    assign(subscription, given, *_PLAIN)
    _terms(subscription, given)
    _ending(world, subscription, given)
    note_reason(subscription, given.get("cancellation_details"))
    if "pause_collection" in given:
        pause = given["pause_collection"]
        subscription["pause_collection"] = {"behavior": pause["behavior"], "resumes_at": pause.get("resumes_at")} if pause else None
    if "discounts" in given:
        kept = {entry.get("discount") for entry in given["discounts"] or [] if isinstance(entry, dict)}
        for id in subscription["discounts"]:
            if id not in kept:
                discounts.remove(world, id)
        subscription["discounts"] = discounts.apply(
            world, given["discounts"], customer=subscription["customer"], subscription=subscription["id"]
        )
    bill_now = _items(world, subscription, given, before) if "items" in given else False
    trial_over = "trial_end" in given and _trial(world, subscription, given["trial_end"])
    update(world, subscription, "customer.subscription.updated")
    if subscription["status"] == "paused":
        world.emit("customer.subscription.paused", subscription)
    elif subscription["status"] in ("active", "past_due") and (bill_now or trial_over):
        invoice = subscription_billing.bill(
            world, subscription, reason="subscription_update" if bill_now else "subscription_cycle", with_period=bill_now != "prorations"
        )
        update(world, subscription, "customer.subscription.updated")
        error = subscription_billing.settle(world, subscription, invoice)
        if error is not None and given.get("payment_behavior") == "error_if_incomplete":
            error.keep = False
            raise error
    return world.require("subscription", subscription["id"])


def assign_new(world: World, subscription: dict, given: dict) -> None:
    """The parameters of a creation that are fields like any other."""
    assign(subscription, given, *_PLAIN)
    if given.get("default_payment_method"):
        world.require("payment_method", given["default_payment_method"], param="default_payment_method")
    settings = {"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"}
    subscription["payment_settings"] = {**settings, **(given.get("payment_settings") or {})}
    _terms(subscription, given)
    _ending(world, subscription, given)


def _terms(subscription: dict, given: dict) -> None:
    method = given.get("collection_method", subscription["collection_method"])
    if method == "send_invoice":
        days = given.get("days_until_due", subscription["days_until_due"])
        if days is None:
            raise invalid("You must specify `days_until_due` if `collection_method` is `send_invoice`.", param="days_until_due")
        subscription["days_until_due"] = days
    elif given.get("days_until_due") is not None:
        raise invalid("`days_until_due` may only be set if `collection_method` is `send_invoice`.", param="days_until_due")
    else:
        subscription["days_until_due"] = None
    subscription["collection_method"] = method


def note_reason(subscription: dict, given: dict | None) -> None:
    for name in ("comment", "feedback"):
        if given and name in given:
            subscription["cancellation_details"][name] = given[name] or None


def _ending(world: World, subscription: dict, given: dict) -> None:
    """`cancel_at_period_end` and `cancel_at`; clearing them while the subscription still runs takes the cancellation back."""
    now = world.clock.now()
    if given.get("cancel_at_period_end") and given.get("cancel_at"):
        raise invalid("You cannot set both `cancel_at_period_end` and `cancel_at`.", param="cancel_at")
    moment = given.get("cancel_at")
    if moment in ("min_period_end", "max_period_end"):
        ends = [item["current_period_end"] for item in subscription["items"]["data"]]
        moment = min(ends) if moment == "min_period_end" else max(ends)
    if given.get("cancel_at_period_end"):
        ending = {"cancel_at": subscription_items.period_of(subscription)[1], "cancel_at_period_end": True}
    elif moment:
        if moment <= now:
            raise invalid("The cancel_at timestamp must be in the future.", param="cancel_at")
        ending = {"cancel_at": moment, "cancel_at_period_end": False}
    elif "cancel_at" in given or "cancel_at_period_end" in given:
        subscription |= {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None}
        subscription["cancellation_details"]["reason"] = None
        return
    else:
        return
    subscription |= {**ending, "canceled_at": subscription["canceled_at"] or now}
    subscription["cancellation_details"]["reason"] = "cancellation_requested"


def _items(world: World, subscription: dict, given: dict, before: list[dict]) -> str | bool:
    """Apply item changes; answers whether to bill now: `period`, `prorations` or not at all."""
    now = world.clock.now()
    items = {item["id"]: item for item in subscription["items"]["data"]}
    start, end = subscription_items.period_of(subscription)
    for position, wanted in enumerate(given["items"]):
        at = f"items[{position}]"
        if not wanted.get("id"):
            price = subscription_items.price_of(world, wanted, at)
            item = subscription_items.build(
                world, subscription["id"], price, wanted, start=start, end=end, customer=subscription["customer"]
            )
            items[item["id"]] = item
            continue
        item = items.get(wanted["id"])
        if item is None:
            raise invalid(f"No such subscription item: '{wanted['id']}'", param=f"{at}[id]", code="resource_missing")
        if wanted.get("deleted"):
            del items[item["id"]]
            continue
        item = {**item}
        if {"price", "plan", "price_data"} & wanted.keys():
            item["price"] = subscription_items.price_of(world, wanted, at)
            item["plan"] = subscription_items.plans.from_price(item["price"])
        item["quantity"] = wanted.get("quantity", item["quantity"])
        assign(item, wanted, "metadata")
        if "discounts" in wanted:
            item["discounts"] = discounts.apply(world, wanted["discounts"], customer=subscription["customer"], subscription_item=item["id"])
        items[item["id"]] = item
    after = list(items.values())
    if not after:
        raise invalid("A subscription must have at least one active item.", param="items")
    check(after, subscription["currency"])
    behavior = given.get("proration_behavior", "create_prorations")
    running = subscription["status"] in ("active", "past_due")
    restart = running and _interval(after[0]) != _interval(before[0])
    if running and behavior != "none":
        subscription_billing.prorate(world, subscription, before, [] if restart else after, moment=given.get("proration_date"))
    if restart:
        subscription["billing_cycle_anchor"] = now
        for item in after:
            item |= {"current_period_start": now, "current_period_end": subscription_items.period_end(now, now, item["price"]["recurring"])}
    subscription_items.put(world, subscription, after)
    if restart:
        return "period"
    return "prorations" if running and behavior == "always_invoice" else False


def check(items: list[dict], currency: str) -> None:
    """All items of one subscription share a currency and an interval."""
    if any(item["price"]["currency"] != currency for item in items):
        raise invalid("All prices on a subscription must have the same currency.", param="items")
    if len({_interval(item) for item in items}) > 1:
        raise invalid("All prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`.", param="items")
    prices = [item["price"]["id"] for item in items]
    for price in prices:
        if prices.count(price) > 1:
            raise invalid(f"Cannot add multiple subscription items with the same plan: {price}", param="items")


def _interval(item: dict) -> tuple[str, int]:
    return item["price"]["recurring"]["interval"], item["price"]["recurring"]["interval_count"]


def _trial(world: World, subscription: dict, trial_end: int | str) -> bool:
    """Move the end of the trial; answers whether it is over now and the first period is to be billed."""
    now = world.clock.now()
    if trial_end == "now" or int(trial_end) <= now:
        if trial_end != "now":
            raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
        if subscription["status"] != "trialing":
            return False
        return end_trial(world, subscription, now)
    subscription |= {"trial_start": subscription["trial_start"] or now, "trial_end": int(trial_end), "status": "trialing"}
    subscription["billing_cycle_anchor"] = int(trial_end)
    items = [{**item, "current_period_end": int(trial_end)} for item in subscription["items"]["data"]]
    subscription_items.put(world, subscription, items)
    return False


def end_trial(world: World, subscription: dict, moment: int) -> bool:
    """Start the first paid period, or pause or cancel as the trial's settings say when there is no way to pay."""
    customer = world.require("customer", subscription["customer"])
    subscription["trial_end"] = min(moment, subscription["trial_end"] or moment)
    without = subscription_billing.collection.default_method(world, customer, subscription) is None
    behavior = ((subscription["trial_settings"] or {}).get("end_behavior") or {}).get("missing_payment_method", "create_invoice")
    if without and subscription["collection_method"] == "charge_automatically" and behavior != "create_invoice":
        if behavior == "pause":
            subscription["status"] = "paused"
        else:
            subscription |= {"status": "canceled", "canceled_at": moment, "ended_at": moment}
        return False
    start_period(world, subscription, moment)
    return True


def start_period(world: World, subscription: dict, moment: int) -> None:
    """The first period after a trial or a pause begins now, and so does the grid of all later ones."""
    subscription |= {"status": "active", "billing_cycle_anchor": moment}
    items = []
    for item in subscription["items"]["data"]:
        end = subscription_items.period_end(moment, moment, item["price"]["recurring"])
        items.append({**item, "current_period_start": moment, "current_period_end": end})
    subscription_items.put(world, subscription, items)


def end(world: World, subscription: dict, reason: str | None) -> dict:
    """Cancel now. Drafts and open invoices of the subscription are no longer collected by themselves."""
    now = world.clock.now()
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or now,
        "ended_at": now,
        "cancel_at_period_end": False,
    }
    subscription["cancellation_details"]["reason"] = reason
    world.save(subscription)
    for invoice in world.find("invoice", subscription=subscription["id"]):
        if invoice["status"] in ("draft", "open") and invoice["auto_advance"]:
            invoice |= {"auto_advance": False, "next_payment_attempt": None, "automatically_finalizes_at": None}
            update(world, invoice, "invoice.updated")
    world.emit("customer.subscription.deleted", subscription)
    return subscription


def end_all(world: World, customer: str) -> None:
    """A deleted customer's subscriptions end at once."""
    for subscription in world.find("subscription", customer=customer):
        if subscription["status"] not in ENDED:
            end(world, subscription, "cancellation_requested")

"""Subscription items: one price and its quantity on a subscription, with the period that is billed."""

from __future__ import annotations

from datetime import UTC, datetime

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import listed, sliced
from sandbox.metadata import merged
from sandbox.resources import discounts, plans, prices
from sandbox.route import Call, route
from sandbox.world import World

_DAYS = {"day": 1, "week": 7}


def period_end(anchor: int, start: int, recurring: dict) -> int:
    """The first boundary after `start` on the grid of intervals that begins at `anchor`."""
    count = recurring["interval_count"]
    if recurring["interval"] in _DAYS:
        step = _DAYS[recurring["interval"]] * count * 86_400
        return anchor + ((start - anchor) // step + 1) * step
    months = count * (12 if recurring["interval"] == "year" else 1)
    first, now = datetime.fromtimestamp(anchor, UTC), datetime.fromtimestamp(start, UTC)
    passed = max(0, ((now.year - first.year) * 12 + now.month - first.month) // months - 1)
    while (end := discounts.add_months(anchor, passed * months)) <= start:
        passed += 1
    return end


def period_of(subscription: dict) -> tuple[int, int]:
    """Start and end of the current period, over all items."""
    items = subscription["items"]["data"]
    return min(item["current_period_start"] for item in items), max(item["current_period_end"] for item in items)


def price_of(world: World, given: dict, at: str) -> dict:
    """The recurring price that an item's parameters name."""
    if "price_data" in given:
        price = prices.from_data(world, given["price_data"])
    elif given.get("price"):
        price = world.require("price", given["price"], param=f"{at}[price]")
        if not price["active"]:
            raise invalid(f"The price specified is inactive. This field only accepts active prices. ({price['id']})", param=f"{at}[price]")
    elif given.get("plan"):
        price = _price_of_plan(world, given["plan"], f"{at}[plan]")
    else:
        raise missing(f"{at}[price]")
    if not price["recurring"]:
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.", param=f"{at}[price]"
        )
    return price


def _price_of_plan(world: World, id: str, param: str) -> dict:
    """A plan is a price in the older form; items can name either."""
    if price := world.get("price", id):
        return price
    plan = world.require("plan", id, param=param)
    recurring = {key: plan[key] for key in ("interval", "interval_count", "meter", "trial_period_days", "usage_type")}
    shared = {
        key: plan[key] for key in ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    }
    return {
        **shared,
        "object": "price",
        "custom_unit_amount": None,
        "lookup_key": None,
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": plan["transform_usage"],
        "type": "recurring",
        "unit_amount": plan["amount"],
        "unit_amount_decimal": plan["amount_decimal"],
    }


def build(world: World, subscription_id: str, price: dict, given: dict, *, start: int, end: int, customer: str) -> dict:
    id = world.new_id("si")
    return {
        "id": id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": world.clock.now(),
        "current_period_end": end,
        "current_period_start": start,
        "discounts": discounts.apply(world, given.get("discounts"), customer=customer, subscription_item=id),
        "metadata": merged({}, given.get("metadata")),
        "plan": plans.from_price(price),
        "price": price,
        "quantity": given.get("quantity", 1),
        "subscription": subscription_id,
        "tax_rates": [],
    }


def put(world: World, subscription: dict, items: list[dict]) -> None:
    """Make `items` the items of a stored subscription, also where items are kept on their own."""
    ids = {item["id"] for item in items}
    for old in world.find("subscription_item", subscription=subscription["id"]):
        if old["id"] not in ids:
            world.delete("subscription_item", old["id"])
    for item in items:
        if world.get("subscription_item", item["id"]):
            world.save(item)
        else:
            world.insert(item)
    subscription["items"] = listed(items, f"/v1/subscription_items?subscription={subscription['id']}")


def describe(world: World, item: dict) -> str:
    """`2 × Pro (at 20.00 usd / month)`: what a line says it bills."""
    price = item["price"]
    product = world.get("product", price["product"] or "") or {}
    return f"{item['quantity']} × {product.get('name') or price['id']} (at {price['unit_amount']} {price['currency']} / {price['recurring']['interval']})"


@route(
    "GET",
    "/v1/subscription_items",
    params=stripe.params.SubscriptionItemListParams,
    permission="subscription_read",
    list_of="subscription_item",
)
def list_items(call: Call) -> dict:
    subscription = call.world.require("subscription", call.params["subscription"], param="subscription")
    return sliced(call, subscription["items"]["data"])


@route("GET", "/v1/subscription_items/{id}", params=stripe.params.SubscriptionItemRetrieveParams, permission="subscription_read")
def retrieve(call: Call) -> dict:
    return call.world.require("subscription_item", call.path["id"])


@route("POST", "/v1/subscription_items", params=stripe.params.SubscriptionItemCreateParams, permission="subscription_write")
def create(call: Call) -> dict:
    from sandbox.resources import subscription_changes

    given = dict(call.params)
    subscription = call.world.require("subscription", given.pop("subscription"), param="subscription")
    known = {item["id"] for item in subscription["items"]["data"]}
    own = {key: given.pop(key) for key in ("proration_behavior", "proration_date", "payment_behavior") if key in given}
    after = subscription_changes.change(call.world, subscription, {"items": [given], **own})
    return next(item for item in after["items"]["data"] if item["id"] not in known)


@route("POST", "/v1/subscription_items/{id}", params=stripe.params.SubscriptionItemUpdateParams, permission="subscription_write")
def modify(call: Call) -> dict:
    from sandbox.resources import subscription_changes

    given = dict(call.params)
    item = call.world.require("subscription_item", call.path["id"])
    subscription = call.world.require("subscription", item["subscription"])
    own = {key: given.pop(key) for key in ("proration_behavior", "proration_date", "payment_behavior") if key in given}
    subscription_changes.change(call.world, subscription, {"items": [{"id": item["id"], **given}], **own})
    return call.world.require("subscription_item", item["id"])


@route("DELETE", "/v1/subscription_items/{id}", params=stripe.params.SubscriptionItemDeleteParams, permission="subscription_write")
def delete(call: Call) -> dict:
    from sandbox.resources import subscription_changes

    given = dict(call.params)
    item = call.world.require("subscription_item", call.path["id"])
    subscription = call.world.require("subscription", item["subscription"])
    given.pop("clear_usage", None)
    subscription_changes.change(call.world, subscription, {"items": [{"id": item["id"], "deleted": True}], **given})
    return {"id": item["id"], "object": "subscription_item", "deleted": True}

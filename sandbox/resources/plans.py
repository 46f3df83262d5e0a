"""Plans: the older form of a recurring price, still embedded in every subscription item."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import products
from sandbox.resources.fields import assign, decimal_string, update
from sandbox.route import Call, route


def from_price(price: dict) -> dict:
    """The plan that shows a recurring price in the older form."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": price["livemode"],
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


@route("POST", "/v1/plans", params=stripe.params.PlanCreateParams, permission="plan_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    if given.get("billing_scheme") == "tiered":
        raise invalid("Tiered plans are not part of this sandbox.", param="billing_scheme")
    amount = given.get("amount", given.get("amount_decimal"))
    if amount is None:
        raise missing("amount")
    product = given.get("product")
    if isinstance(product, dict):
        product = products.build(world, product)["id"]
    elif product:
        world.require("product", product, param="product")
    plan = {
        "id": world.chosen_id("plan", given.get("id")) or world.new_id("plan"),
        "object": "plan",
        "active": given.get("active", True),
        "amount": given.get("amount"),
        "amount_decimal": decimal_string(amount),
        "billing_scheme": "per_unit",
        "created": world.clock.now(),
        "currency": given["currency"].lower(),
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "livemode": world.livemode,
        "metadata": merged({}, given.get("metadata")),
        "meter": given.get("meter"),
        "nickname": given.get("nickname"),
        "product": product,
        "tiers_mode": None,
        "transform_usage": given.get("transform_usage"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type", "licensed"),
    }
    world.insert(plan)
    world.emit("plan.created", plan)
    return plan


@route("GET", "/v1/plans", params=stripe.params.PlanListParams, permission="plan_read", list_of="plan")
def list_plans(call: Call) -> dict:
    return page(call, "plan", filters={"active": "active", "product": "product"})


@route("GET", "/v1/plans/{id}", params=stripe.params.PlanRetrieveParams, permission="plan_read")
def retrieve(call: Call) -> dict:
    return call.world.require("plan", call.path["id"])


@route("POST", "/v1/plans/{id}", params=stripe.params.PlanUpdateParams, permission="plan_write")
def modify(call: Call) -> dict:
    plan = call.world.require("plan", call.path["id"])
    assign(plan, call.params, "active", "metadata", "nickname", "product", "trial_period_days")
    return update(call.world, plan, "plan.updated")


@route("DELETE", "/v1/plans/{id}", params=stripe.params.PlanDeleteParams, permission="plan_write")
def delete(call: Call) -> dict:
    plan = call.world.require("plan", call.path["id"])
    gone = call.world.delete("plan", plan["id"])
    call.world.emit("plan.deleted", plan)
    return gone

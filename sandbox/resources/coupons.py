"""Coupons: how much is taken off, for how long and how often."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route
from sandbox.world import World


def check_definition(given: dict) -> None:
    """Exactly one of a percentage and an amount; an amount has a currency; `repeating` has a number of months."""
    percent, amount = given.get("percent_off"), given.get("amount_off")
    if (percent is None) == (amount is None):
        raise invalid("Must provide percent_off or amount_off, but not both.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise invalid("Invalid percent_off: must be a number greater than 0 and at most 100.", param="percent_off")
    if amount is not None and amount < 1:
        raise invalid("Invalid positive integer", param="amount_off", code="parameter_invalid_integer")
    if amount is not None and not given.get("currency"):
        raise missing("currency")
    if given.get("duration") == "repeating" and not given.get("duration_in_months"):
        raise missing("duration_in_months")


def is_valid(coupon: dict, now: int) -> bool:
    spent = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    expired = coupon["redeem_by"] is not None and coupon["redeem_by"] < now
    return not spent and not expired


def redeem(world: World, coupon: dict) -> None:
    """Count one use. Stripe sends no event for it."""
    coupon["times_redeemed"] += 1
    coupon["valid"] = is_valid(coupon, world.clock.now())
    world.save(coupon)


@route("POST", "/v1/coupons", params=stripe.params.CouponCreateParams, permission="coupon_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    check_definition(given)
    if given.get("id") and world.get("coupon", given["id"]):
        raise invalid("Coupon already exists.", param="id", code="resource_already_exists")
    if given.get("redeem_by") is not None and given["redeem_by"] <= world.clock.now():
        raise invalid("redeem_by must be in the future.", param="redeem_by")
    coupon = {
        "id": given.get("id") or world.ids.letters(8),
        "object": "coupon",
        "amount_off": given.get("amount_off"),
        "created": world.clock.now(),
        "currency": given["currency"].lower() if given.get("amount_off") else None,
        "duration": given.get("duration", "once"),
        "duration_in_months": given.get("duration_in_months"),
        "livemode": world.livemode,
        "max_redemptions": given.get("max_redemptions"),
        "metadata": merged({}, given.get("metadata")),
        "name": given.get("name"),
        "percent_off": given.get("percent_off"),
        "redeem_by": given.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    if given.get("applies_to"):
        coupon["applies_to"] = {"products": given["applies_to"].get("products", [])}
    world.insert(coupon)
    world.emit("coupon.created", coupon)
    return coupon


@route("GET", "/v1/coupons", params=stripe.params.CouponListParams, permission="coupon_read", list_of="coupon")
def list_coupons(call: Call) -> dict:
    return page(call, "coupon", filters={})


@route("GET", "/v1/coupons/{id}", params=stripe.params.CouponRetrieveParams, permission="coupon_read")
def retrieve(call: Call) -> dict:
    return call.world.require("coupon", call.path["id"])


@route("POST", "/v1/coupons/{id}", params=stripe.params.CouponUpdateParams, permission="coupon_write")
def modify(call: Call) -> dict:
    coupon = call.world.require("coupon", call.path["id"])
    assign(coupon, call.params, "metadata", "name")
    return update(call.world, coupon, "coupon.updated")


@route("DELETE", "/v1/coupons/{id}", params=stripe.params.CouponDeleteParams, permission="coupon_write")
def delete(call: Call) -> dict:
    coupon = call.world.require("coupon", call.path["id"])
    gone = call.world.delete("coupon", coupon["id"])
    call.world.emit("coupon.deleted", {**coupon, "valid": False})
    return gone

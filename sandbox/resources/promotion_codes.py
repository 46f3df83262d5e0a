"""Promotion codes: what a customer types to get a coupon."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import coupons
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route


def is_usable(code: dict, coupon: dict, now: int) -> bool:
    spent = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    expired = code["expires_at"] is not None and code["expires_at"] < now
    return code["active"] and coupons.is_valid(coupon, now) and not spent and not expired


@route("POST", "/v1/promotion_codes", params=stripe.params.PromotionCodeCreateParams, permission="promotion_code_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    coupon_id = given.get("promotion", {}).get("coupon")
    if not coupon_id:
        raise missing("promotion[coupon]")
    coupon = world.require("coupon", coupon_id, param="promotion[coupon]")
    if given.get("customer"):
        world.require("customer", given["customer"], param="customer")
    code = (given.get("code") or world.ids.letters(8)).upper()
    if any(other["code"].upper() == code for other in world.find("promotion_code", active=True)):
        raise invalid(f"An active promotion code with `code: {code}` already exists.", param="code", code="resource_already_exists")
    restrictions = given.get("restrictions", {})
    promotion_code = {
        "id": world.new_id("promo"),
        "object": "promotion_code",
        "active": given.get("active", True) and coupons.is_valid(coupon, world.clock.now()),
        "code": given.get("code") or code,
        "created": world.clock.now(),
        "customer": given.get("customer"),
        "customer_account": None,
        "expires_at": given.get("expires_at"),
        "livemode": world.livemode,
        "max_redemptions": given.get("max_redemptions"),
        "metadata": merged({}, given.get("metadata")),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.get("first_time_transaction", False),
            "minimum_amount": restrictions.get("minimum_amount"),
            "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    world.insert(promotion_code)
    world.emit("promotion_code.created", promotion_code)
    return promotion_code


@route(
    "GET",
    "/v1/promotion_codes",
    params=stripe.params.PromotionCodeListParams,
    permission="promotion_code_read",
    list_of="promotion_code",
)
def list_promotion_codes(call: Call) -> dict:
    return page(call, "promotion_code", filters={"active": "active", "code": "code", "coupon": "promotion.coupon", "customer": "customer"})


@route("GET", "/v1/promotion_codes/{id}", params=stripe.params.PromotionCodeRetrieveParams, permission="promotion_code_read")
def retrieve(call: Call) -> dict:
    return call.world.require("promotion_code", call.path["id"])


@route("POST", "/v1/promotion_codes/{id}", params=stripe.params.PromotionCodeUpdateParams, permission="promotion_code_write")
def modify(call: Call) -> dict:
    world = call.world
    code = world.require("promotion_code", call.path["id"])
    if call.params.get("active"):
        coupon = world.get("coupon", code["promotion"]["coupon"])
        if coupon is None or not is_usable({**code, "active": True}, coupon, world.clock.now()):
            raise invalid("This promotion code cannot be activated: its coupon or the code itself is no longer valid.", param="active")
    assign(code, call.params, "active", "metadata")
    return update(world, code, "promotion_code.updated")

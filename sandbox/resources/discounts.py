"""Discounts: a coupon applied to a customer, a subscription, an invoice or one of its lines."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.errors import invalid
from sandbox.resources import coupons, promotion_codes
from sandbox.resources.fields import minor_units
from sandbox.world import World


def add_months(moment: int, months: int) -> int:
    """The same time of day `months` later, on the month's last day where the day does not exist."""
    start = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def apply(world: World, given: list[dict] | str | None, *, customer: str | None, at: str = "discounts", **target: str | None) -> list[str]:
    """Turn a `discounts` parameter into discount ids. `target` names the subscription, invoice, invoice_item or subscription_item."""
    ids = []
    for position, item in enumerate(given or []):
        if not isinstance(item, dict):
            continue
        param = f"{at}[{position}]"
        if item.get("discount"):
            ids.append(world.require("discount", item["discount"], param=f"{param}[discount]")["id"])
        elif item.get("promotion_code"):
            code = world.require("promotion_code", item["promotion_code"], param=f"{param}[promotion_code]")
            ids.append(_from_code(world, code, customer, f"{param}[promotion_code]", **target)["id"])
        elif item.get("coupon"):
            coupon = world.require("coupon", item["coupon"], param=f"{param}[coupon]")
            ids.append(create(world, coupon, customer=customer, param=f"{param}[coupon]", **target)["id"])
    return ids


def _from_code(world: World, code: dict, customer: str | None, param: str, **target: str | None) -> dict:
    coupon = world.require("coupon", code["promotion"]["coupon"], param=param)
    if not promotion_codes.is_usable(code, coupon, world.clock.now()):
        raise invalid("This promotion code cannot be redeemed because it is no longer active.", param=param, code="promotion_code_inactive")
    if code["customer"] and code["customer"] != customer:
        raise invalid(
            "This promotion code cannot be redeemed because the associated customer does not match.",
            param=param,
            code="promotion_code_customer_mismatch",
        )
    code["times_redeemed"] += 1
    if code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]:
        code["active"] = False
    world.save(code)
    return create(world, coupon, customer=customer, promotion_code=code["id"], param=param, **target)


def create(
    world: World,
    coupon: dict,
    *,
    customer: str | None,
    promotion_code: str | None = None,
    param: str = "discounts",
    subscription: str | None = None,
    subscription_item: str | None = None,
    invoice: str | None = None,
    invoice_item: str | None = None,
) -> dict:
    """Redeem a coupon. The discount is announced where it hangs on a customer or a subscription."""
    now = world.clock.now()
    if not coupons.is_valid(coupon, now):
        raise invalid(f"Coupon {coupon['id']} is expired or used up and cannot be applied.", param=param, code="coupon_expired")
    coupons.redeem(world, coupon)
    months = coupon["duration_in_months"]
    discount = {
        "id": world.new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "customer_account": None,
        "end": add_months(now, months) if coupon["duration"] == "repeating" and months else None,
        "invoice": invoice,
        "invoice_item": invoice_item,
        "promotion_code": promotion_code,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": now,
        "subscription": subscription,
        "subscription_item": subscription_item,
    }
    # A coupon that is deleted later keeps its discounts alive, so its terms stay with each of them.
    world.insert(discount, private={"coupon": coupon})
    if not (invoice or invoice_item):
        world.emit("customer.discount.created", discount)
    return discount


def remove(world: World, discount_id: str) -> dict | None:
    """End a discount; what it already took off stays."""
    discount = world.get("discount", discount_id)
    if discount is None:
        return None
    world.delete("discount", discount_id)
    world.emit("customer.discount.deleted", {**discount, "end": world.clock.now()})
    return {**discount, "deleted": True}


def terms(world: World, discount_id: str) -> dict:
    """The coupon as it was when it was redeemed."""
    return world.private("discount", discount_id).get("coupon") or {}


def amount_off(coupon: dict, amount: int, currency: str) -> int:
    """What a coupon takes off `amount`, never more than all of it."""
    if amount <= 0 or not coupon:
        return 0
    if coupon["percent_off"] is not None:
        return min(amount, minor_units(Decimal(amount) * Decimal(str(coupon["percent_off"])) / 100, currency))
    return min(amount, coupon["amount_off"]) if coupon["currency"] == currency else 0


def running(world: World, ids: list[str], now: int) -> list[str]:
    """The discounts that still apply: `once` ones until an invoice used them, `repeating` ones until their end."""
    alive = []
    for id in ids:
        discount = world.get("discount", id)
        if discount is None or (discount["end"] is not None and discount["end"] <= now):
            continue
        if terms(world, id).get("duration") == "once" and world.private("discount", id).get("used"):
            continue
        alive.append(id)
    return alive


def mark_used(world: World, ids: list[str]) -> None:
    for id in ids:
        world.set_private("discount", id, {**world.private("discount", id), "used": True})

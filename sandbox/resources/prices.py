"""Prices: how much a product costs and how often, flat or in tiers, also in other currencies."""

from __future__ import annotations

from decimal import Decimal

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.expand import on_expand
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import price_tiers
from sandbox.resources.fields import assign, decimal_string, minor_units, update
from sandbox.route import Call, route
from sandbox.world import World


def build(world: World, params: dict, *, inline: bool = False) -> dict:
    """Make a price; an `inline` one comes from `price_data` and is born inactive, as Stripe does it."""
    amount, exact = params.get("unit_amount"), params.get("unit_amount_decimal")
    tiers = price_tiers.asked(params)
    if amount is None and exact is None and "custom_unit_amount" not in params and not tiers:
        raise missing("unit_amount")
    if "product_data" in params:
        from sandbox.resources import products

        product = products.build(world, params["product_data"])["id"]
    elif "product" in params:
        product = world.require("product", params["product"], param="product")["id"]
    else:
        raise missing("product")
    recurring = params.get("recurring")
    lookup_key = params.get("lookup_key")
    price = {
        "id": world.chosen_id("price", params.get("id")) or world.new_id("price"),
        "object": "price",
        "active": params.get("active", not inline),
        "billing_scheme": "tiered" if tiers else "per_unit",
        "created": world.clock.now(),
        "currency": params["currency"].lower(),
        "custom_unit_amount": _custom(params.get("custom_unit_amount")),
        "livemode": world.livemode,
        "lookup_key": lookup_key,
        "metadata": merged({}, params.get("metadata")),
        "nickname": params.get("nickname"),
        "product": product,
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params["tiers_mode"] if tiers else None,
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount if amount is not None else _whole(exact),
        "unit_amount_decimal": decimal_string(exact if exact is not None else amount),
    }
    if lookup_key:
        _claim_lookup_key(world, lookup_key, transfer=bool(params.get("transfer_lookup_key")))
    more = {"tiers": tiers, "currency_options": price_tiers.options(price, tiers, params.get("currency_options") or {})}
    world.insert(price, private={name: value for name, value in more.items() if value})
    world.emit("price.created", price)
    return price


def from_data(world: World, data: dict) -> dict:
    """The price that an inline `price_data` describes."""
    return build(world, data, inline=True)


def line_amount(world: World, price: dict, quantity: int) -> int:
    """What `quantity` units cost in minor units, half a unit rounded up."""
    if price["billing_scheme"] == "tiered":
        tiers = world.private("price", price["id"]).get("tiers", [])
        return minor_units(price_tiers.total(tiers, price["tiers_mode"], quantity), price["currency"])
    if price["unit_amount_decimal"] is None:
        return 0
    units = Decimal(quantity)
    if transform := price.get("transform_quantity"):
        whole, rest = divmod(quantity, transform["divide_by"])
        units = Decimal(whole + (1 if rest and transform["round"] == "up" else 0))
    return minor_units(Decimal(price["unit_amount_decimal"]) * units, price["currency"])


def _whole(exact: Decimal | str | None) -> int | None:
    if exact is None or Decimal(exact) != int(Decimal(exact)):
        return None
    return int(Decimal(exact))


def _recurring(given: dict) -> dict:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type", "licensed"),
    }


def _custom(given: dict | None) -> dict | None:
    if not given:
        return None
    return {"maximum": given.get("maximum"), "minimum": given.get("minimum"), "preset": given.get("preset")}


def _claim_lookup_key(world: World, key: str, *, transfer: bool) -> None:
    holders = world.find("price", lookup_key=key)
    if holders and not transfer:
        raise invalid(f"A price (`{holders[0]['id']}`) already uses that lookup key.", param="lookup_key")
    for holder in holders:
        holder["lookup_key"] = None
        update(world, holder, "price.updated")


@route("POST", "/v1/prices", params=stripe.params.PriceCreateParams, permission="plan_write", extra={"id": str})
def create(call: Call) -> dict:
    return build(call.world, call.params)


@route("GET", "/v1/prices", params=stripe.params.PriceListParams, permission="plan_read", list_of="price")
def list_prices(call: Call) -> dict:
    filters = {"active": "active", "currency": "currency", "product": "product", "type": "type", "lookup_keys": "lookup_key"}
    return page(call, "price", filters=filters)


@route("GET", "/v1/prices/{id}", params=stripe.params.PriceRetrieveParams, permission="plan_read")
def retrieve(call: Call) -> dict:
    return call.world.require("price", call.path["id"])


@on_expand("price", "tiers")
def _tiers(world: World, price: dict) -> list | None:
    return world.private("price", price["id"]).get("tiers")


@on_expand("price", "currency_options")
def _currency_options(world: World, price: dict) -> dict | None:
    return world.private("price", price["id"]).get("currency_options")


@route("POST", "/v1/prices/{id}", params=stripe.params.PriceUpdateParams, permission="plan_write")
def modify(call: Call) -> dict:
    price = call.world.require("price", call.path["id"])
    key = call.params.get("lookup_key")
    if key and key != price["lookup_key"]:
        _claim_lookup_key(call.world, key, transfer=bool(call.params.get("transfer_lookup_key")))
    if "currency_options" in call.params:
        raise invalid("This sandbox sets currency_options when a price is made.", param="currency_options")
    assign(price, call.params, "active", "lookup_key", "metadata", "nickname", "tax_behavior")
    return update(call.world, price, "price.updated")

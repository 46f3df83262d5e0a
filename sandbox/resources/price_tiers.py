"""Prices in tiers, with fractions of a cent, and in other currencies. Both are seen through `expand` alone, as Stripe has it."""

from __future__ import annotations

from decimal import Decimal

from sandbox.amounts import currency_of
from sandbox.errors import invalid, missing
from sandbox.resources.fields import decimal_string


def asked(params: dict) -> list[dict]:
    """The tiers that a request describes, checked: rising, the last one without an end. An empty list for a flat price."""
    given = params.get("tiers") or []
    if (params.get("billing_scheme") == "tiered") != bool(given):
        raise invalid("Tiers and billing_scheme=tiered go together.", param="tiers" if given else "billing_scheme")
    if not given:
        return []
    if not params.get("tiers_mode"):
        raise missing("tiers_mode")
    for name in ("unit_amount", "unit_amount_decimal", "custom_unit_amount", "transform_quantity"):
        if name in params:
            raise invalid(f"You may not give {name} with billing_scheme=tiered.", param=name)
    return read(given, "tiers")


def read(given: list[dict], at: str) -> list[dict]:
    tiers = [_tier(tier, f"{at}[{position}]") for position, tier in enumerate(given)]
    ends = [tier["up_to"] for tier in tiers]
    if ends[-1] is not None or None in ends[:-1] or ends[:-1] != sorted(set(ends[:-1])):
        raise invalid("Each tier ends above the one before it, and the last one has up_to=inf.", param=at)
    return tiers


def _tier(given: dict, at: str) -> dict:
    if not {"unit_amount", "unit_amount_decimal", "flat_amount", "flat_amount_decimal"} & given.keys():
        raise missing(f"{at}[unit_amount]")
    tier: dict = {"up_to": None if given["up_to"] == "inf" else int(given["up_to"])}
    for name in ("flat_amount", "unit_amount"):
        exact = given.get(f"{name}_decimal", given.get(name))
        tier[name] = int(Decimal(exact)) if exact is not None and Decimal(exact) == int(Decimal(exact)) else None
        tier[f"{name}_decimal"] = decimal_string(exact)
    return {name: tier[name] for name in ("flat_amount", "flat_amount_decimal", "unit_amount", "unit_amount_decimal", "up_to")}


def total(tiers: list[dict], mode: str | None, quantity: int) -> Decimal:
    """What `quantity` units cost: all at the price of the tier they reach (`volume`), or each tier's share at its own (`graduated`)."""
    cost, before = Decimal(0), 0
    for tier in tiers:
        end: int = quantity if tier["up_to"] is None else tier["up_to"]
        last = quantity <= end
        share = min(quantity, end) - before
        if mode == "volume":
            share = quantity if last else 0
        if share or (last and not before):
            cost += Decimal(tier["unit_amount_decimal"] or 0) * share + Decimal(tier["flat_amount_decimal"] or 0)
        if last:
            return cost
        before = end
    return cost


def options(price: dict, tiers: list[dict], given: dict) -> dict:
    """`currency_options`: the price's own currency and the others that were given."""
    found = {price["currency"]: _option(price | ({"tiers": tiers} if tiers else {}))}
    for currency, option in given.items():
        at = f"currency_options[{currency}]"
        amount = option.get("unit_amount_decimal", option.get("unit_amount"))
        if amount is None and not option.get("tiers") and not option.get("custom_unit_amount"):
            raise missing(f"{at}[unit_amount]")
        whole = amount is not None and Decimal(amount) == int(Decimal(amount))
        found[currency_of(currency, param=at)] = _option(
            option
            | {
                "unit_amount": int(Decimal(amount)) if amount is not None and whole else None,
                "unit_amount_decimal": decimal_string(amount),
            }
            | ({"tiers": read(option["tiers"], f"{at}[tiers]")} if option.get("tiers") else {})
        )
    return found


def _option(source: dict) -> dict:
    tiers = {"tiers": source["tiers"]} if source.get("tiers") else {}
    return {
        "custom_unit_amount": source.get("custom_unit_amount"),
        "tax_behavior": source.get("tax_behavior", "unspecified"),
        **tiers,
        "unit_amount": source.get("unit_amount"),
        "unit_amount_decimal": source.get("unit_amount_decimal"),
    }

"""What a price charges, in Stripe's fields and in words: free, a fraction of a cent, tiers and a customer's own choice are never the same null."""

from typing import Any

from shared.operations import fields
from shared.operations.parts import Part

KNOWN = frozenset(
    {"day", "week", "month", "year", "graduated", "volume", "up", "down"}
)  # the words of Stripe's that our own sentence repeats


def priced(price: Part, charged_in: str | None) -> dict[str, Any]:
    """The price's facts. `charged_in` is the currency of what it is used in, which may be another one than the price's."""
    recurring = price.part("recurring")
    amount, exact = price.read("unit_amount", fields.number), price.read("unit_amount_decimal", fields.decimal)
    code = price.read("currency", fields.currency)
    if exact is None and amount is not None:
        exact = str(amount)
    shown: dict[str, Any] = {
        "product": price.read("product", fields.id_of),
        "unit_amount": amount,
        "unit_amount_decimal": exact,
        "unit_amount_formatted": fields.formatted_decimal(exact, code),
        "currency": code,
        "billing_scheme": price.read("billing_scheme", fields.word),
        "tiers_mode": price.read("tiers_mode", fields.word),
        "tax_behavior": price.read("tax_behavior", fields.word),
        "usage_type": recurring.read("usage_type", fields.word),
        "interval": recurring.read("interval", fields.word),
        "interval_count": recurring.read("interval_count", fields.number),
    }
    return shown | {"pricing": _words(price, shown, charged_in) if price.there else None}


def _words(price: Part, shown: dict[str, Any], charged_in: str | None) -> str:
    """The same in one line of our own words."""
    code, formatted = shown["currency"], shown["unit_amount_formatted"]
    chooses = price.part("custom_unit_amount")
    if shown["billing_scheme"] == "tiered":
        said = f"in tiers ({_known(shown['tiers_mode']) or 'Stripe does not say which'}): the amount depends on the quantity, no one amount holds for a unit"
    elif formatted is not None:
        said = f"{'free, ' if not shown['unit_amount_decimal'].strip('-0.') else ''}{formatted} for {_unit(price, shown)}"
    elif chooses.there:
        least, most = (fields.formatted(chooses.read(name, fields.number), code) for name in ("minimum", "maximum"))
        said = "the customer chooses the amount" + (f", from {least}" if least else "") + (f", up to {most}" if most else "")
    else:
        said = "Stripe tells no amount of this price here"
    if charged_in and code and charged_in != code:
        said += f"; charged in {charged_in.upper()} instead, {_option(price, charged_in)}"
    return said + _often(shown)


def _unit(price: Part, shown: dict[str, Any]) -> str:
    packs = price.part("transform_quantity")
    size, rounded = packs.read("divide_by", fields.number), packs.read("round", fields.word)
    what = f"every {size:,} units, rounded {_known(rounded) or 'up or down'}" if size else "each unit"
    return f"{what} used, as metered" if shown["usage_type"] == "metered" else what


def _option(price: Part, code: str) -> str:
    """What the price charges in another currency, where Stripe tells it: only where it was asked to."""
    option = price.part("currency_options").part(code)
    amount, exact = option.read("unit_amount", fields.number), option.read("unit_amount_decimal", fields.decimal)
    told = fields.formatted_decimal(exact if exact is not None or amount is None else str(amount), code)
    return told or "at an amount of the price's own for that currency, which is not told here"


def _often(shown: dict[str, Any]) -> str:
    interval, count = _known(shown["interval"]), shown["interval_count"]
    if interval is None:
        return ""
    return f", every {interval}" if count in (None, 1) else f", every {count} {interval}s"


def _known(word: str | None) -> str | None:
    return word if word in KNOWN else None

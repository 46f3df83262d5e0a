"""Ids that people chose are other people's text: which fields hold one, and the exact id in letters that nobody can misuse."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from shared.operations.fields import LONGEST, Odd, expanded

# The fields of each kind that may hold an id that people chose, and the beginnings of those that Stripe draws.
_FIELDS = {"customer": ("id",), "charge": ("customer",), "subscription": ("customer",), "invoice": ("customer",), "refund": ("customer",)}
_DRAWN = ("cus_", "price_", "plan_", "prod_", "sku_")


def chosen(kind: str, value: Mapping[str, Any], shown: dict[str, Any]) -> dict[str, str]:
    """Field → its exact id, percent-encoded as in an address, for the ids that people chose."""
    found: dict[str, str] = {}
    for name in _FIELDS.get(kind, ()):
        _note(found, name, value.get(name))
    if kind == "customer":
        _note(found, "discount.source.coupon", _at(value, "discount", "source", "coupon"), coupon=True)
    if kind == "subscription":
        rows = _at(value, "items", "data")
        for place, row in enumerate(rows[: len(shown.get("items") or ())] if rows.__class__ is list else ()):
            _note(found, f"items[{place}].price", _at(row, "price"))
            _note(found, f"items[{place}].product", _at(row, "price", "product"))
    if kind == "invoice" and shown.get("lines"):
        for place, row in enumerate(_at(value, "lines", "data")[: len(shown["lines"])]):
            _note(found, f"lines[{place}].price", _at(row, "pricing", "price_details", "price"))
    return found


def drawn(id: str) -> bool:
    """Whether an id has the form of those that Stripe draws."""
    head, _, rest = id.partition("_")
    return head + "_" in _DRAWN and rest.isascii() and rest.replace("_", "").isalnum()


def _note(found: dict[str, str], name: str, value: Any, *, coupon: bool = False) -> None:
    try:
        id = expanded(value)
    except Odd:
        return
    if id.__class__ is str and id and not drawn(id) and not (coupon and id.isascii() and id.isalnum()):
        found[name] = quote(id[:LONGEST], safe="")


def _at(value: Any, *path: str) -> Any:
    for name in path:
        if value.__class__ is not dict:
            return None
        value = value.get(name)
    return value

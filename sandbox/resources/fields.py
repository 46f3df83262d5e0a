"""How request parameters change an object's own fields, and how a change is announced."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.amounts import THREE_DECIMAL
from sandbox.metadata import merged
from sandbox.world import World


def assign(obj: dict, params: dict, *names: str) -> None:
    """Copy the named parameters that were sent onto `obj`; an empty string clears the field. `metadata` is merged."""
    for name in names:
        if name not in params:
            continue
        value = params[name]
        if name == "metadata":
            obj["metadata"] = merged(obj.get("metadata"), value)
        else:
            obj[name] = None if value == "" else value


def update(world: World, obj: dict, event: str, *, promised: bool = True) -> dict:
    """Store a changed object and announce it."""
    saved = world.save(obj)
    world.emit(event, saved, promised=promised)
    return saved


def decimal_string(value: Any) -> str | None:
    """Stripe's decimal fields travel as strings without trailing zeros: 1500 -> "1500", 0.50 -> "0.5"."""
    if value is None:
        return None
    text = f"{value:f}" if not isinstance(value, str | int) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def minor_units(value: Decimal, currency: str) -> int:
    """A computed amount as the currency can be charged: whole minor units, half up, and tens of them with three decimals."""
    step = 10 if currency in THREE_DECIMAL else 1
    return int((value / step).quantize(Decimal(1), ROUND_HALF_UP)) * step

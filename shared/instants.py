"""Instants: epoch seconds, and the text that people read beside them."""

from collections.abc import Mapping
from datetime import UTC, datetime


def iso(moment: float) -> str:
    """Epoch seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()[:19] + "Z"


def twins(moments: Mapping[str, float | None]) -> dict[str, int | str | None]:
    """Each moment in whole epoch seconds, and beside it as `<name>_iso`; None for one that has not come."""
    times: dict[str, int | str | None] = {}
    for name, moment in moments.items():
        times |= {name: int(moment), f"{name}_iso": iso(moment)} if moment is not None else {name: None, f"{name}_iso": None}
    return times

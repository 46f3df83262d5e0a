"""Oldest first out of a log that gives its rows newest first: it is walked forward, stretch of time by stretch.

A stretch that holds too much is asked again for its first eighth; one that fitted is followed by one four times as long. So a silent year,
and a crowded second after it, cost some dozens of questions, and what is held at a time is a few times what was asked for.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.stores.protocols import Looked
from shared.stores.tables_keys import first_of, moment

FIRST = 600_000  # milliseconds of the first stretch: what a poller reads is one
LONGER, SHORTER = 4, 8

type Stretch = Callable[[str, str, int | None], Awaitable[Sequence[dict[str, Any]] | None]]


async def walk(stretch: Stretch, *, after: str, until: str, limit: int, first: int = FIRST) -> list[dict[str, Any]]:
    """The first `limit` rows above the id `after`, up to and with `until`, oldest first. `first` is in milliseconds.

    `stretch(low, high, most)` gives all rows with low < id <= high, oldest first, or None where they are far more than `most`. Without
    `most` it gives them all: so it is asked for one millisecond, which cannot be cut and holds what could be written in it.
    """
    found: list[dict[str, Any]] = []
    low, length, crowded = after, first, after
    while low < until and len(found) < limit:
        high = _end(low, until, length)
        rows = await stretch(low, high, limit - len(found) if length > 1 else None)
        if rows is None:
            length, crowded = max((moment(high) - moment(low)) // SHORTER, 1), high
            continue
        found += rows
        low, length = high, length * LONGER
        if low < crowded:  # the rest of what was too much is halved, not asked for again
            length = max(min(length, (moment(crowded) - moment(low)) // 2), 1)
    return found[:limit]


def _end(low: str, until: str, length: int) -> str:
    later = first_of(moment(low) + length)
    return later if low < later < until else until


def joined(lanes: Sequence[Looked], limit: int) -> Looked:
    """What several lanes found, newest first. Below the place where the first of them stopped nothing is told, since more may lie there in that one."""
    stops = [lane.reached for lane in lanes if lane.reached is not None]
    horizon = max(stops, default=None)
    rows = sorted(
        (row for lane in lanes for row in lane.rows if horizon is None or row["id"] >= horizon), key=lambda row: row["id"], reverse=True
    )
    return Looked(rows[:limit], horizon if len(rows) < limit else None)

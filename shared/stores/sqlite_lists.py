"""Lists of the mirror: a page by position, and how many match. A position is when the object was made, then a hash."""

import sqlite3
from dataclasses import replace

from shared.stores.protocols import Query
from shared.stores.sqlite_totals import DAY, FOREVER, counted

SHIFT = 31
LAST = 2**63 - 1
QUICK = 2_000  # entries that a read walks on the event loop; one that has to walk more does so aside


def page(connection: sqlite3.Connection, query: Query, most: int | None) -> tuple[list[tuple[int, bytes]], int] | None:
    """Up to `limit` + 1 rows (position, body), and the exact total; None when more than `most` entries would be walked."""
    # A customer's objects of one status are looked for among all that the customer has.
    narrowed = query.customer is not None and query.status is not None
    if narrowed and _count(connection, replace(query, status=None), *_positions(query), most) is None:
        return None
    total = _total(connection, query, most)
    if total is None:
        return None
    low, high = _positions(query)
    if query.after is not None:
        high = min(high, query.after - 1)
    condition, values = _condition(query)
    rows = connection.execute(
        f"SELECT position, body FROM objects {condition} AND position BETWEEN ? AND ? ORDER BY position DESC LIMIT ?",  # noqa: S608
        (*values, low, high, query.limit + 1),
    ).fetchall()
    return rows, total


def _total(connection: sqlite3.Connection, query: Query, most: int | None) -> int | None:
    """From the roll-up as far as whole days go; what is left of the first and the last day is counted in an index."""
    if query.customer is not None:
        return _count(connection, query, *_positions(query), most)
    start = max(query.created_from or 0, 0)
    end = (FOREVER + 1) * DAY - 1 if query.created_to is None else min(query.created_to, (FOREVER + 1) * DAY - 1)
    first, last = -(-start // DAY), (end + 1) // DAY - 1
    if first > last:
        return _count(connection, query, *_positions(query), most)
    total = counted(connection, query, first, last, most)
    if total is None:
        return None
    for low, high in ((start, first * DAY - 1), ((last + 1) * DAY, end)):
        if low <= high:
            part = _count(connection, query, low << SHIFT, (high + 1 << SHIFT) - 1, most)
            if part is None:
                return None
            total += part
    return total


def _count(connection: sqlite3.Connection, query: Query, low: int, high: int, most: int | None) -> int | None:
    """How many objects lie between two positions; None if they are more than `most`."""
    condition, values = _condition(query)
    limit = -1 if most is None else most + 1
    (found,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM objects {condition} AND position BETWEEN ? AND ? LIMIT ?)",  # noqa: S608
        (*values, low, min(high, LAST), limit),
    ).fetchone()
    return None if most is not None and found > most else found


def _positions(query: Query) -> tuple[int, int]:
    low = 0 if query.created_from is None else min(max(query.created_from, 0), 2**32) << SHIFT
    high = LAST if query.created_to is None else (min(max(query.created_to, -1), 2**32 - 1) + 1 << SHIFT) - 1
    return min(low, LAST), high


def _condition(query: Query) -> tuple[str, tuple[str, ...]]:
    """The index is named, because the planner would at times walk the whole table in order of position instead."""
    if query.customer is not None:
        if query.status is not None:
            return (
                "INDEXED BY by_customer WHERE deleted = 0 AND kind = ? AND customer = ? AND status = ?",
                (query.kind, query.customer, query.status),
            )
        return "INDEXED BY by_customer WHERE deleted = 0 AND kind = ? AND customer = ?", (query.kind, query.customer)
    if query.status is not None:
        return "INDEXED BY by_status WHERE deleted = 0 AND kind = ? AND status = ?", (query.kind, query.status)
    return "INDEXED BY by_kind WHERE deleted = 0 AND kind = ?", (query.kind,)

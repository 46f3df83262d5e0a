"""The roll-up: how many objects, and how much, per kind, UTC day, status and currency; kept exact with every write."""

import sqlite3

from shared.stores.protocols import Query, Total

DAY = 86_400
ALWAYS = -1  # the day under which all days are summed; Stripe has no object from before 1970
FOREVER = 2**32 // DAY  # the last day that a position has room for

type Facts = tuple[str, int, str, str, int, int]  # kind, created, status, currency, amount, refunded

MIGRATION = """
CREATE TABLE totals (
    kind TEXT NOT NULL, day INTEGER NOT NULL, status TEXT NOT NULL, currency TEXT NOT NULL,
    count INTEGER NOT NULL, amount INTEGER NOT NULL, refunded INTEGER NOT NULL,
    PRIMARY KEY (kind, day, status, currency)
) WITHOUT ROWID
"""

EXTREMES = """SELECT (SELECT min(day) FROM totals WHERE kind = ? AND day >= 0), (SELECT max(day) FROM totals WHERE kind = ? AND day >= 0)"""


class Deltas:
    """What the writes of a transaction change in the roll-up, summed up so that each cell is written once."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int, str, str], list[int]] = {}

    def add(self, facts: Facts, sign: int) -> None:
        kind, created, status, currency, amount, refunded = facts
        for day in (created // DAY, ALWAYS):
            cell = self._cells.setdefault((kind, day, status, currency), [0, 0, 0])
            cell[0] += sign
            cell[1] += sign * amount
            cell[2] += sign * refunded

    def forget(self) -> None:
        self._cells.clear()

    def settle(self, connection: sqlite3.Connection) -> None:
        changed = [(*key, *cell) for key, cell in self._cells.items() if any(cell)]
        self._cells.clear()
        if changed:
            connection.executemany(
                "INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "count = count + excluded.count, amount = amount + excluded.amount, refunded = refunded + excluded.refunded",
                changed,
            )


def cells(connection: sqlite3.Connection, kind: str, first_day: int | None, last_day: int | None, most: int | None) -> list[Total] | None:
    """The cells of the days asked for, or without days those of all time under day 0; None when they are more than `most`."""
    always = first_day is None and last_day is None
    first = ALWAYS if always else max(first_day or 0, 0)
    last = ALWAYS if always else FOREVER if last_day is None else last_day
    rows = connection.execute(
        "SELECT day, status, currency, count, amount, refunded FROM totals WHERE kind = ? AND day BETWEEN ? AND ? AND count > 0 LIMIT ?",
        (kind, first, last, -1 if most is None else most + 1),
    ).fetchall()
    if most is not None and len(rows) > most:
        return None
    return [Total(max(day, 0), *rest) for day, *rest in rows]


def counted(connection: sqlite3.Connection, query: Query, first: int, last: int, most: int | None) -> int | None:
    """How many objects of whole days `first` to `last` match kind and status; None when more than `most` cells tell it."""
    oldest, newest = connection.execute(EXTREMES, (query.kind, query.kind)).fetchone()
    if oldest is None or last < oldest or first > newest:
        return 0
    if first <= oldest and newest <= last:
        first = last = ALWAYS
    status = () if query.status is None else (query.status,)
    inner = f"SELECT count FROM totals WHERE kind = ? AND day BETWEEN ? AND ?{' AND status = ?' if status else ''} LIMIT ?"  # noqa: S608
    walked, count = connection.execute(
        f"SELECT count(*), coalesce(sum(cells.count), 0) FROM ({inner}) AS cells",  # noqa: S608
        (query.kind, first, last, *status, -1 if most is None else most + 1),
    ).fetchone()
    return None if most is not None and walked > most else count

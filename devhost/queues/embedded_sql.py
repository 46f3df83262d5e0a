"""The embedded queue's table and the changes that its writer puts into one transaction."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    inserted REAL NOT NULL, visible REAL NOT NULL, dequeued INTEGER NOT NULL DEFAULT 0, receipt TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible, seq);
"""


@dataclass(frozen=True, slots=True)
class Put:
    rows: list[tuple[str, str, str, float, float]]


@dataclass(frozen=True, slots=True)
class Receive:
    queue: str
    count: int
    now: float
    until: float


@dataclass(frozen=True, slots=True)
class Delete:
    receipt: str


@dataclass(frozen=True, slots=True)
class Release:
    receipt: str
    visible: float


@dataclass(frozen=True, slots=True)
class Extend:
    receipt: str
    until: float


@dataclass(frozen=True, slots=True)
class Move:
    receipt: str
    target: str
    now: float


@dataclass(frozen=True, slots=True)
class Length:
    queue: str


Change = Put | Receive | Delete | Release | Extend | Move | Length


def open_database(path: Path, now: float) -> sqlite3.Connection:
    """Opens or makes the file. Leases of an earlier process end here: it is gone, its messages are due again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    os.chmod(path, 0o600)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA busy_timeout=10000")
    database.executescript(SCHEMA)
    database.execute("UPDATE messages SET receipt = NULL, visible = ? WHERE receipt IS NOT NULL", (now,))
    return database


def queue_lengths(path: Path) -> dict[str, int]:
    """How many messages lie in each queue of a file, leased and delayed ones included; a host may be running with it."""
    database = sqlite3.connect(path)
    try:
        database.execute("PRAGMA query_only=ON")
        return dict(database.execute("SELECT queue, count(*) FROM messages GROUP BY queue"))
    finally:
        database.close()


def apply_changes(database: sqlite3.Connection, changes: list[Change]) -> list[Any]:
    """Makes all changes in one transaction and answers each; an error undoes all of them.

    Inserts go together into one statement and so do deletes: every statement costs a hand-over of the interpreter lock.
    """
    answers: list[Any] = [None] * len(changes)
    database.execute("BEGIN IMMEDIATE")
    try:
        _put_all(database, [row for change in changes if isinstance(change, Put) for row in change.rows])
        deleted = _delete_all(database, [change.receipt for change in changes if isinstance(change, Delete)])
        for index, change in enumerate(changes):
            match change:
                case Put():
                    pass
                case Delete(receipt):
                    answers[index] = receipt in deleted
                case _:
                    answers[index] = _apply(database, change)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    return answers


def _put_all(database: sqlite3.Connection, rows: list[tuple[str, str, str, float, float]]) -> None:
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        places = ",".join(["(?,?,?,?,?)"] * len(part))
        flat = [column for row in part for column in row]
        database.execute(f"INSERT INTO messages (queue, id, body, inserted, visible) VALUES {places}", flat)  # noqa: S608 - only places


def _delete_all(database: sqlite3.Connection, receipts: list[str]) -> set[str]:
    deleted: set[str] = set()
    for start in range(0, len(receipts), 64):
        part = receipts[start : start + 64]
        places = ",".join("?" * len(part))
        sequence = [_sequence(receipt) for receipt in part]
        statement = f"DELETE FROM messages WHERE seq IN ({places}) AND receipt IN ({places}) RETURNING receipt"  # noqa: S608 - only places
        deleted.update(row[0] for row in database.execute(statement, [*sequence, *part]))
    return deleted


def _sequence(receipt: str) -> int:
    """A receipt is a random token, a hyphen and the message's row number, so that it finds its row by itself."""
    number = receipt.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _apply(database: sqlite3.Connection, change: Change) -> Any:
    match change:
        case Receive(queue, count, now, until):
            token = os.urandom(12).hex() + "-"
            due = "SELECT seq FROM messages WHERE queue = ? AND visible <= ? ORDER BY visible, seq LIMIT ?"
            statement = f"""UPDATE messages SET visible = ?, dequeued = dequeued + 1, receipt = ? || seq WHERE seq IN ({due})
                            RETURNING seq, id, body, inserted, visible, dequeued, receipt"""  # noqa: S608 - constants only
            return database.execute(statement, (until, token, queue, now, count)).fetchall()
        case Release(receipt, visible):
            statement = "UPDATE messages SET visible = ?, receipt = NULL WHERE seq = ? AND receipt = ?"
            return database.execute(statement, (visible, _sequence(receipt), receipt)).rowcount == 1
        case Extend(receipt, until):
            statement = "UPDATE messages SET visible = ? WHERE seq = ? AND receipt = ?"
            return database.execute(statement, (until, _sequence(receipt), receipt)).rowcount == 1
        case Move(receipt, target, now):
            statement = """UPDATE messages SET queue = ?, visible = ?, inserted = ?, dequeued = 0, receipt = NULL
                           WHERE seq = ? AND receipt = ?"""
            return database.execute(statement, (target, now, now, _sequence(receipt), receipt)).rowcount == 1
        case Length(queue):
            return database.execute("SELECT count(*) FROM messages WHERE queue = ?", (queue,)).fetchone()[0]
    raise TypeError(f"not a change: {change!r}")

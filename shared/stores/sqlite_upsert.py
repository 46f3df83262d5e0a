"""Writes into the mirror on SQLite: the row, and with it the roll-up and the search index."""

import sqlite3
from typing import NamedTuple
from zlib import crc32

from shared.stores.precedence import There, judge, moment
from shared.stores.protocols import Applied, Write
from shared.stores.sqlite_lists import SHIFT
from shared.stores.sqlite_search import SearchIndex, index_name
from shared.stores.sqlite_totals import MIGRATION as TOTALS
from shared.stores.sqlite_totals import Deltas, Facts
from shared.stores.words import indexed

# An object's words are kept beside it, because FTS5 takes an entry out only when told what is in it.
MIGRATION = f"""
CREATE TABLE objects (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL,
    status TEXT NOT NULL, customer TEXT, currency TEXT NOT NULL, amount INTEGER NOT NULL, refunded INTEGER NOT NULL,
    stamp INTEGER NOT NULL, version INTEGER NOT NULL, deleted INTEGER NOT NULL, words TEXT NOT NULL, body BLOB NOT NULL
);

CREATE UNIQUE INDEX by_id ON objects (id, kind);

CREATE INDEX by_kind ON objects (kind, position) WHERE deleted = 0;

CREATE INDEX by_status ON objects (kind, status, position) WHERE deleted = 0;

CREATE INDEX by_customer ON objects (kind, customer, position, status) WHERE deleted = 0 AND customer IS NOT NULL;

{TOTALS}"""

INSERT = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)"
READ = """SELECT position, created, status, currency, amount, refunded, stamp, version, deleted, words, body = ?
FROM objects WHERE id = ? AND kind = ?"""
UPDATE = """UPDATE objects SET status = ?, customer = ?, currency = ?, amount = ?, refunded = ?, stamp = ?,
version = version + 1, deleted = ?, words = ?, body = ? WHERE position = ?"""
CONFIRM = "UPDATE objects SET stamp = ?, version = version + 1 WHERE position = ?"
MOVE = "UPDATE objects SET position = ?, created = ? WHERE position = ?"
TAKEN = "SELECT 1 FROM objects WHERE position = ?"


class _Row(NamedTuple):
    position: int
    created: int
    status: str
    currency: str
    amount: int
    refunded: int
    stamp: int
    version: int
    deleted: int
    words: str
    same: int

    @property
    def there(self) -> There:
        return There(self.created, self.stamp, self.version, bool(self.deleted))


class Upsert:
    """Applies writes on the writing connection; the roll-up and the search index follow once for each transaction."""

    def __init__(self) -> None:
        self._totals = Deltas()
        self._index = SearchIndex()
        self._words: dict[str, dict[int, tuple[str, str]]] = {}

    @staticmethod
    def check(write: Write) -> None:
        """Refuses what the file cannot hold before it can disturb a transaction that others share."""
        index_name(write.kind)
        if not 0 <= write.created < 2**32:
            raise ValueError("The time of creation is not an epoch second.")

    def apply(self, connection: sqlite3.Connection, write: Write) -> Applied:
        words = "" if write.deleted else indexed(write.id, write.words)
        if write.expects in (None, 0) and self._insert(connection, write, words):
            return Applied.APPLIED
        found = connection.execute(READ, (write.body, write.id, write.kind)).fetchone()
        if found is None:
            return Applied.CONFLICT if write.expects else self._probe(connection, write, words)
        row = _Row(*found)
        answer = judge(row.there, write, same=bool(row.same))
        if answer is Applied.APPLIED:
            self._update(connection, write, row, words)
        elif answer is Applied.DUPLICATE and write.stamp > row.stamp:
            # Known true at a later moment now: an event from in between, coming late, is older than what is here.
            connection.execute(CONFIRM, (write.stamp, row.position))
        return answer

    def settle(self, connection: sqlite3.Connection) -> None:
        """Brings the roll-up and the index up to date, before the commit."""
        self._totals.settle(connection)
        pending, self._words = self._words, {}
        for kind, changes in pending.items():
            self._index.change(connection, kind, [(position, *words) for position, words in changes.items() if words[0] != words[1]])

    def forget(self) -> None:
        """After a rollback."""
        self._totals.forget()
        self._words.clear()
        self._index.forget()

    def _insert(self, connection: sqlite3.Connection, write: Write, words: str, position: int | None = None) -> bool:
        if position is None:
            position = _place(write.created, write.id)
        status, currency, amount, refunded = write.status or "", write.currency or "", write.amount or 0, write.refunded or 0
        values = (position, write.kind, write.id, write.created, status, write.customer, currency, amount, refunded, write.stamp)
        if connection.execute(INSERT, (*values, write.deleted, words, write.body)).rowcount == 0:
            return False
        if not write.deleted:
            self._totals.add((write.kind, write.created, status, currency, amount, refunded), 1)
        self._reword(write.kind, position, "", words)
        return True

    def _probe(self, connection: sqlite3.Connection, write: Write, words: str) -> Applied:
        """Another object has the position that belongs to this one: it takes the next that is free."""
        self._insert(connection, write, words, _free(connection, write.created, write.id))
        return Applied.APPLIED

    def _update(self, connection: sqlite3.Connection, write: Write, row: _Row, words: str) -> None:
        status, currency, amount, refunded = write.status or "", write.currency or "", write.amount or 0, write.refunded or 0
        stamp = max(write.stamp, row.stamp)
        connection.execute(
            UPDATE, (status, write.customer, currency, amount, refunded, stamp, write.deleted, words, write.body, row.position)
        )
        created = moment(row.there, write)
        before: Facts | None = None if row.deleted else (write.kind, row.created, row.status, row.currency, row.amount, row.refunded)
        after: Facts | None = None if write.deleted else (write.kind, created, status, currency, amount, refunded)
        if before != after:
            for facts, sign in ((before, -1), (after, 1)):
                if facts is not None:
                    self._totals.add(facts, sign)
        if created == row.created:
            self._reword(write.kind, row.position, row.words, words)
            return
        position = _free(connection, created, write.id)
        connection.execute(MOVE, (position, created, row.position))
        self._reword(write.kind, row.position, row.words, "")
        self._reword(write.kind, position, "", words)

    def _reword(self, kind: str, position: int, old: str, new: str) -> None:
        changes = self._words.setdefault(kind, {})
        first = changes.get(position)
        changes[position] = (first[0] if first else old, new)


def _place(created: int, id: str) -> int:
    return created << SHIFT | crc32(id.encode()) >> 1


def _free(connection: sqlite3.Connection, created: int, id: str) -> int:
    """The position that belongs to an object, or the next one that is free."""
    position = _place(created, id)
    while connection.execute(TAKEN, (position,)).fetchone():
        position = created << SHIFT | (position + 1) & (1 << SHIFT) - 1
    return position

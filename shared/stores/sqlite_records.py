"""Billy's own documents in one SQLite file, each changed by compare-and-set alone."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from shared.stores.expiry import kept_for
from shared.stores.protocols import Changed, Exists, Record
from shared.stores.sqlite import Database

MIGRATION = """
CREATE TABLE records (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID;

CREATE INDEX by_state ON records (collection, json_extract(document, '$.state'), id)
WHERE json_extract(document, '$.state') IS NOT NULL;

CREATE INDEX by_key_id ON records (collection, json_extract(document, '$.key_id'), id)
WHERE json_extract(document, '$.key_id') IS NOT NULL"""

# What was there before its time was kept has all of it before it.
EXPIRES = """
ALTER TABLE records ADD COLUMN expires INTEGER;

CREATE INDEX by_expiry ON records (expires) WHERE expires IS NOT NULL;

UPDATE records SET expires = unixepoch() + iif(collection = 'events', 30, 1) * 86400 WHERE collection IN ('events', 'claims')"""

# A claim that does not say that it has ended may still hold a movement of money; one whose time was over stays gone.
OPEN_CLAIMS = """
UPDATE records SET expires = NULL
WHERE collection = 'claims' AND json_extract(document, '$.ended') IS NULL AND expires > unixepoch()"""

DUE = """
CREATE INDEX by_due ON records (collection, json_extract(document, '$.due'), id)
WHERE json_extract(document, '$.due') IS NOT NULL"""

LIVE = "(expires IS NULL OR expires > ?)"
INSERT = """INSERT INTO records VALUES (?1, ?2, 1, ?3, ?4)
ON CONFLICT DO UPDATE SET version = 1, document = excluded.document, expires = excluded.expires WHERE expires <= ?5"""
REPLACE = f"""UPDATE records SET document = ?, version = version + 1, expires = ?
WHERE collection = ? AND id = ? AND version = ? AND {LIVE}"""  # noqa: S608
PURGE = """DELETE FROM records WHERE (collection, id) IN
(SELECT collection, id FROM records INDEXED BY by_expiry WHERE expires <= ? ORDER BY expires LIMIT ?)"""

# Named in the query, because the planner walks a whole collection as long as there are no statistics, which a clean end alone leaves behind.
INDEXES = {"due": "by_due", "state": "by_state", "key_id": "by_key_id"}

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SqliteRecords:
    """`Records` over `records.sqlite` in a folder. Open it once in a process, and close it.

    A record whose time is over is there for nobody; `purge` gives its place back.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._file = Database(path, (MIGRATION, EXPIRES, OPEN_CLAIMS, DUE))
        self._now = now

    @classmethod
    def open(cls, folder: Path, now: Callable[[], float]) -> Self:
        """Opens or makes the file in `folder`; `now` gives epoch seconds. Raises `NewerStore` for one that a newer version made."""
        return cls(folder / "records.sqlite", now)

    async def close(self) -> None:
        await self._file.close()

    async def get(self, collection: str, id: str) -> Record | None:
        statement = f"SELECT id, document, version FROM records WHERE collection = ? AND id = ? AND {LIVE}"  # noqa: S608
        row = self._file.row(statement, (collection, id, self._now()))
        return _record(row) if row else None

    async def insert(self, collection: str, id: str, document: Mapping[str, Any]) -> Record:
        text, now = orjson.dumps(dict(document)).decode(), self._now()

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute(INSERT, (collection, id, text, _until(collection, document, now), now)).rowcount == 1

        if not await self._file.write(work):
            raise Exists
        return Record(id, orjson.loads(text), 1)

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        text, now = orjson.dumps(dict(document)).decode(), self._now()

        def work(connection: sqlite3.Connection) -> bool:
            values = (text, _until(collection, document, now), collection, record.id, record.version, now)
            return connection.execute(REPLACE, values).rowcount == 1

        if not await self._file.write(work):
            raise Changed
        return Record(record.id, orjson.loads(text), record.version + 1)

    async def find(
        self, collection: str, where: Mapping[str, str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[Record]:
        fields = where or {}
        conditions, values = equal("document", fields)
        index = next((f"INDEXED BY {INDEXES[field]} " for field in INDEXES if field in fields), "")
        if after is not None:
            conditions.append("id < ?")
            values.append(after)
        rows = self._file.read(
            lambda connection: connection.execute(
                f"SELECT id, document, version FROM records {index}WHERE {' AND '.join(['collection = ?', *conditions, LIVE])} "  # noqa: S608
                "ORDER BY id DESC LIMIT ?",
                (collection, *values, self._now(), limit),
            ).fetchall()
        )
        return [_record(row) for row in rows]

    async def purge(self, limit: int) -> int:
        """Deletes up to `limit` records whose time is over, those first for which it is over longest, and tells how many."""
        now = self._now()
        return await self._file.write(lambda connection: connection.execute(PURGE, (now, limit)).rowcount)


def _until(collection: str, document: Mapping[str, Any], now: float) -> int | None:
    kept = kept_for(collection, document)
    return None if kept is None else int(now) + kept


def equal(column: str, where: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """SQL conditions, with their values, that top-level fields of the JSON in `column` equal `where`.

    A field's name is part of the SQL, as the expression indexes need it; one that is no identifier is refused.
    """
    for name in where:
        if not _FIELD.fullmatch(name):
            raise ValueError("A field's name is an identifier.")
    return [f"json_extract({column}, '$.{name}') = ?" for name in where], list(where.values())


def _record(row: tuple[str, str, int]) -> Record:
    id, document, version = row
    return Record(id, orjson.loads(document), version)

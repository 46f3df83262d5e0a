"""Billy's own documents in one SQLite file, each changed by compare-and-set alone."""

import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson

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

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SqliteRecords:
    """`Records` over `records.sqlite` in a folder. Open it once in a process, and close it."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, (MIGRATION,))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens or makes the file in `folder`. Raises `NewerStore` for one that a newer version made."""
        return cls(folder / "records.sqlite")

    async def close(self) -> None:
        await self._file.close()

    async def get(self, collection: str, id: str) -> Record | None:
        row = self._file.row("SELECT id, document, version FROM records WHERE collection = ? AND id = ?", (collection, id))
        return _record(row) if row else None

    async def insert(self, collection: str, id: str, document: Mapping[str, Any]) -> Record:
        text = orjson.dumps(dict(document)).decode()

        def work(connection: sqlite3.Connection) -> bool:
            done = connection.execute("INSERT OR IGNORE INTO records VALUES (?, ?, 1, ?)", (collection, id, text))
            return done.rowcount == 1

        if not await self._file.write(work):
            raise Exists
        return Record(id, orjson.loads(text), 1)

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        text = orjson.dumps(dict(document)).decode()

        def work(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE records SET document = ?, version = version + 1 WHERE collection = ? AND id = ? AND version = ?",
                (text, collection, record.id, record.version),
            )
            return done.rowcount == 1

        if not await self._file.write(work):
            raise Changed
        return Record(record.id, orjson.loads(text), record.version + 1)

    async def find(
        self, collection: str, where: Mapping[str, str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[Record]:
        conditions, values = equal("document", where or {})
        if after is not None:
            conditions.append("id < ?")
            values.append(after)
        rows = self._file.read(
            lambda connection: connection.execute(
                f"SELECT id, document, version FROM records WHERE {' AND '.join(['collection = ?', *conditions])} "  # noqa: S608
                "ORDER BY id DESC LIMIT ?",
                (collection, *values, limit),
            ).fetchall()
        )
        return [_record(row) for row in rows]


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

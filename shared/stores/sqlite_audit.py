"""The audit log in one SQLite file that takes rows and gives them back, and refuses anything else."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from shared.stores.protocols import Exists, Looked
from shared.stores.sqlite import Database
from shared.stores.sqlite_records import equal

NEEDED = ("id", "at", "operation", "actor")

MIGRATION = """
CREATE TABLE audit (id TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID;

CREATE INDEX by_operation ON audit (json_extract(entry, '$.operation'), id);

CREATE INDEX by_actor ON audit (json_extract(entry, '$.actor'), id);

CREATE INDEX by_attempt ON audit (json_extract(entry, '$.attempt'), id) WHERE json_extract(entry, '$.attempt') IS NOT NULL;

CREATE TRIGGER no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"""


ABOUT = """
CREATE INDEX by_object ON audit (json_extract(entry, '$.object'), id) WHERE json_extract(entry, '$.object') IS NOT NULL;

CREATE INDEX by_taken ON audit (json_extract(entry, '$.taken'), id) WHERE json_extract(entry, '$.taken') IS NOT NULL;

CREATE INDEX by_right ON audit (json_extract(entry, '$.right'), id) WHERE json_extract(entry, '$.right') IS NOT NULL"""

BY_CORRELATION = """
CREATE INDEX by_correlation ON audit (json_extract(entry, '$.correlation_id'), id) WHERE json_extract(entry, '$.correlation_id') IS NOT NULL"""

type Rows = list[dict[str, Any]]

INDEXED = ("attempt", "correlation_id", "right", "object", "actor", "operation")  # the one that fewest rows share first
FARTHEST = 5_000  # rows that one answer looks at


class SqliteAuditLog:
    """`AuditLog` over `audit.sqlite` in a folder. Open it once in a process, and close it."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, (MIGRATION, ABOUT, BY_CORRELATION))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens or makes the file in `folder`. Raises `NewerStore` for one that a newer version made."""
        return cls(folder / "audit.sqlite")

    async def close(self) -> None:
        await self._file.close()

    async def append(self, row: Mapping[str, Any]) -> None:
        """Durable on return. Raises ValueError for a row without the needed fields, `Exists` for an id with another row.

        The same row once more is no error: an insert whose answer was lost is repeated.
        """
        if any(not isinstance(row.get(name), str) for name in NEEDED):
            raise ValueError(f"An audit row has {', '.join(NEEDED)} as text.")
        id, text = row["id"], orjson.dumps(dict(row)).decode()

        def work(connection: sqlite3.Connection) -> bool:
            if there := connection.execute("SELECT entry FROM audit WHERE id = ?", (id,)).fetchone():
                return there == (text,)
            return connection.execute("INSERT INTO audit VALUES (?, ?)", (id, text)).rowcount == 1

        if not await self._file.write(work):
            raise Exists

    async def list(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        conditions, values = equal("entry", where or {})
        if after is not None:
            conditions.append("id < ?")
            values.append(after)
        filtered = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        statement = f"SELECT entry FROM audit {filtered}ORDER BY id DESC LIMIT ?"  # noqa: S608
        rows = self._file.read(lambda connection: connection.execute(statement, (*values, limit)).fetchall())
        return [orjson.loads(entry) for (entry,) in rows]

    async def following(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
        """Oldest first, above `after`, up to and with `until`: one query along an index, aside, since a reader may ask for much."""
        conditions, values = equal("entry", where or {})
        statement = f"SELECT entry FROM audit WHERE {' AND '.join((*conditions, 'id > ?', 'id <= ?'))} ORDER BY id LIMIT ?"  # noqa: S608
        asked = (*values, after, until, limit)
        rows = await self._file.read_aside(lambda connection: connection.execute(statement, asked).fetchall())
        return [orjson.loads(entry) for (entry,) in rows]

    async def look(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> Looked:
        """Along one index, of which one answer reads so much; what else is asked for is compared row by row."""
        along, wanted = _parted(where or {})
        if not wanted:
            return Looked(await self.list(limit=limit, after=after, where=along))
        conditions, values = equal("entry", along)
        if after is not None:
            conditions.append("id < ?")
            values.append(after)
        return await self._looked(conditions, values, "DESC", limit, wanted)

    async def look_on(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Looked:
        """The same, oldest first."""
        along, wanted = _parted(where or {})
        if not wanted:
            return Looked(await self.following(after=after, until=until, limit=limit, where=along))
        conditions, values = equal("entry", along)
        return await self._looked([*conditions, "id > ?", "id <= ?"], [*values, after, until], "ASC", limit, wanted)

    async def _looked(self, conditions: Sequence[str], values: Sequence[Any], order: str, limit: int, wanted: Mapping[str, str]) -> Looked:
        filtered = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        statement = f"SELECT entry FROM audit {filtered}ORDER BY id {order} LIMIT ?"  # noqa: S608

        def work(connection: sqlite3.Connection) -> Looked:
            found: Rows = []
            seen, last = 0, None
            for (entry,) in connection.execute(statement, (*values, FARTHEST)):
                row: dict[str, Any] = orjson.loads(entry)
                seen, last = seen + 1, row["id"]
                if all(row.get(name) == value for name, value in wanted.items()):
                    found.append(row)
                if len(found) == limit:
                    return Looked(found)
            return Looked(found, last if seen == FARTHEST else None)

        return await self._file.read_aside(work)


def _parted(where: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What an index is read by, and what is compared in its rows."""
    along = next((name for name in INDEXED if name in where), None)
    return {name: where[name] for name in where if name == along}, {name: where[name] for name in where if name != along}

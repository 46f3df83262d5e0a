"""The mirror in one SQLite file: Stripe's JSON with projected columns, newest first by row number."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from shared.stores import sqlite_lists, sqlite_totals
from shared.stores.protocols import Applied, Page, Query, Stored, Total, Unseen, Write
from shared.stores.sqlite import Database
from shared.stores.sqlite_lists import QUICK
from shared.stores.sqlite_search import SearchIndex
from shared.stores.sqlite_upsert import MIGRATION, Upsert

GET = "SELECT kind, id, body, version, stamp, deleted FROM objects WHERE id = ? AND kind = ?"
AT = "SELECT kind, id, body, version, stamp, deleted FROM objects WHERE position = ?"
WALK = """SELECT position, id, stamp FROM objects INDEXED BY by_kind
WHERE deleted = 0 AND kind = ? AND position < ? ORDER BY position DESC LIMIT ?"""


class SqliteMirror:
    """`Mirror` over `mirror.sqlite` in a folder. Open it once in a process, and close it."""

    def __init__(self, path: Path) -> None:
        self._upsert = Upsert()
        self._index = SearchIndex()
        self._file = Database(path, (MIGRATION,), cache_mb=32, settle=self._upsert.settle, forget=self._upsert.forget)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens or makes the file in `folder`. Raises `NewerStore` for one that a newer version made."""
        return cls(folder / "mirror.sqlite")

    async def close(self) -> None:
        await self._file.close()

    async def get(self, kind: str, id: str) -> Stored | None:
        if not _speakable(id):
            return None
        row = self._file.row(GET, (id, kind))
        return _stored(row) if row else None

    async def list(self, query: Query) -> Page:
        """A page and its exact total: here and now, or aside when there is much to walk."""

        def quick(connection: sqlite3.Connection) -> tuple[Sequence[tuple[int, bytes]], int] | None:
            return sqlite_lists.page(connection, query, QUICK)

        def whole(connection: sqlite3.Connection) -> tuple[Sequence[tuple[int, bytes]], int]:
            found = sqlite_lists.page(connection, query, None)
            assert found is not None
            return found

        rows, total = self._file.read(quick) or await self._file.read_aside(whole)
        shown = rows[: query.limit]
        return Page([body for _, body in shown], shown[-1][0] if len(rows) > query.limit else None, total)

    async def search(self, text: str, kinds: Sequence[str], limit: int) -> Sequence[Stored]:
        return await self._file.read_aside(lambda connection: self._search(connection, text, kinds, limit))

    async def totals(self, kind: str, first_day: int | None = None, last_day: int | None = None) -> Sequence[Total]:
        found = self._file.read(lambda connection: sqlite_totals.cells(connection, kind, first_day, last_day, QUICK))
        if found is None:
            found = await self._file.read_aside(lambda connection: sqlite_totals.cells(connection, kind, first_day, last_day, None))
        return found or []

    async def unseen(self, kind: str, before: int, limit: int, after: int | None = None) -> Unseen:
        below = sqlite_lists.LAST if after is None else after
        rows = await self._file.read_aside(lambda connection: connection.execute(WALK, (kind, below, limit)).fetchall())
        return Unseen([id for _, id, stamp in rows if stamp < before], rows[-1][0] if len(rows) == limit else None)

    async def apply(self, writes: Sequence[Write]) -> Sequence[Applied]:
        """One transaction, shared with other calls in flight. Raises ValueError for a write that no mirror can hold."""
        for write in writes:
            Upsert.check(write)
        if not writes:
            return []
        return await self._file.write(lambda connection: [self._upsert.apply(connection, write) for write in writes])

    def _search(self, connection: sqlite3.Connection, text: str, kinds: Sequence[str], limit: int) -> Sequence[Stored]:
        found: list[Stored] = []
        exact = text.strip()
        if exact and _speakable(exact):
            for kind in kinds:
                row = connection.execute(f"{GET} AND deleted = 0", (exact, kind)).fetchone()
                found += [_stored(row)] if row else []
        ids = {(each.kind, each.id) for each in found}
        positions = [position for kind in kinds for position in self._index.find(connection, kind, text, limit)]
        for position in sorted(positions, reverse=True):
            if len(found) >= limit:
                break
            each = _stored(connection.execute(AT, (position,)).fetchone())
            if (each.kind, each.id) not in ids:
                found.append(each)
        return found[:limit]


def _stored(row: tuple[str, str, bytes, int, int, int]) -> Stored:
    kind, id, body, version, stamp, deleted = row
    return Stored(kind, id, body, version, stamp, bool(deleted))


def _speakable(id: str) -> bool:
    """Half a surrogate pair is no character: SQLite cannot be asked for it, and no object has it."""
    return id.isascii() or not any("\ud800" <= c <= "\udfff" for c in id)

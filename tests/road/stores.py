"""The stores of one history, empty and cheap: files that stay open, and are emptied by copying an empty one over them."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.stores.cosmos_records import CosmosRecords
from shared.stores.protocols import AuditLog, Mirror, Records
from shared.stores.sqlite import _resolve
from shared.stores.sqlite_audit import SqliteAuditLog
from shared.stores.sqlite_mirror import SqliteMirror
from shared.stores.sqlite_records import SqliteRecords
from tests.road.memory_cosmos import MemoryAccount
from tests.road.virtual import Clock, VirtualLoop

type Kind = Literal["sqlite", "cosmos"]

KINDS: tuple[Kind, ...] = ("sqlite", "cosmos")


@dataclass(frozen=True, slots=True)
class Stores:
    """`account` is what the records lie in, where that is Cosmos DB's stand-in."""

    records: Records
    audit: AuditLog
    mirror: Mirror
    account: MemoryAccount | None = None


class _AtOnce:
    """Stands for the queue of a database's writer thread, and commits where it is filled: the same order, without two changes of thread.

    What is not submitted on a virtual loop goes the usual way.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._queue = file._queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def put(self, submission: Any) -> None:
        if submission is None or not isinstance(submission.loop, VirtualLoop):
            self._queue.put(submission)
            return
        self._file._commit([submission])
        submission.loop.hand_in(_resolve, [submission])


class _Files:
    """The three files of a folder. Nothing here is durable: a machine that loses power loses a test."""

    def __init__(self, home: Path) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        self.records = SqliteRecords.open(home, lambda: self.now())
        self.audit = SqliteAuditLog.open(home)
        self.mirror = SqliteMirror.open(home)
        self._empty: list[tuple[Any, sqlite3.Connection]] = []
        for store in (self.records, self.audit, self.mirror):
            file, empty = store._file, sqlite3.connect(":memory:")
            file._writer.execute("PRAGMA synchronous = OFF")
            file._queue = _AtOnce(file)  # type: ignore[assignment]
            file._writer.backup(empty)
            self._empty.append((file, empty))

    def clear(self) -> None:
        """No work of an earlier history is under way: each was waited for when it was submitted."""
        for file, empty in self._empty:
            empty.backup(file._writer)
            if file._forget is not None:
                file._forget()
        self.mirror._index.forget()

    def close(self) -> None:
        for _, empty in self._empty:
            empty.close()

        async def all_of_them() -> None:
            for store in (self.records, self.audit, self.mirror):
                await store.close()

        asyncio.run(all_of_them())


_open: dict[Path, _Files] = {}


def open_stores(kind: Kind, home: Path, clock: Clock) -> Stores:
    """Empty stores on the clock of a history. Those of the history before in the same folder are the same files: it must have ended.

    Close them with `close_stores` when there is no further history.
    """
    files = _open.get(home)
    if files is None:
        files = _open[home] = _Files(home)
    else:
        files.clear()
    files.now = clock.now
    if kind == "sqlite":
        return Stores(files.records, files.audit, files.mirror)
    account = MemoryAccount(clock.now)
    return Stores(CosmosRecords(account), files.audit, files.mirror, account)  # type: ignore[arg-type]


def close_stores(home: Path) -> None:
    """Closes what was opened in the folder."""
    if (files := _open.pop(home, None)) is not None:
        files.close()

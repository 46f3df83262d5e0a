"""One SQLite file: a thread that commits concurrent writes together, and connections that only read."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

type Work[T] = Callable[[sqlite3.Connection], T]

TOGETHER = 256  # submissions in one transaction at most: what one commit holds is bounded
BUSY_MS = 10_000  # how long another process may hold the file


class NewerStore(Exception):
    """The file was made by a newer version of Billy, which alone knows how to read it."""


@dataclass(slots=True)
class _Submission:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    outcome: Any = None
    failed: BaseException | None = None


class Database:
    """A file in WAL mode whose writes are durable (synchronous=FULL) when `write` returns.

    Reads run where they are called, on one connection that cannot write: a point read costs less than a change of
    thread. What may be slow goes through `read_aside`, on a thread of its own. `settle` is called inside each
    transaction before its commit, for what is cheaper done once for many writes; `forget` after one was rolled back.
    The file and those beside it can be read by their owner alone (mode 0600).
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        cache_mb: int = 8,
        settle: Work[None] | None = None,
        forget: Callable[[], None] | None = None,
    ) -> None:
        self._settle = settle
        self._forget = forget
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _keep_private(path)
        self._writer = _connect(path, cache_mb)
        try:
            _migrate(self._writer, path, migrations)
            self._reader = _connect(path, cache_mb, read_only=True)
            self._aside = _connect(path, cache_mb, read_only=True)
        except BaseException:
            self._writer.close()
            raise
        self._reading = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-reader")
        self._queue: SimpleQueue[_Submission | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"{path.stem}-writer", daemon=True)
        self._thread.start()

    def read[T](self, work: Work[T]) -> T:
        """Runs a quick read here and now, in one snapshot."""
        with self._reading:
            return _in_snapshot(self._reader, work)

    def row(self, statement: str, values: tuple[object, ...]) -> Any:
        """The one row that a statement can give, or None: it is a snapshot by itself."""
        with self._reading:
            return self._reader.execute(statement, values).fetchone()

    async def read_aside[T](self, work: Work[T]) -> T:
        """Runs a read that may be slow on the reading thread, in one snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _in_snapshot, self._aside, work)

    async def write[T](self, work: Work[T]) -> T:
        """Runs `work` in a transaction that it may share with others, and returns once it is durable.

        `work` may be run again from the start when a transaction had to be rolled back. What it raises is raised here
        and undoes its own writes, not those of the others.
        """
        loop = asyncio.get_running_loop()
        submission = _Submission(work, loop, loop.create_future())
        with self._closing:
            if self._closed:
                raise RuntimeError("The store is closed.")
            self._queue.put(submission)
        return cast(T, await submission.future)

    async def close(self) -> None:
        """Commits what was submitted, folds the log into the file and closes it. May be called twice."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._pool.shutdown)
        self._reader.close()
        self._aside.close()
        self._writer.execute("PRAGMA optimize")
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._writer.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._gather(first)
            self._commit(group)
            _answer(group)
            if last:
                return

    def _gather(self, first: _Submission) -> tuple[list[_Submission], bool]:
        group = [first]
        while len(group) < TOGETHER:
            try:
                each = self._queue.get_nowait()
            except Empty:
                break
            if each is None:
                return group, True
            group.append(each)
        return group, False

    def _commit(self, group: list[_Submission]) -> None:
        """All in one transaction; if anything fails, each in one of its own, so that only the guilty one fails."""
        failed = self._transact(group)
        if failed is not None and len(group) > 1:
            for each in group:
                each.failed = self._transact([each])
        else:
            group[0].failed = failed

    def _transact(self, group: list[_Submission]) -> BaseException | None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for each in group:
                each.outcome = each.work(self._writer)
            if self._settle is not None:
                self._settle(self._writer)
            self._writer.execute("COMMIT")
        except BaseException as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if self._forget is not None:
                self._forget()
            return error
        return None


def _answer(group: list[_Submission]) -> None:
    """Wakes the callers, with one call into each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[_Submission]] = {}
    for each in group:
        loops.setdefault(each.loop, []).append(each)
    for loop, mine in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:  # the loop was closed: nobody waits any more, and the writes are done
            continue


def _resolve(group: list[_Submission]) -> None:
    for each in group:
        if each.future.done():  # the caller was cancelled
            continue
        if each.failed is not None:
            each.future.set_exception(each.failed)
        else:
            each.future.set_result(each.outcome)


def _in_snapshot[T](connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        connection.execute("COMMIT")


def _keep_private(path: Path) -> None:
    """For its owner alone, before anything is in it: SQLite gives the files beside it (`-wal`, `-shm`) the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if each.exists() and each.stat().st_mode & 0o077:
            each.chmod(0o600)


def _connect(path: Path, cache_mb: int, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute(f"PRAGMA cache_size = -{cache_mb * 1024}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
        return connection
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 KB: hot pages are written back once, not each second
    connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Brings the file to the newest schema: `user_version` is the number of migrations that it has seen."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (seen,) = connection.execute("PRAGMA user_version").fetchone()
        if seen > len(migrations):
            raise NewerStore(
                f"{path.name} has schema {seen}, and this version of Billy knows schemas up to {len(migrations)}. "
                "Run the version that made it, or give BILLY_HOME another folder."
            )
        for script in migrations[seen:]:
            for statement in script.split(";\n\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise

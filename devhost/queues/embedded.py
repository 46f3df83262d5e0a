"""Queues in one SQLite file, for one host process.

Every change goes through one writer thread, which puts all that waits into one transaction: concurrent callers share
one disk flush, and none is answered before it. SQLite's own lock guards the file; the host sees to it that no second
host opens the same one.
"""

import asyncio
import queue as thread_queues
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from devhost.queues.embedded_sql import Change, Delete, Extend, Length, Move, Put, Receive, Release, apply_changes, open_database
from devhost.queues.protocol import Arrivals, Message

LARGEST_MESSAGE = 65536
"""Bytes, as in Azure Storage; base64 leaves three quarters of them to the content."""

FOREVER = 253402214400.0  # the end of the year 9999, which Azure also gives to messages that never expire

_chance = random.Random()  # noqa: S311 - a message's id guards nothing, and the system's own source costs a hand-over of the interpreter lock

_Waiting = tuple[Change, "asyncio.Future[Any]"]


class EmbeddedQueues:
    """Messages outlive the process: what `put` has answered is on the disk (WAL, synchronous=FULL)."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._arrivals = Arrivals()
        self._gathered: list[_Waiting] = []
        self._work: thread_queues.SimpleQueue[list[_Waiting] | None] = thread_queues.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        database = await asyncio.to_thread(open_database, self._path, self._clock())
        self._thread = threading.Thread(target=self._write, args=(database,), name="queue-writer")
        self._thread.start()

    async def put(self, queue: str, bodies: Sequence[str]) -> None:
        if not bodies:
            return
        for body in bodies:
            if (size := len(body.encode())) > LARGEST_MESSAGE:
                raise ValueError(f"a message of {size} bytes is larger than the {LARGEST_MESSAGE} that a queue takes")
        now = self._clock()
        await self._ask(Put([(queue, f"{_chance.getrandbits(128):032x}", body, now, now) for body in bodies]))
        self._arrivals.announce(queue)

    async def receive(self, queue: str, count: int, lease: float) -> list[Message]:
        now = self._clock()
        rows = await self._ask(Receive(queue, count, now, now + lease))
        return [Message(row[1], row[2], row[5], row[3], FOREVER, row[4], row[6]) for row in sorted(rows)]

    async def delete(self, queue: str, message: Message) -> bool:
        return await self._ask(Delete(message.pop_receipt))

    async def release(self, queue: str, message: Message, delay: float) -> bool:
        released = await self._ask(Release(message.pop_receipt, self._clock() + delay))
        if released:
            self._arrivals.announce(queue, delay)
        return released

    async def extend(self, queue: str, message: Message, lease: float) -> Message | None:
        return message if await self._ask(Extend(message.pop_receipt, self._clock() + lease)) else None

    async def move(self, queue: str, message: Message, target: str) -> None:
        await self._ask(Move(message.pop_receipt, target, self._clock()))
        self._arrivals.announce(target)

    async def length(self, queue: str) -> int:
        return await self._ask(Length(queue))

    def arrival(self, queue: str) -> asyncio.Event:
        return self._arrivals.of(queue)

    async def close(self) -> None:
        if self._thread is not None:
            self._hand_over()
            self._work.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _ask(self, change: Change) -> "asyncio.Future[Any]":
        if self._loop is None or self._thread is None:
            raise RuntimeError("the queue file is not open")
        answer: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            # Everything that asks in the same turn of the loop goes into one transaction.
            self._loop.call_soon(self._hand_over)
        self._gathered.append((change, answer))
        return answer

    def _hand_over(self) -> None:
        if self._gathered:
            self._work.put(self._gathered)
            self._gathered = []

    def _write(self, database: sqlite3.Connection) -> None:
        closing = False
        while not closing:
            waiting: list[_Waiting] = []
            part = self._work.get()
            while True:
                if part is None:
                    closing = True
                else:
                    waiting += part
                try:
                    part = self._work.get_nowait()
                except thread_queues.Empty:
                    break
            if waiting:
                try:
                    answers: list[Any] | Exception = apply_changes(database, [change for change, _ in waiting])
                except Exception as error:
                    answers = error
                assert self._loop is not None
                self._loop.call_soon_threadsafe(_settle, waiting, answers)
        database.close()


def _settle(waiting: list[_Waiting], answers: list[Any] | Exception) -> None:
    for index, (_, future) in enumerate(waiting):
        if future.done():
            continue
        if isinstance(answers, Exception):
            future.set_exception(answers)
        else:
            future.set_result(answers[index])

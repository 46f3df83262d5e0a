"""A real store of records of which single calls fail: before anything is done, or after it, as when the answer is lost on the way."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from shared.errors import BillyError
from shared.stores.protocols import Record, Records

# A function is called between the work and the answer that is lost.
type Fault = Literal["none", "before", "after", "never"] | Callable[[], Awaitable[Any]]


class UnsureRecords:
    """`Records` over others. Calls of a method fail as they were told to with `fails`, one after the other; `asked` counts all."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._coming: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self.asked: Counter[str] = Counter()

    def fails(self, method: str, *faults: Fault) -> None:
        """The next calls of a method."""
        self._coming[method] += faults

    def fails_always(self, method: str, fault: Fault) -> None:
        self._always[method] = fault

    async def get(self, collection: str, id: str) -> Record | None:
        return await self._try("get", lambda: self._records.get(collection, id))

    async def insert(self, collection: str, id: str, document: Mapping[str, Any]) -> Record:
        return await self._try("insert", lambda: self._records.insert(collection, id, document))

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        return await self._try("replace", lambda: self._records.replace(collection, record, document))

    async def find(
        self, collection: str, where: Mapping[str, str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[Record]:
        return await self._records.find(collection, where, limit=limit, after=after)

    async def _try[T](self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        self.asked[method] += 1
        fault = self._coming[method].popleft() if self._coming[method] else self._always.get(method, "none")
        if fault == "none":
            return await call()
        if fault == "never":
            await asyncio.Event().wait()
        if fault != "before":
            await call()
        if callable(fault):
            await fault()
        raise BillyError("unavailable", "The store cannot be reached.", next="Try again in a while.", retry_after=5)

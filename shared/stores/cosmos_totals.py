"""The roll-up on Cosmos DB: counters that count each change once, whoever crashed on the way.

A change of an object waits on the object's own document (`pending`) under a token. A counter keeps the tokens of what
it counted; only when the object no longer waits is its token dropped. So a token that a counter does not have was not
counted as long as the object still waits, and that is looked up after the counter was read, unless the object began
to wait later than that. What this process wrote since it read a counter is no reading: the ETag proves that nobody
else wrote meanwhile, and what it dropped itself it remembers.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from shared.stores.cosmos import Container, Document, name, together
from shared.stores.cosmos_documents import SHIFT, Facts
from shared.stores.protocols import Total

DAY = 86_400
ALWAYS = -1  # the day under which all days are summed
FOREVER = 2**32 // DAY  # the last day that a position has room for
LANES = 16  # counters side by side for a day and for all days: each process writes to one, and does not wait for the others
QUARTER = SHIFT + 23  # bits of a position below its bucket: 97 days share an index partition
MOST_FORGOTTEN = 4_096  # tokens that a process remembers to have dropped; with more it is as if the counter had been read anew
MOST_TOKENS = 256  # more than that are left by processes that ended; they are looked into
LOOKED_INTO = 64


type _Key = tuple[str, int, int]  # kind, day, lane


@dataclass(slots=True)
class Change:
    """A pending change of an object, to be counted in its lane, whoever does it. `since` is a moment of this process before
    the change was seen waiting."""

    kind: str
    lane: int
    object: str
    created: int
    token: str
    before: Facts
    after: Facts
    since: int


@dataclass(slots=True)
class _Counter:
    """What this process knows of one counter document, and what it has to bring there."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Change] = field(default_factory=list[Change])
    settled: set[str] = field(default_factory=set[str])
    known: Document | None = None
    read_at: int = -1  # never read
    forgotten: set[str] = field(default_factory=set[str])  # tokens dropped by this process since then


class Counters:
    """Writes the counters. Changes that come at once to one counter are counted with one write."""

    def __init__(self, totals: Container, objects: Container) -> None:
        self._totals = totals
        self._objects = objects
        self._moments = count()
        self._counters: dict[_Key, _Counter] = {}

    def moment(self) -> int:
        """A number that grows with each call: what happened before what in this process."""
        return next(self._moments)

    async def add(self, changes: Sequence[Change]) -> None:
        """Counted, durably and once, on return."""
        keys: set[_Key] = set()
        for change in changes:
            for key in _keys(change):
                keys.add(key)
                self._counter(key).waiting.append(change)
        await together(self._drain(key) for key in keys)

    def settled(self, change: Change) -> None:
        """The object waits no more: the counters may drop the token when they are written next."""
        for key in _keys(change):
            self._counter(key).settled.add(change.token)

    def _counter(self, key: _Key) -> _Counter:
        if len(self._counters) > 4_096:  # a backfill walks through many days
            idle = [each for each, counter in self._counters.items() if not counter.waiting and not counter.lock.locked()]
            for each in idle[:2_048]:
                del self._counters[each]
        return self._counters.setdefault(key, _Counter())

    async def _drain(self, key: _Key) -> None:
        counter = self._counter(key)
        async with counter.lock:
            batch, counter.waiting = counter.waiting, []
            try:
                while batch and not await self._write(counter, key, batch):
                    counter.read_at = -1
            except BaseException:
                counter.read_at = -1
                counter.waiting = batch + counter.waiting  # whoever waits for these finds them, or a sweep does
                raise

    async def _write(self, counter: _Counter, key: _Key, batch: Sequence[Change]) -> bool:
        """One attempt; False where another writer came first."""
        kind, day, lane = key
        pk, id = partition(kind, day), f"{day}.{lane}"
        if counter.read_at < 0:
            counter.known = await self._totals.read(pk, id)
            counter.read_at = self.moment()
            counter.forgotten.clear()
        known = counter.known
        document = known or {"id": id, "pk": pk, "day": day, "cells": {}, "counted": [], "buckets": []}
        counted = {*document["counted"], *counter.forgotten}
        fresh = {each.token: each for each in batch if each.token not in counted}
        # A counter that was never made counted nothing.
        late = [each for each in fresh.values() if each.since <= counter.read_at] if known else []
        for each, waits in zip(late, await together(self._waits(each.object, each.token) for each in late), strict=True):
            if not waits:
                del fresh[each.token]
        if not fresh:
            return True
        dropped = set(counter.settled)
        left = [token for token in document["counted"] if token not in dropped]
        if len(left) > MOST_TOKENS:  # this process ended its own: what is left beside them may have nobody to drop it
            dropped |= await self._abandoned(left[:LOOKED_INTO])
        changed = {
            **document,
            "cells": _summed(document["cells"], list(fresh.values())),
            "counted": [token for token in document["counted"] if token not in dropped] + list(fresh),
            "buckets": sorted({*document["buckets"], *(bucket(each.created << SHIFT) for each in fresh.values())}) if day == ALWAYS else [],
        }
        after = await (self._totals.replace(changed, known["_etag"]) if known else self._totals.create(changed))
        if after is None:
            return False
        counter.settled -= dropped
        counter.forgotten |= dropped
        counter.known = after
        if len(counter.forgotten) > MOST_FORGOTTEN:  # whoever began to wait later than now waits for none of these
            counter.read_at = self.moment()
            counter.forgotten.clear()
        return True

    async def _waits(self, object: str, token: str) -> bool:
        document = await self._objects.read(object, object)
        return document is not None and any(each["token"] == token for each in document["pending"])

    async def _abandoned(self, tokens: Sequence[str]) -> set[str]:
        waiting = await together(self._waits(token.rpartition("@")[0], token) for token in tokens)
        return {token for token, waits in zip(tokens, waiting, strict=True) if not waits}


def _keys(change: Change) -> tuple[_Key, _Key]:
    return (change.kind, change.created // DAY, change.lane), (change.kind, ALWAYS, change.lane)


def partition(kind: str, day: int) -> str:
    return name(kind, "always" if day == ALWAYS else "days")


def bucket(place: int) -> int:
    return place >> QUARTER


def _summed(cells: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Amounts are text: the engine's numbers are exact to 2^53 only, and a sum may be larger."""
    sums = {cell: [number, int(amount), int(refunded)] for cell, (number, amount, refunded) in cells.items()}
    for change in changes:
        for sign, each in ((-1, change.before), (1, change.after)):
            if each is not None:
                status, _, currency, amount, refunded = each
                cell = sums.setdefault(f"{status}|{currency}", [0, 0, 0])
                cell[0] += sign
                cell[1] += sign * amount
                cell[2] += sign * refunded
    return {cell: [number, str(amount), str(refunded)] for cell, (number, amount, refunded) in sums.items() if number or amount or refunded}


class Totals:
    """Reads the roll-up: one query within a partition, the lanes summed."""

    def __init__(self, totals: Container) -> None:
        self._totals = totals

    async def cells(self, kind: str, first_day: int | None, last_day: int | None) -> list[Total]:
        """The cells of the days asked for, or without days those of all time under day 0."""
        if first_day is None and last_day is None:
            return _cells(await self._always(kind))
        low, high = max(first_day or 0, 0), FOREVER if last_day is None else last_day
        pk = partition(kind, 0)
        return _cells(
            await self._totals.query(
                "SELECT c.day, c.cells FROM c WHERE c.pk = @pk AND c.day >= @low AND c.day <= @high",
                {"pk": pk, "low": low, "high": high},
                pk,
            )
        )

    async def always(self, kind: str) -> tuple[list[Total], list[int]]:
        """The cells of all time, and the buckets in which there are objects, newest first."""
        documents = await self._always(kind)
        return _cells(documents), sorted({each for document in documents for each in document["buckets"]}, reverse=True)

    async def _always(self, kind: str) -> list[Document]:
        pk = partition(kind, ALWAYS)
        return await self._totals.query("SELECT c.day, c.cells, c.buckets FROM c WHERE c.pk = @pk", {"pk": pk}, pk)


def _cells(documents: Sequence[Document]) -> list[Total]:
    sums: dict[tuple[int, str, str], list[int]] = {}
    for document in documents:
        for cell, (number, amount, refunded) in document["cells"].items():
            status, _, currency = cell.rpartition("|")
            each = sums.setdefault((max(document["day"], 0), status, currency), [0, 0, 0])
            each[0] += number
            each[1] += int(amount)
            each[2] += int(refunded)
    return [Total(*where, *sums[where]) for where in sorted(sums) if sums[where][0] > 0]

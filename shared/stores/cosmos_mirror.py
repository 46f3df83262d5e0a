"""The mirror on Cosmos DB: the object's document is the truth, lists and totals follow it and repair themselves."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from os import getpid
from socket import gethostname
from typing import Any
from zlib import crc32

from shared.stores.cosmos import Container, CosmosAccount, Document, together
from shared.stores.cosmos_documents import advance, asked, check, key, marked, sortable, stored
from shared.stores.cosmos_entries import Entries, Lists
from shared.stores.cosmos_layout import ENTRIES, OBJECTS, TOTALS
from shared.stores.cosmos_totals import LANES, Change, Counters, Totals
from shared.stores.protocols import Applied, Page, Query, Stored, Total, Unseen, Write
from shared.stores.words import holds

AT_ONCE = 24  # objects that one call writes side by side
MOST_TERMS = 8  # beginnings of words that the index is asked for; the rest is compared with what it finds
LOOK_THROUGH = 500  # objects at most that one search compares


class CosmosMirror:
    """`Mirror` over an account. There is no transaction over partitions, so a write goes in steps that may be repeated:

    1. the object's document, by compare-and-set; what lists and totals have to follow stands on it as `pending`;
    2. its entries in the lists, guarded by its version, and its counters, each change once by its token;
    3. what is pending is taken off the document.

    Whoever meets a document with something pending ends it: a later write of the object, or `repair`. Search needs no
    step of its own: the words stand on the document. Its limits beside SQLite's: the first 64 different words of an
    object are found, a query asks for its eight longest words and compares the rest, and looks through 500 objects.
    """

    def __init__(self, account: CosmosAccount, lane: int | None = None) -> None:
        """`lane` picks this process's counters among those side by side; without one it follows from host and process."""
        self._account = account
        self._objects: Container = account.container(OBJECTS)
        totals = account.container(TOTALS)
        self._entries = Entries(account.container(ENTRIES))
        self._lane = (crc32(f"{gethostname()}:{getpid()}".encode()) if lane is None else lane) % LANES
        self._counters = Counters(totals, self._objects)
        self._totals = Totals(totals)
        self._lists = Lists(account.container(ENTRIES), self._objects, self._totals)

    async def close(self) -> None:
        """Closes the account."""
        await self._account.close()

    async def get(self, kind: str, id: str) -> Stored | None:
        """One point read."""
        document = await self._read(kind, id)
        return stored(document) if document else None

    async def list(self, query: Query) -> Page:
        """A query of index entries within a partition, a point read for each body, and the total from the roll-up.

        A list of a kind goes on in the partition of the quarter before where one quarter does not fill the page.
        """
        return await self._lists.page(query)

    async def search(self, text: str, kinds: Sequence[str], limit: int) -> Sequence[Stored]:
        """An exact id by point read; words by the index on their beginnings, newest first."""
        exact = text.strip()
        read = await together(self._read(kind, exact) for kind in kinds) if exact else []
        found = [document for document in read if document is not None and not document["deleted"]]
        ids = {document["id"] for document in found}
        for id in await self._matching(text, kinds, limit):
            if len(found) >= limit:
                break
            if id not in ids and (document := await self._objects.read(id, id)) is not None and not document["deleted"]:
                found.append(document)
        return [stored(document) for document in found[:limit]]

    async def totals(self, kind: str, first_day: int | None = None, last_day: int | None = None) -> Sequence[Total]:
        return await self._totals.cells(kind, first_day, last_day)

    async def unseen(self, kind: str, before: int, limit: int, after: int | None = None) -> Unseen:
        """A query of so many documents by the indexes on kind and position; the stamps are compared here."""
        values: Document = {"kind": kind} | ({} if after is None else {"after": sortable(after)})
        below = "" if after is None else " AND c.position < @after"
        rows = await self._objects.query(
            f"SELECT TOP {int(limit)} c.oid, c.stamp, c.deleted, c.position FROM c WHERE c.kind = @kind{below} "  # noqa: S608
            "ORDER BY c.kind DESC, c.position DESC",  # as the index of both has it: a rare kind is not looked for among all
            values,
        )
        ids = [row["oid"] for row in rows if not row["deleted"] and row["stamp"] < before]
        return Unseen(ids, int(rows[-1]["position"]) if len(rows) == limit else None)

    async def apply(self, writes: Sequence[Write]) -> Sequence[Applied]:
        """Each object's writes in their order, different objects side by side. Raises ValueError before anything is written.

        Raises `unavailable` where the account does; what was written by then stays, and repeating the call ends it.
        """
        objects: dict[str, list[int]] = {}
        for index, write in enumerate(writes):
            check(write)
            objects.setdefault(key(write.kind, write.id), []).append(index)
        slots = asyncio.Semaphore(AT_ONCE)
        answers: dict[int, Applied] = {}

        async def bring(id: str, indexes: Sequence[int]) -> tuple[Document, int] | None:
            async with slots:
                told, document, since = await self._write(id, [writes[index] for index in indexes])
            answers.update(zip(indexes, told, strict=True))
            return (document, since) if document and document["pending"] else None

        done, failed = await _all(bring(id, indexes) for id, indexes in objects.items())
        await self._follow([each for each in done if each is not None])
        if failed:
            raise failed[0]
        return [answers[index] for index in range(len(writes))]

    async def repair(self, limit: int = 100) -> int:
        """Ends what crashes have left, and tells how many objects it met. It meets writes under way too, which does no harm."""
        rows = await self._objects.query(f"SELECT TOP {int(limit)} c.id FROM c WHERE c.unsettled = true", {})  # noqa: S608

        async def look(id: str) -> tuple[Document, int] | None:
            since = self._counters.moment()
            document = await self._objects.read(id, id)
            return (document, since) if document and document["pending"] else None

        done, failed = await _all(look(row["id"]) for row in rows)
        met = [each for each in done if each is not None]
        await self._follow(met)
        if failed:
            raise failed[0]
        return len(met)

    async def _read(self, kind: str, id: str) -> Document | None:
        at = key(kind, id)
        return await self._objects.read(at, at)

    async def _write(self, id: str, writes: Sequence[Write]) -> tuple[Sequence[Applied], Document | None, int]:
        """The answers, the document as it is then, and a moment before what is pending on it was."""
        while True:
            since = self._counters.moment()
            before = document = await self._objects.read(id, id)
            told: Sequence[Applied] = ()
            for write in writes:
                answer, document = advance(document, write, self._lane)
                told = (*told, answer)
            if document is before or document is None:
                return told, document, since
            after = await (self._objects.create(document) if before is None else self._objects.replace(document, before["_etag"]))
            if after is not None:
                return told, after, since

    async def _follow(self, documents: Sequence[tuple[Document, int]]) -> None:
        """Steps two and three."""
        if not documents:
            return
        changes = {document["id"]: [_change(document, each, since) for each in document["pending"]] for document, since in documents}
        slots = asyncio.Semaphore(AT_ONCE)

        async def settle(document: Document) -> None:
            async with slots:
                await self._settle(document, changes[document["id"]])

        async def enter(document: Document) -> None:
            async with slots:
                await self._entries.follow(document)

        steps: list[Coroutine[Any, Any, None]] = [enter(document) for document, _ in documents]
        _, failed = await _all([*steps, self._counters.add([each for listed in changes.values() for each in listed])])
        if not failed:
            _, failed = await _all(settle(document) for document, _ in documents)
        if failed:
            raise failed[0]

    async def _settle(self, document: Document, changes: Sequence[Change]) -> None:
        done = {change.token for change in changes}
        current: Document | None = document
        while current is not None and (ended := [each for each in current["pending"] if each["token"] in done]):
            rest = [each for each in current["pending"] if each not in ended]
            if await self._objects.replace(marked(current | {"pending": rest}), current["_etag"]) is not None:
                break
            current = await self._objects.read(document["id"], document["id"])
        for change in changes:
            self._counters.settled(change)

    async def _matching(self, text: str, kinds: Sequence[str], limit: int) -> Sequence[str]:
        """Ids of documents whose text holds what was asked, newest first."""
        terms, sought = asked(text)
        if not terms or not kinds:
            return []
        terms = terms[:MOST_TERMS]
        values = {f"t{n}": term for n, term in enumerate(terms)} | {f"k{n}": kind for n, kind in enumerate(kinds)}
        conditions = [f"c.kind IN ({', '.join(f'@k{n}' for n in range(len(kinds)))})"]
        conditions += [f"ARRAY_CONTAINS(c.words, @t{n})" for n in range(len(terms))]
        rows = await self._objects.query(
            f"SELECT TOP {LOOK_THROUGH if len(sought) > 1 else max(limit + 1, 50)} c.id, c.text FROM c "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY c.position DESC",
            values,
        )
        return [row["id"] for row in rows if holds(row["text"], sought)]


def _change(document: Document, pending: Document, since: int) -> Change:
    what = (pending["token"], pending["before"], pending["after"])
    return Change(document["kind"], pending["lane"], document["id"], pending["created"], *what, since)


async def _all[T](steps: Iterable[Awaitable[T]]) -> tuple[list[T], list[BaseException]]:
    """What ended well and what failed, when everything has ended: nothing goes on behind the caller's back."""
    results: list[Any] = await asyncio.gather(*steps, return_exceptions=True)
    return [each for each in results if not isinstance(each, BaseException)], [each for each in results if isinstance(each, BaseException)]

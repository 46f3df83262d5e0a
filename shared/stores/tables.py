"""The audit log in Azure Table Storage: rows are inserted and read, and the app's identity may do nothing else.

A row of an attempt is kept twice: where its time is, and where its attempt is, because the service has no second index and an attempt is
looked up by its id years later. So is a row about a key, and one that gives or takes a right. The copies are written first. A crash between
leaves a copy of a row that was never promised, never a promised row without its copy.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient

from shared.entered import is_loopback
from shared.errors import BillyError
from shared.stores.causes import TABLES, refusal
from shared.stores.identity import identified
from shared.stores.protocols import Exists, Looked
from shared.stores.tables_keys import SHARDS, backwards, bounds, copies_of, forwards, partition, shard_of
from shared.stores.tables_walk import FIRST, joined, walk

TABLE = "audit"
NEEDED = ("id", "at", "operation", "actor")
COLUMNS = (
    "operation",
    "actor",
    "attempt",
    "decision",
    "object",
    "right",
    "correlation_id",
    "taken",
)  # what the service itself compares; the rest is compared here
LARGEST = 30_000  # characters of a row; a property takes 32 Ki UTF-16 units
LARGEST_PAGE = 1000  # rows in one answer of the service
PIECE = 1000  # rows that are looked through at once, in each shard
FARTHEST = 4 * PIECE  # and in one answer
UNEVEN = 16  # rows that a shard may hold above twice its share of what is wanted
EVER = 1 << 50  # milliseconds: an attempt has few rows, which are asked for at once

type Ids = list[str]
type Rows = list[dict[str, Any]]
type Queries = list[tuple[str, dict[str, str]]]


class TablesAuditLog:
    """`AuditLog` over one table. Open it once in a process, and close it."""

    def __init__(self, table: TableClient) -> None:
        self._table: Any = table  # the client's methods take keywords without types

    @classmethod
    def open(cls, endpoint: str, credential: AsyncTokenCredential | str, table: str = TABLE) -> "TablesAuditLog":
        """Over a table of the service at `endpoint`. A text is an emulator's key: raises ValueError for one that would leave this machine."""
        if isinstance(credential, str) and not is_loopback(endpoint):
            raise ValueError("A key is for an emulator on this machine; Azure takes the managed identity.")
        account = urlsplit(endpoint).path.strip("/")
        signed = AzureNamedKeyCredential(account, credential) if isinstance(credential, str) else identified(credential)
        patience: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.3, "connection_timeout": 5, "read_timeout": 20}
        # Proxies of the environment would be looked up for each request, which costs a third of the client's processor time.
        transport = AioHttpTransport(use_env_settings=False, **patience)
        return cls(TableClient(endpoint, table, credential=signed, transport=transport, **patience))

    async def create(self) -> None:
        """Makes the table where it is not there: for emulators. In Azure it is deployed, and the app may not make tables."""
        try:
            await self._table.create_table()
        except ResourceExistsError:
            return
        except AzureError as failure:
            raise _unavailable(failure) from failure

    async def close(self) -> None:
        await self._table.close()

    async def append(self, row: Mapping[str, Any]) -> None:
        """Durable on return. Raises ValueError for a row without the needed fields, `Exists` for an id with another row.

        The same row once more is no error: the client repeats an insert whose answer was lost.
        """
        if any(not isinstance(row.get(name), str) for name in NEEDED):
            raise ValueError(f"An audit row has {', '.join(NEEDED)} as text.")
        text = orjson.dumps(dict(row)).decode()
        if len(text) > LARGEST:
            raise ValueError(f"An audit row is at most {LARGEST} characters long.")
        id: str = row["id"]
        columns = {name: row[name] for name in COLUMNS if isinstance(row.get(name), str)}
        places = [*copies_of(row), partition(shard_of(id), id)]
        try:
            for place in places:
                await self._insert(place, backwards(id), text, columns)
        except AzureError as failure:
            raise _unavailable(failure) from failure

    async def list(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Newest first. By `attempt`, `right` or a key as `object` one partition is read; by anything else the log, from `after` on until `limit` rows are found."""
        wanted = dict(where or {})
        copies = next(iter(copies_of(wanted)), None)
        try:
            if copies is not None:
                return await self._rows(_in_copies(copies, after), limit, wanted)
            found = await asyncio.gather(*(self._rows(_in_shard(shard, after), limit, wanted) for shard in range(SHARDS)))
        except AzureError as failure:
            raise _unavailable(failure) from failure
        return sorted((row for rows in found for row in rows), key=_id, reverse=True)[:limit]

    async def look(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> Looked:
        """In every shard a piece of the log is taken, whatever is in it, and the service compares the rows of that piece alone."""
        wanted = dict(where or {})
        if not wanted:
            return Looked(await self.list(limit=limit, after=after))
        place = next(iter(copies_of(wanted)), None)
        lanes: Sequence[int | str] = (place,) if place else range(SHARDS)
        try:
            looked = await asyncio.gather(*(self._lane(lane, limit, after, wanted) for lane in lanes))
        except AzureError as failure:
            raise _unavailable(failure) from failure
        return joined(looked, limit)

    async def look_on(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Looked:
        """So many rows of the log are read, whatever is in them, and compared here. Where rows have copies of their own, those are read."""
        wanted = dict(where or {})
        if not wanted or copies_of(wanted):
            return Looked(await self.following(after=after, until=until, limit=limit, where=wanted))
        rows = await self.following(after=after, until=until, limit=FARTHEST)
        found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())][:limit]
        return Looked(found, rows[-1]["id"] if len(found) < limit and len(rows) == FARTHEST else None)

    async def _lane(self, lane: int | str, limit: int, after: str | None, wanted: Mapping[str, str]) -> Looked:
        """What is found in one shard, or in one partition of copies, and how far it was looked through if not to its end."""
        found: Rows = []
        position, seen = after, 0
        while len(found) < limit and seen < FARTHEST:
            ids = await self._ids(_in_shard(lane, position) if isinstance(lane, int) else _in_copies(lane, position), PIECE)
            if not ids:
                return Looked(found)
            newest, position = ids[0], ids[-1]
            piece = _between(lane, position, newest, "le") if isinstance(lane, int) else _in_partition(lane, position, newest, "le")
            found += await self._rows(piece, PIECE, wanted)
            if len(ids) < PIECE:
                return Looked(found)
            seen += len(ids)
        return Looked(found, position)

    async def _ids(self, queries: Queries, count: int) -> Sequence[str]:
        """The ids of the first rows of some queries."""
        ids: Ids = []
        for query, parameters in queries:
            if len(ids) < count:
                pages = self._table.query_entities(
                    query, parameters=parameters, select=["RowKey"], results_per_page=min(count, LARGEST_PAGE)
                )
                async for entity in pages:
                    ids.append(forwards(entity["RowKey"]))
                    if len(ids) == count:
                        break
        return ids

    async def following(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
        """Oldest first, above `after`, up to and with `until`.

        All shards are asked side by side for one stretch of time after the other. A poller's ten minutes are one question to each, three
        where partitions meet. The length of the range adds stretches by its logarithm: nine for a silent year, some forty where a crowd
        follows on it. At most about 3 x `limit` + 136 rows are held. A `where` that few rows meet is looked for in the whole range, as
        `list` looks for it in the whole log: whoever wants an answer soon asks for a shorter range.
        """
        wanted = dict(where or {})
        copies = next(iter(copies_of(wanted)), None)

        async def stretch(low: str, high: str, most: int | None) -> Sequence[dict[str, Any]] | None:
            each = [_in_partition(copies, low, high)] if copies else [_between(shard, low, high) for shard in range(SHARDS)]
            share = sys.maxsize - 1 if most is None else 2 * most // len(each) + UNEVEN
            found = await asyncio.gather(*(self._rows(queries, share + 1, wanted) for queries in each))
            if any(len(rows) > share for rows in found):
                return None
            return sorted((row for rows in found for row in rows), key=_id)

        try:
            return await walk(stretch, after=after, until=until, limit=limit, first=EVER if copies else FIRST)
        except AzureError as failure:
            raise _unavailable(failure) from failure

    async def _insert(self, place: str, position: str, text: str, columns: Mapping[str, str]) -> None:
        try:
            await self._table.create_entity({"PartitionKey": place, "RowKey": position, "entry": text, **columns})
        except ResourceExistsError:
            there = await self._table.get_entity(place, position)
            if there["entry"] != text:
                raise Exists from None

    async def _rows(self, queries: Queries, limit: int, wanted: Mapping[str, str]) -> "list[dict[str, Any]]":
        """The first `limit` rows of some queries, one after the other, each in the order of the service."""
        compared = [name for name in COLUMNS if name in wanted]
        found: list[dict[str, Any]] = []
        for query, parameters in queries:
            if len(found) >= limit:
                break
            text = " and ".join([query, *(f"{name} eq @{name}" for name in compared)])
            values: dict[str, Any] = parameters | {name: wanted[name] for name in compared}
            pages = self._table.query_entities(text, parameters=values, select=["entry"], results_per_page=min(limit, LARGEST_PAGE))
            async for entity in pages:
                row: dict[str, Any] = orjson.loads(entity["entry"])
                if all(row.get(name) == value for name, value in wanted.items()):
                    found.append(row)
                if len(found) >= limit:
                    break
        return found


def _in_shard(shard: int, after: str | None) -> Queries:
    """The queries that give a shard's rows below `after`. Two ranges, because the service scans everything for an `or`."""
    low, high = bounds(shard)
    whole = "PartitionKey gt @low and PartitionKey lt @high"
    if after is None:
        return [(whole, {"low": low, "high": high})]
    here = partition(shard, after)
    return [
        ("PartitionKey eq @here and RowKey gt @position", {"here": here, "position": backwards(after)}),
        (whole, {"low": here, "high": high}),
    ]


def _in_copies(place: str, after: str | None) -> Queries:
    if after is None:
        return [("PartitionKey eq @place", {"place": place})]
    return [("PartitionKey eq @place and RowKey gt @position", {"place": place, "position": backwards(after)})]


def _between(shard: int, low: str, high: str, end: str = "lt") -> Queries:
    """The queries that give a shard's rows with low < id <= high, newest first: none scans what lies outside. With the end `le`, from low on."""
    newest, oldest = partition(shard, high), partition(shard, low)
    if newest == oldest:
        return _in_partition(newest, low, high, end)
    return [
        ("PartitionKey eq @newest and RowKey ge @first", {"newest": newest, "first": backwards(high)}),
        ("PartitionKey gt @newest and PartitionKey lt @oldest", {"newest": newest, "oldest": oldest}),
        (f"PartitionKey eq @oldest and RowKey {end} @end", {"oldest": oldest, "end": backwards(low)}),
    ]


def _in_partition(place: str, low: str, high: str, end: str = "lt") -> Queries:
    query = f"PartitionKey eq @place and RowKey ge @first and RowKey {end} @end"
    return [(query, {"place": place, "first": backwards(high), "end": backwards(low)})]


def _id(row: dict[str, Any]) -> str:
    return row["id"]


def _unavailable(failure: AzureError) -> BillyError:
    away = BillyError("unavailable", "The audit log cannot be reached.", next="Try again later.", retry_after=5)
    return refusal(failure, TABLES) or away

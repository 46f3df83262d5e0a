"""Billy's own documents on Cosmos DB, each changed by compare-and-set alone."""

import re
from collections.abc import Mapping
from typing import Any

from shared.stores.cosmos import Container, CosmosAccount, Document, name
from shared.stores.cosmos_layout import GATHERED, ORDERED, RECORDS
from shared.stores.expiry import kept_for
from shared.stores.protocols import Changed, Exists, Record

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CosmosRecords:
    """`Records` over an account. A small collection is one partition; in others each record is one, so that a thousand a
    second spread, and finding asks all partitions for what the index on `state`, `due` or `key_id` holds."""

    def __init__(self, account: CosmosAccount) -> None:
        self._account = account
        self._records: Container = account.container(RECORDS)

    async def close(self) -> None:
        """Closes the account."""
        await self._account.close()

    async def get(self, collection: str, id: str) -> Record | None:
        """One point read."""
        found = await self._records.read(_partition(collection, id), name(id))
        return _record(found) if found else None

    async def insert(self, collection: str, id: str, document: Mapping[str, Any]) -> Record:
        made = await self._records.create(_document(collection, id, document, 1))
        if made is None:
            raise Exists
        return _record(made)

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        """A point read and a conditional write: the version is ours, the ETag the engine's."""
        there = await self._records.read(_partition(collection, record.id), name(record.id))
        if there is None or there["version"] != record.version:
            raise Changed
        after = await self._records.replace(_document(collection, record.id, document, record.version + 1), there["_etag"])
        if after is None:
            raise Changed
        return _record(after)

    async def find(
        self, collection: str, where: Mapping[str, str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[Record]:
        fields = dict(where or {})
        if any(not _FIELD.fullmatch(field) for field in fields):
            raise ValueError("A field's name is an identifier.")
        values: dict[str, Any] = {"collection": collection, **{f"w{n}": value for n, value in enumerate(fields.values())}}
        conditions = ["c.collection = @collection", *(f'c.document["{field}"] = @w{n}' for n, field in enumerate(fields))]
        if after is not None:
            conditions.append("c.id < @after")
            values["after"] = name(after)
        pk = collection if collection in GATHERED else None
        if pk is not None:
            conditions.insert(0, "c.pk = @pk")
            values["pk"] = pk
        # What is equal for all stands in the order too, because an index of several paths is used only as a whole.
        alone = [f"c.document.{field}" for field in fields if field in ORDERED and len(fields) == 1]
        order = ["c.collection", *alone, "c.id"]
        rows = await self._records.query(
            f"SELECT TOP {int(limit)} * FROM c WHERE {' AND '.join(conditions)} "  # noqa: S608
            f"ORDER BY {', '.join(f'{path} DESC' for path in order)}",
            values,
            pk,
        )
        return [_record(row) for row in rows]


def _partition(collection: str, id: str) -> str:
    return collection if collection in GATHERED else name(collection, id)


def _document(collection: str, id: str, document: Mapping[str, Any], version: int) -> Document:
    made: Document = {
        "id": name(id),
        "pk": _partition(collection, id),
        "collection": collection,
        "key": id,
        "version": version,
        "document": dict(document),
    }
    if (kept := kept_for(collection, document)) is not None:
        made["ttl"] = kept
    return made


def _record(document: Document) -> Record:
    return Record(document["key"], document["document"], document["version"])

"""Taking keys away: what a key made, and its revocation in both stores. The audit log is told first, because it outweighs the records."""

from collections.abc import Awaitable, Callable
from typing import Any

from shared.context import Context
from shared.people.keys import COLLECTION, every_key, records_of, works
from shared.people.taken import is_taken
from shared.people.ways_in import leave
from shared.stores.changes import change
from shared.stores.protocols import Record

type Document = dict[str, Any]
type Tell = Callable[[Document], Awaitable[None]]  # leaves the audit row of a key that is taken away


async def made_by(context: Context, id: str) -> list[Document]:
    """The keys that work now and that a key made, or those that it made, and so on; the oldest first."""
    keys = [record.document for record in await every_key(context)]
    above, found = {id}, set[str]()
    while above:
        above = {str(each["key_id"]) for each in keys if each["created_by"] in above} - found - {id}
        found |= above
    now = context.seam.now()
    there = {str(each["key_id"]): each for each in keys if each["key_id"] in found and works(each, now)}
    return [there[each] for each in sorted(there)]


async def revoke(context: Context, documents: list[Document], tell: Tell) -> list[Document] | None:
    """The keys' documents once they are revoked, or None where they are the last way in."""
    if not await leave(context, {str(each["key_id"]) for each in documents}):
        return None
    return [await _revoked(context, each, tell) for each in documents]


async def _revoked(context: Context, document: Document, tell: Tell) -> Document:
    id = str(document["key_id"])
    if document["revoked"] is None or not await is_taken(context, id):  # version 0.1.0 told the records alone
        await tell(document)
        context.standing.pop(id, None)
    found = [await revoke_record(context, each) for each in await records_of(context, id)]
    return found[0] if found else document


async def revoke_record(context: Context, record: Record) -> Document:
    """The document of a key's record, which says now that it is revoked."""
    now = int(context.seam.now())

    def revoked(document: Document) -> Document | None:
        return None if document["revoked"] is not None else document | {"revoked": now}

    changed = await change(context.records, COLLECTION, record.id, revoked, known=record)
    there = changed or await context.records.get(COLLECTION, record.id)
    return there.document if there else record.document

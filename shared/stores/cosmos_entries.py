"""The lists on Cosmos DB: small index entries, for each object one under its kind and one under its customer.

An entry says where an object stands, not what it is: whoever reads a list reads the objects too and leaves out what an
entry tells wrongly. An entry carries the object's version, so that a slow writer never undoes a faster one; one that
was taken out stays for a day as a marker that is in no list.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.stores.cosmos import Container, Document, name, together
from shared.stores.cosmos_documents import SHIFT, body, facts, position, sortable
from shared.stores.cosmos_layout import RETIRED
from shared.stores.cosmos_totals import DAY, FOREVER, QUARTER, Totals, bucket
from shared.stores.protocols import Page, Query

LAST = 2**63 - 1


class Entries:
    """Keeps the entries of objects in step with their documents."""

    def __init__(self, entries: Container) -> None:
        self._entries = entries

    async def follow(self, document: Document) -> None:
        """Makes the entries say what the document says. May be done again, by anybody, in any order."""
        changes = document["pending"]
        states = [state for change in changes for state in (change["before"], change["after"])]
        if len({None if state is None else (state[0], state[1]) for state in states}) < 2:
            return  # neither the status nor the customer was another one
        now = facts(document)
        made = {_in_bucket(document["kind"], bucket(position(change["created"], document["oid"]))) for change in changes}
        new = states[0] is None
        customers = {str(state[1]) for state in states if state is not None and state[1] is not None}
        wanted = {pk: now is not None and pk == _by_kind(document) for pk in made} | {
            _by_customer(document["kind"], customer): now is not None and customer == now[1] for customer in customers
        }
        await together(self._put(_entry(document, pk, listed), new=new) for pk, listed in wanted.items())

    async def _put(self, entry: Document, *, new: bool) -> None:
        while True:
            there = None if new else await self._entries.read(entry["pk"], entry["id"])
            if there is None:
                if await self._entries.create(entry) is not None:
                    return
                new = False
            elif there["version"] >= entry["version"] or await self._entries.replace(entry, there["_etag"]) is not None:
                return


class Lists:
    """Reads pages and totals."""

    def __init__(self, entries: Container, objects: Container, totals: Totals) -> None:
        self._entries = entries
        self._objects = objects
        self._totals = totals

    async def page(self, query: Query) -> Page:
        low, high = _positions(query)
        if query.customer is not None:
            partitions = [_by_customer(query.kind, query.customer)]
            total = await self._count(partitions[0], query, low, high)
        else:
            cells, buckets = await self._totals.always(query.kind)
            partitions = [_in_bucket(query.kind, each) for each in buckets if bucket(low) <= each <= bucket(max(high, 0))]
            total = await self._total(query, sum(each.count for each in cells if query.status in (None, each.status)), buckets)
        if query.after is not None:
            high = min(high, query.after - 1)
        found, more = await self._found(query, partitions, low, high)
        return Page([body(document) for document in found], int(found[-1]["position"]) if more else None, total)

    async def _found(self, query: Query, partitions: Sequence[str], low: int, high: int) -> tuple[list[Document], bool]:
        """Objects that are what their entries say, newest first, and whether there is another entry after them."""
        found: list[Document] = []
        for pk in partitions:
            above = high
            while low <= above:
                missing = query.limit - len(found)
                rows = await self._entries.query(
                    f"SELECT TOP {missing + 1} c.id, c.place FROM c WHERE {_RANGE[query.status is None]} "  # noqa: S608
                    f"ORDER BY c.{_FIELD[query.status is None]} DESC",
                    _range(pk, query, low, above),
                    pk,
                )
                if missing == 0:
                    if rows:
                        return found, True
                    break
                shown = rows[:missing]
                documents = await together(self._objects.read(row["id"], row["id"]) for row in shown)
                found += [document for document in documents if document is not None and _matches(document, query)]
                if len(rows) <= missing:
                    break
                above = int(shown[-1]["place"]) - 1
                if len(found) == query.limit:
                    return found, True
        return found, False

    async def _total(self, query: Query, always: int, buckets: Sequence[int]) -> int:
        """From the roll-up as far as whole days go; what is left of the first and the last day is counted in an index."""
        start = max(query.created_from or 0, 0)
        end = (FOREVER + 1) * DAY - 1 if query.created_to is None else min(query.created_to, (FOREVER + 1) * DAY - 1)
        first, last = -(-start // DAY), (end + 1) // DAY - 1
        if first <= 0 and last >= FOREVER:
            return always
        if first > last:
            return await self._count_all(query, start, end, buckets)
        cells = await self._totals.cells(query.kind, first, last)
        total = sum(each.count for each in cells if query.status in (None, each.status))
        for low, high in ((start, first * DAY - 1), ((last + 1) * DAY, end)):
            total += await self._count_all(query, low, high, buckets)
        return total

    async def _count_all(self, query: Query, start: int, end: int, buckets: Sequence[int]) -> int:
        """How many were made from second `start` to second `end`."""
        if start > end:
            return 0
        low, high = start << SHIFT, min((end + 1 << SHIFT) - 1, LAST)
        within = [each for each in buckets if low >> QUARTER <= each <= high >> QUARTER]
        return sum(await together(self._count(_in_bucket(query.kind, each), query, low, high) for each in within))

    async def _count(self, pk: str, query: Query, low: int, high: int) -> int:
        if low > high:
            return 0
        text = f"SELECT VALUE COUNT(1) FROM c WHERE {_RANGE[query.status is None]}"  # noqa: S608
        return int(sum(await self._entries.query(text, _range(pk, query, low, high), pk)))


# By whether every status is wanted.
_FIELD = {True: "place", False: "standing"}
_RANGE = {every: f"c.pk = @pk AND c.{field} >= @low AND c.{field} <= @high" for every, field in _FIELD.items()}


def _range(pk: str, query: Query, low: int, high: int) -> Mapping[str, Any]:
    before = "" if query.status is None else f"{query.status}|"
    return {"pk": pk, "low": before + sortable(low), "high": before + sortable(high)}


def _matches(document: Document, query: Query) -> bool:
    return not document["deleted"] and query.status in (None, document["status"]) and query.customer in (None, document["customer"])


def _positions(query: Query) -> tuple[int, int]:
    low = 0 if query.created_from is None else min(max(query.created_from, 0), 2**32) << SHIFT
    high = LAST if query.created_to is None else (min(max(query.created_to, -1), 2**32 - 1) + 1 << SHIFT) - 1
    return min(low, LAST), high


def _in_bucket(kind: str, number: int) -> str:
    return name(kind, "made", str(number))


def _by_kind(document: Document) -> str:
    return _in_bucket(document["kind"], bucket(int(document["position"])))


def _by_customer(kind: str, customer: str) -> str:
    return name(kind, "of", customer)


def _entry(document: Document, pk: str, listed: bool) -> Document:
    entry: Document = {"id": document["id"], "pk": pk, "version": document["version"]}
    if not listed:
        return entry | {"ttl": RETIRED}
    return entry | {"place": document["position"], "standing": f"{document['status']}|{document['position']}"}

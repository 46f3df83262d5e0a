"""A mirror of any size: what a call asks of Cosmos DB does not grow with what lies there, and nothing asks everybody but what must."""

import json
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.gateway.webhook import LARGEST_MESSAGE
from shared.road.catalogue import OPERATIONS
from shared.stores.cosmos import Container, CosmosAccount
from shared.stores.cosmos_documents import MOST_WORDS, PREFIX, SHIFT
from shared.stores.cosmos_layout import ENTRIES, OBJECTS, RECORDS, TOTALS, layout
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.cosmos_totals import DAY, LANES, MOST_TOKENS, QUARTER
from shared.stores.protocols import Query, Write
from tests.spec.conftest import Billy
from tests.stores.adapters import cosmos_account
from tests.stores.cosmos_front import Front

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cosmos")]

NOON = 20_000 * DAY + DAY // 2
SMALL, LARGE = 30, 600


def charge(n: int, *, at: int = NOON, status: str = "succeeded") -> Write:
    id = f"ch_{n:05}"
    body = b'{"id":"%b","object":"charge"}' % id.encode()
    return Write("charge", id, at, at, body, status, f"cus_{n % 3}", "usd", 100, 0, f"Ann Person{n:05} order{n:05}")


CALLS: dict[str, Callable[[CosmosMirror], Awaitable[Any]]] = {
    "get": lambda mirror: mirror.get("charge", "ch_00007"),
    "the newest of a kind": lambda mirror: mirror.list(Query("charge", limit=10)),
    "the newest of a status": lambda mirror: mirror.list(Query("charge", status="succeeded", limit=10)),
    "a customer's": lambda mirror: mirror.list(Query("charge", customer="cus_1", limit=10)),
    "of some days": lambda mirror: mirror.list(Query("charge", created_from=NOON - DAY, created_to=NOON + DAY, limit=10)),
    "a page further on": lambda mirror: mirror.list(Query("charge", limit=10, after=NOON + 15 << SHIFT)),
    "totals of a month": lambda mirror: mirror.totals("charge", 20_000 - 30, 20_000),
    "totals of all time": lambda mirror: mirror.totals("charge"),
    "a word that one object has": lambda mirror: mirror.search("order00007", ["charge"], 10),
    "an id": lambda mirror: mirror.search("ch_00007", ["charge"], 10),
    "nothing": lambda mirror: mirror.search("nobody", ["charge"], 10),
    "what a crash left": lambda mirror: mirror.repair(),
    "an object there already": lambda mirror: mirror.apply([charge(7)]),
}


@pytest.fixture
async def account(emulators: dict[str, str], tmp_path: Path) -> AsyncIterator[CosmosAccount]:
    opened = await cosmos_account(emulators["cosmos_endpoint"], tmp_path)
    yield opened
    await opened.close()


async def asked(account: CosmosAccount, mirror: CosmosMirror) -> dict[str, dict[tuple[str, str], int]]:
    found = {}
    for name, call in CALLS.items():
        account.units.operations.clear()
        await call(mirror)
        found[name] = dict(account.units.operations)
    return found


async def test_what_a_call_asks_does_not_grow_with_the_mirror(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account, lane=0)
    await mirror.apply([charge(n, at=NOON + n) for n in range(SMALL)])
    small = await asked(account, mirror)
    await mirror.apply([charge(n, at=NOON + n) for n in range(SMALL, LARGE)])
    assert await asked(account, mirror) == small


async def test_only_search_and_repair_ask_every_partition(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account, lane=0)
    await mirror.apply([charge(n, at=NOON + n) for n in range(SMALL)])
    wide = {name for name, did in (await asked(account, mirror)).items() if any(what == "query across" for _, what in did)}
    assert wide == {"a word that one object has", "an id", "nothing", "what a crash left"}


async def test_a_new_object_is_as_many_operations_whatever_lies_there(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account, lane=0)
    counted = []
    for n in (0, SMALL, LARGE):
        await mirror.apply([charge(each, at=NOON + each) for each in range(n)])
        account.units.operations.clear()
        await mirror.apply([charge(10_000 + n, at=NOON + n)])
        counted.append(account.units.operations.total())
    assert counted == [9, 7, 7], "the first of all makes its two counters, and looks first whether they are there"


async def test_a_list_of_a_rare_status_asks_each_quarter_once(account: CosmosAccount) -> None:
    """The price of entries by quarter: what is rare over ten years is forty queries, however many objects lie between."""
    mirror = CosmosMirror(account, lane=0)
    quarter = 2 ** (QUARTER - SHIFT)
    assert round(quarter / DAY) == 97
    await mirror.apply([charge(n, at=NOON - n % 8 * quarter) for n in range(200)])
    await mirror.apply([charge(1_000, at=NOON - 8 * quarter, status="disputed")])
    account.units.operations.clear()
    page = await mirror.list(Query("charge", status="disputed", limit=10))
    assert (len(page.bodies), page.total) == (1, 1)
    assert account.units.operations[ENTRIES, "query"] == 9


async def test_what_a_document_holds_is_bounded(account: CosmosAccount) -> None:
    """An object's words, a counter's cells and tokens, and the counters of a kind: none grows with the number of objects."""
    mirror = CosmosMirror(account, lane=0)
    wordy = " ".join(f"{chr(97 + n % 26)}{n:015d}" for n in range(1_000))
    await mirror.apply([Write("charge", "ch_wordy", NOON, NOON, b"{}", "succeeded", None, "usd", 1, 0, wordy)])
    (document,) = await account.container(OBJECTS).query("SELECT c.words FROM c", {})
    assert len(document["words"]) <= MOST_WORDS * PREFIX
    for start in range(0, LARGE, 100):
        await mirror.apply([charge(n, at=NOON + n) for n in range(start, start + 100)])
    counters = await account.container(TOTALS).query("SELECT * FROM c", {})
    assert {len(each["cells"]) for each in counters} == {1} and {len(each["buckets"]) for each in counters} == {0, 1}
    assert max(len(each["counted"]) for each in counters) <= MOST_TOKENS
    assert len(counters) == 2 <= 2 * LANES


async def test_billys_own_documents_are_found_by_an_index_or_by_their_key(account: CosmosAccount) -> None:
    """Attempts grow with every write: the timer that settles asks for a state, and reads no other."""
    records = CosmosRecords(account)
    for n in range(40):
        await records.insert("attempts", f"att_{n:03}", {"state": "succeeded" if n % 20 else "unknown"})
    account.units.operations.clear()
    found = await records.find("attempts", {"state": "unknown"})
    assert [each.id for each in found] == ["att_020", "att_000"]
    assert dict(account.units.operations) == {(RECORDS, "query across"): 1}
    account.units.operations.clear()
    await records.find("sync")
    assert dict(account.units.operations) == {(RECORDS, "query"): 1}, "a small collection is one partition"


async def test_every_order_and_every_filter_that_a_query_asks_for_has_its_index(
    account: CosmosAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of the tests answers without an index; the engine itself would refuse an order, or read everything for a filter."""
    texts: list[tuple[str, str]] = []
    query = Container.query

    async def noted(self: Container, text: str, values: Mapping[str, Any], pk: str | None = None) -> list[Any]:
        texts.append((self._name, text))
        return await query(self, text, values, pk)

    monkeypatch.setattr(Container, "query", noted)
    mirror, records = CosmosMirror(account, lane=0), CosmosRecords(account)
    await mirror.apply([charge(n, at=NOON + n) for n in range(20)])
    for call in CALLS.values():
        await call(mirror)
    for after in (None, NOON << SHIFT):
        await mirror.unseen("charge", NOON, 5, after)
    await mirror.list(Query("charge", status="succeeded", customer="cus_1", limit=3))
    for where in ({"state": "unknown"}, {"due": "yes"}, {"due": "yes", "state": "unknown"}, {"key_id": "key_1"}, None):
        for after in (None, "att_9"):
            await records.find("attempts", where, after=after)
    assert {container for container, _ in texts} == {OBJECTS, ENTRIES, TOTALS, RECORDS}
    indexes = {each["name"]: each["indexingPolicy"] for each in layout()["containers"]}
    for container, text in texts:
        single = {path["path"].removesuffix("/?").removesuffix("/[]") for path in indexes[container]["includedPaths"]}
        composite = [[path["path"] for path in each] for each in indexes[container]["compositeIndexes"]]
        condition, _, order = text.partition(" ORDER BY ")
        ordered = ["/" + each.removeprefix("c.").removesuffix(" DESC").replace(".", "/") for each in order.split(", ") if each]
        assert ordered in composite if len(ordered) > 1 else set(ordered) <= single, text
        fields = re.findall(r'c\.([a-z]+(?:\["[a-z_]+"\])?)(?= [=<>I]|,)', condition.partition(" WHERE ")[2])
        filtered = {"/" + field.replace('["', "/").removesuffix('"]') for field in fields} - {"/pk"}
        assert (filtered and filtered <= single) or condition.endswith("c.pk = @pk"), text


async def test_a_call_of_the_catalogue_asks_every_partition_only_to_search(billy: Billy, front: Front) -> None:
    """And to list attempts, each of which is a partition of its own."""
    account = billy.context.mirror._account  # type: ignore[attr-defined]
    charge = billy.stripe.charge(1000)
    await billy.know("charge", charge["id"])
    wide: set[str] = set()
    arguments = {"get_charge": {"id": charge["id"]}, "search": {"q": "ann"}, "create_refund": {"charge": charge["id"], "amount": 10}}
    tried = [each.name for each in OPERATIONS if "{" not in each.path or each.name in arguments]
    for name in tried:
        if name in ("create_key", "start_sync", "move_account"):
            continue
        account.units.operations.clear()
        answered = await billy.rest("owner", name, **arguments.get(name, {}))
        assert answered.error is None, (name, answered.body)
        if any(does == "query across" for _, does in account.units.operations):
            wide.add(name)
    assert wide == {"search", "list_attempts"}


async def test_a_delivery_is_accepted_without_a_store(billy: Billy, front: Front) -> None:
    """What 5,000 a second ask of Cosmos DB before the queue: nothing. The secret is kept for a minute."""
    from shared.gateway.webhook import SECRETS, accept
    from tests.spec.test_webhooks import SECRET, event, sign

    await billy.context.secrets.set(SECRETS, SECRET)
    front.asked.clear()
    for n in range(20):
        payload = json.dumps(event(f"evt_{n}", description="x" * 3_000)).encode()
        message = await accept(billy.context, payload, sign(payload))
        assert len(message) <= LARGEST_MESSAGE and math.ceil(len(message) / 3) * 4 <= 64 * 1024
    assert front.asked == [] and await billy.audit() == []

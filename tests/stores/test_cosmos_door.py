"""The door to Cosmos DB: throttling, what is charged, names, and what the server of these tests cannot do."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import BillyError
from shared.stores.cosmos import LONGEST, CosmosAccount, name
from shared.stores.cosmos_documents import PREFIX, asked, beginnings
from shared.stores.cosmos_layout import OBJECTS, RECORDS, TOTALS, layout
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.expiry import DAY
from shared.stores.protocols import Applied, Write
from shared.stores.words import holds
from tests.peers.cosmos import KEY
from tests.stores.adapters import COSMOS, cosmos_account
from tests.stores.cosmos_front import Front

ROOT = Path(__file__).parents[2]
CHARGE = Write("charge", "ch_1", 20_000 * 86_400, 20_000 * 86_400, b"{}", "succeeded", "cus_a", "usd", 1, 0, "word")


def marked[T](test: T) -> T:
    for mark in COSMOS:
        test = mark(test)
    return test


@pytest.fixture
async def fronted(front: Front, tmp_path: Path) -> AsyncIterator[CosmosAccount]:
    opened = await cosmos_account(front.url, tmp_path, patience=0.5)
    yield opened
    await opened.close()


# Throttling and failures


@marked
async def test_throttling_is_waited_out_as_long_as_the_account_asks_and_counted(front: Front, fronted: CosmosAccount) -> None:
    front.fails(OBJECTS, "create", 429, times=3, x_ms_retry_after_ms="40")
    before = asyncio.get_running_loop().time()
    assert await CosmosMirror(fronted).apply([CHARGE]) == [Applied.APPLIED]
    assert asyncio.get_running_loop().time() - before >= 0.12
    assert fronted.units.throttled == 3


@marked
async def test_throttling_without_end_is_unavailable_and_says_when_to_come_back(front: Front, fronted: CosmosAccount) -> None:
    front.fails(RECORDS, "create", 429, x_ms_retry_after_ms="2300")
    with pytest.raises(BillyError) as refused:
        await CosmosRecords(fronted).insert("keys", "k1", {"secret": "canary"})
    assert (refused.value.code, refused.value.retry_after) == ("unavailable", 3)
    assert "canary" not in f"{refused.value!r}{refused.value.__cause__!r}"


@marked
@pytest.mark.parametrize("status", [503, 0])
async def test_an_account_that_fails_is_unavailable(front: Front, fronted: CosmosAccount, status: int) -> None:
    mirror = CosmosMirror(fronted)
    front.fails(OBJECTS, "create", status)
    with pytest.raises(BillyError, match="unavailable"):
        await mirror.apply([CHARGE])


@marked
async def test_an_identity_without_a_role_is_told_so(front: Front, fronted: CosmosAccount) -> None:
    front.fails(RECORDS, "create", 403)
    with pytest.raises(BillyError, match="identity"):
        await CosmosRecords(fronted).insert("keys", "k1", {})


# Request units


@marked
async def test_what_operations_are_charged_is_counted_by_container_and_kind(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account)
    account.units.charged.clear()
    await mirror.get("charge", "ch_1")
    await mirror.totals("charge")
    assert account.units.charged == {(OBJECTS, "read"): 1.0, (TOTALS, "query"): 1.0}, "the server charges one unit for everything"
    assert account.units.total == 2.0


@marked
async def test_a_new_object_costs_as_many_operations_as_the_cost_table_says(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account)
    await mirror.apply([CHARGE])
    account.units.operations.clear()
    await mirror.apply([Write("charge", "ch_2", CHARGE.created, CHARGE.stamp, b"{}", "succeeded", "cus_a", "usd", 1, 0, "word")])
    told = {f"{container} {does}": times for (container, does), times in account.units.operations.items()}
    assert told == {"objects read": 1, "objects create": 1, "entries create": 2, "totals replace": 2, "objects replace": 1}
    table = (ROOT / "docs" / "cost.md").read_text()
    assert all(f"`{what}` × {times}" in table for what, times in told.items())


# Expiry and names


@marked
async def test_events_and_claims_that_ended_expire_and_nothing_else_does(account: CosmosAccount) -> None:
    records = CosmosRecords(account)
    for collection in ("events", "claims", "keys", "attempts"):
        await records.insert(collection, "one", {"ended": None})
        await records.insert(collection, "two", {"ended": 1_800_000_000})
    rows = await account.container(RECORDS).query("SELECT c.collection, c.key, c.ttl FROM c", {})
    told = {(row["collection"], row["key"]): row["ttl"] for row in rows if "ttl" in row}
    assert told == {("events", "one"): 30 * DAY, ("events", "two"): 30 * DAY, ("claims", "two"): DAY}


@marked
async def test_a_claim_expires_from_when_it_ends_and_no_more_once_it_is_open_again(account: CosmosAccount) -> None:
    records = CosmosRecords(account)
    claim = await records.insert("claims", "c", {})
    for document, ttl in (({"ended": "yes"}, DAY), ({"ended": False}, None), ({"ended": True}, DAY)):
        claim = await records.replace("claims", claim, document)
        (row,) = await account.container(RECORDS).query("SELECT c.ttl FROM c", {})
        assert row == ({} if ttl is None else {"ttl": ttl})


@pytest.mark.parametrize("id", ["a/b", "a\\b", "a?b", "a#b", "ü", "a b", "", "=", "\ud800", "x" * 5_000])
def test_an_id_with_any_characters_has_a_name_of_its_own_that_the_engine_takes(id: str) -> None:
    made = name("charge", id)
    assert made.isascii() and not set(made) & set("/\\?# ") and len(made) <= LONGEST
    assert made not in {name("charge", id + "x"), name("charge.", id), name("charg", "e." + id)}


def test_beginnings_of_words_find_what_the_text_holds() -> None:
    assert beginnings(["anna", "an"]) == ["a", "an", "ann", "anna"]
    terms, sought = asked("ann.smi extraordinarily")
    assert terms == ["extraordinarily"[:PREFIX], "ann", "smi"] and sought == [["ann", "smi"], ["extraordinarily"]]
    assert holds("ann smith extraordinarily", sought) and not holds("smith ann extraordinarily", sought)
    assert not holds("ann smith extraordinary", sought), "the index holds twelve letters; the text decides"


# The layout


def test_the_layout_that_is_deployed_is_the_one_in_code(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "shared.stores.cosmos_layout", str(tmp_path / "fresh")], cwd=ROOT, check=True)
    there = ROOT / "infra" / "bicep" / "cosmos-layout.json"
    assert (tmp_path / "fresh").read_text() == there.read_text(), "write it anew: python -m shared.stores.cosmos_layout"
    assert json.loads(there.read_text()) == layout()


@marked
async def test_the_containers_are_made_as_the_layout_says(account: CosmosAccount) -> None:
    for each in layout()["containers"]:
        made = await (await account.proxy(each["name"])).read()
        assert made["partitionKey"]["paths"] == each["partitionKey"]["paths"] and made.get("defaultTtl") == each["defaultTtl"]
        assert made["indexingPolicy"]["includedPaths"] == each["indexingPolicy"]["includedPaths"]


def test_nothing_of_the_engine_is_imported_before_it_is_used() -> None:
    code = "import sys, shared.stores.cosmos_mirror, shared.stores.cosmos_records; print(any(m.startswith('azure') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# What the server of these tests cannot do, so that nobody believes it was tried


@marked
async def test_the_server_lacks_what_the_mirror_therefore_does_without(account: CosmosAccount) -> None:
    container = account.container(OBJECTS)
    for query in ("SELECT c.kind, COUNT(1) AS n FROM c GROUP BY c.kind", "SELECT * FROM c ORDER BY c.id OFFSET 1 LIMIT 1"):
        with pytest.raises(RuntimeError, match="400"):
            await container.query(query, {})
    with pytest.raises(RuntimeError, match="400"):
        await container.query("SELECT * FROM c", {}, "a partition that the text does not name")


@marked
async def test_the_server_undoes_nothing_of_a_batch_that_fails(account: CosmosAccount) -> None:
    from azure.cosmos.exceptions import CosmosBatchOperationError

    proxy = await account.proxy(OBJECTS)
    twice = {"id": "x", "pk": "p", "pending": []}
    with pytest.raises(CosmosBatchOperationError):
        await proxy.execute_item_batch([("create", (twice,)), ("create", (twice,))], "p")
    assert await account.container(OBJECTS).read("p", "x") is not None, "in Azure nothing would be there"


@marked
async def test_the_server_takes_no_other_key(cosmos_endpoint: str) -> None:
    stranger = CosmosAccount(cosmos_endpoint, "YW55dGhpbmc=", database="other")
    with pytest.raises(BillyError) as refused:
        await stranger.create_missing()
    assert refused.value.code == "unavailable"
    await stranger.close()


async def test_the_server_charges_one_unit_for_everything(cosmos_endpoint: str) -> None:
    other = CosmosAccount(cosmos_endpoint, KEY, database="other")
    await other.create_missing()
    container = other.container(RECORDS)
    await container.create({"id": "small", "pk": "p"})
    await container.create({"id": "large", "pk": "p", "text": "x" * 100_000})
    assert other.units.charged[RECORDS, "create"] == 2.0, "so the cost table is arithmetic and not measured here"
    await other.close()

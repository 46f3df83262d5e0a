"""Cosmos DB's stand-in in memory keeps the contract of every store of records, and says what it does not know."""

import asyncio
from collections.abc import Iterator

import pytest

from shared.errors import BillyError
from shared.stores.cosmos_layout import RECORDS
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.expiry import DAY
from shared.stores.protocols import Changed, Exists, Records
from tests.road.memory_cosmos import MemoryAccount, UnknownQuery
from tests.road.virtual import Clock, run
from tests.stores import test_records as contract

# The tests of the contract, as they are.
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture
def records() -> Iterator[Records]:
    yield CosmosRecords(MemoryAccount())  # type: ignore[arg-type]


def opened(account: MemoryAccount) -> CosmosRecords:
    return CosmosRecords(account)  # type: ignore[arg-type]


def test_what_is_given_and_what_is_kept_are_not_the_same_object() -> None:
    async def main(clock: Clock) -> None:
        records, given = opened(MemoryAccount(clock.now)), {"list": [1]}
        made = await records.insert("keys", "k", given)
        given["list"].append(2)
        made.document["list"].append(3)
        found = await records.get("keys", "k")
        assert found is not None and found.document == {"list": [1]}

    run(main)


def test_the_engine_lets_go_of_a_document_when_its_time_is_over() -> None:
    async def main(clock: Clock) -> None:
        records = opened(MemoryAccount(clock.now))
        await records.insert("events", "evt_1", {})
        await asyncio.sleep(30 * DAY - 1)
        assert await records.get("events", "evt_1") and await records.find("events")
        await asyncio.sleep(1)
        assert await records.get("events", "evt_1") is None and not await records.find("events")
        await records.insert("events", "evt_1", {})

    run(main)


def test_a_stale_replica_shows_what_was_there_a_moment_ago_and_conditions_are_judged_by_what_is_there_now() -> None:
    async def main(clock: Clock) -> None:
        account = MemoryAccount(clock.now)
        records = opened(account)
        first = await records.insert("attempts", "a", {"state": "started"})
        await asyncio.sleep(10)
        second = await records.replace("attempts", first, {"state": "failed"})
        account.lag = lambda: 5.0
        assert await records.get("attempts", "a") == first
        assert [each.document["state"] for each in await records.find("attempts", {"state": "started"})] == ["started"]
        with pytest.raises(Changed):
            await records.replace("attempts", first, {"state": "succeeded"})
        with pytest.raises(Exists):
            await records.insert("attempts", "a", {})
        account.lag = lambda: 60.0
        assert await records.get("attempts", "a") is None
        account.lag = lambda: 0.0
        assert await records.get("attempts", "a") == second

    run(main)


def test_an_account_that_is_not_strong_is_not_written_to() -> None:
    async def main(clock: Clock) -> None:
        account = MemoryAccount(clock.now, level="Session")
        with pytest.raises(BillyError, match="Session"):
            await opened(account).insert("keys", "k", {})
        account.level = "Strong"
        await opened(account).insert("keys", "k", {})

    run(main)


def test_ways_take_the_time_that_is_drawn_for_them() -> None:
    async def main(clock: Clock) -> float:
        records = opened(MemoryAccount(clock.now, pause=lambda: 0.5))
        await records.get("keys", "k")
        return clock.elapsed

    assert run(main) == 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c WHERE c.collection = @x",
        "SELECT TOP 3 c.id FROM c WHERE c.collection = @x",
        "SELECT TOP 3 * FROM c WHERE c.collection = @x OR c.id = @x",
        "SELECT TOP 3 * FROM c WHERE c.collection = 'x' AND c.id = @x",
        "SELECT TOP 3 * FROM c WHERE c.collection LIKE @x",
        "SELECT TOP 3 * FROM c WHERE c.collection = @y",
        "SELECT TOP 3 * FROM c WHERE c.collection = @x ORDER BY c.id",
        "SELECT TOP 3 * FROM c",
    ],
)
async def test_a_query_that_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(UnknownQuery):
        await MemoryAccount().container(RECORDS).query(text, {"x": "x"})

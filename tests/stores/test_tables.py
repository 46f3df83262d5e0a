"""What the audit log in Table Storage does besides the contract: where rows lie, and what happens when it half succeeds."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.context import Seam
from shared.errors import BillyError
from shared.stores.tables import TablesAuditLog
from shared.stores.tables_keys import SHARDS, attempt_partition, backwards, bounds, partition, shard_of

DAY = 86_400.0
START = 1_790_000_000.0
IDS = st.text(alphabet="0123456789_abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40)


def row(id: str, **facts: object) -> dict[str, Any]:
    return {"id": id, "at": "2026-01-01T00:00:00Z", "operation": "get_charge", "actor": "key_a"} | facts


@given(IDS, IDS, st.integers(0, SHARDS - 1))
def test_keys_sort_in_the_opposite_order_of_the_ids(one: str, other: str, shard: int) -> None:
    assert (backwards(one) > backwards(other)) == (one < other)
    places = [(partition(shard, id), backwards(id)) for id in (one, other)]
    assert (places[0] > places[1]) == (one < other)
    low, high = bounds(shard)
    assert low < partition(shard, one) < high


def test_rows_of_one_second_spread_over_all_shards() -> None:
    seam = Seam(now=lambda: START)
    counts = [0] * SHARDS
    for _ in range(8000):
        counts[shard_of(seam.id("aud"))] += 1
    assert min(counts) > 800 and max(counts) < 1200


def test_a_shard_starts_a_new_partition_about_every_nine_hours() -> None:
    places = [partition(0, Seam(now=lambda hour=hour: START + hour * 3600.0).id("aud")) for hour in range(100)]
    changes = sum(one != other for one, other in pairwise(places))
    assert 9 <= changes <= 12


def test_what_is_no_attempt_makes_no_partition() -> None:
    assert attempt_partition("att_1") == "attempt-att_1"
    assert [attempt_partition(value) for value in (None, "", "a/b", "a b", "a" * 101, 7)] == [None] * 6


@pytest.mark.slow
async def test_pages_over_months_and_shards_meet_without_a_gap_or_a_repeat(tables_audit: TablesAuditLog) -> None:
    ids = [Seam(now=lambda n=n: START + n * DAY / 3).id("aud") for n in range(90)]
    await asyncio.gather(*(tables_audit.append(row(id)) for id in ids))
    seen: list[str] = []
    while page := await tables_audit.list(limit=7, after=seen[-1] if seen else None):
        seen += [each["id"] for each in page]
    assert seen == sorted(ids, reverse=True)


@pytest.mark.slow
async def test_a_page_may_end_between_two_rows_of_one_millisecond(tables_audit: TablesAuditLog) -> None:
    seam = Seam(now=lambda: START)
    ids = [seam.id("aud") for _ in range(30)]
    await asyncio.gather(*(tables_audit.append(row(id)) for id in ids))
    first = [each["id"] for each in await tables_audit.list(limit=11)]
    rest = [each["id"] for each in await tables_audit.list(limit=100, after=first[-1])]
    assert first + rest == sorted(ids, reverse=True)


@pytest.mark.slow
async def test_an_attempt_is_found_in_its_own_partition_page_by_page(tables_audit: TablesAuditLog) -> None:
    ids = [Seam(now=lambda n=n: START + n * DAY).id("aud") for n in range(5)]
    for id in ids:
        await tables_audit.append(row(id, attempt="att_1", decision="outcome" if id == ids[3] else "allowed"))
    assert [each["id"] for each in await tables_audit.list(limit=2, where={"attempt": "att_1"})] == [ids[4], ids[3]]
    assert [each["id"] for each in await tables_audit.list(limit=9, where={"attempt": "att_1"}, after=ids[3])] == [ids[2], ids[1], ids[0]]
    outcome = await tables_audit.list(limit=9, where={"attempt": "att_1", "decision": "outcome"})
    assert [each["id"] for each in outcome] == [ids[3]]
    assert [each["id"] for each in await tables_audit.list(limit=9)] == ids[::-1], "a copy is no second row"


@pytest.mark.slow
@pytest.mark.parametrize("value", ["key_o'brien", "key_ä", "key a", "x' or PartitionKey gt '"])
async def test_a_filter_is_a_value_and_never_a_query(tables_audit: TablesAuditLog, value: str) -> None:
    await tables_audit.append(row("aud_1", actor=value, role="owner"))
    await tables_audit.append(row("aud_2"))
    assert [each["id"] for each in await tables_audit.list(limit=9, where={"actor": value})] == ["aud_1"]
    assert [each["id"] for each in await tables_audit.list(limit=9, where={"role": "owner"})] == ["aud_1"]


@pytest.mark.slow
async def test_an_insert_whose_answer_was_lost_may_be_repeated(tables_audit: TablesAuditLog) -> None:
    for _ in range(2):
        await tables_audit.append(row("aud_1", attempt="att_1"))
    assert await tables_audit.list(limit=9) == [row("aud_1", attempt="att_1")]


@pytest.mark.slow
async def test_a_copy_without_its_row_is_healed_by_the_next_try(tables_audit: TablesAuditLog) -> None:
    """A crash between the two inserts: nothing was promised, and nothing stands in the way."""
    written = row("aud_1", attempt="att_1")
    await tables_audit.append(written)
    await tables_audit._table.delete_entity(partition(shard_of("aud_1"), "aud_1"), backwards("aud_1"))
    assert await tables_audit.list(limit=9) == []
    await tables_audit.append(written)
    assert await tables_audit.list(limit=9) == [written]


@pytest.mark.slow
async def test_a_row_that_does_not_fit_is_refused_before_it_is_sent(tables_audit: TablesAuditLog) -> None:
    with pytest.raises(ValueError, match="at most"):
        await tables_audit.append(row("aud_1", client="x" * 40_000))
    assert await tables_audit.list(limit=9) == []


def test_a_key_never_leaves_this_machine() -> None:
    with pytest.raises(ValueError, match="managed identity"):
        TablesAuditLog.open("https://billy.table.core.windows.net", "c2VjcmV0")


@pytest.mark.slow
async def test_a_table_that_is_not_there_is_told_as_unavailable(azurite_tables: tuple[str, str]) -> None:
    audit = TablesAuditLog.open(*azurite_tables, table="notdeployed")
    for call in (audit.append(row("aud_1")), audit.list(limit=1)):
        with pytest.raises(BillyError) as refused:
            await call
        assert refused.value.code == "unavailable" and refused.value.retry_after
    await audit.close()

"""What the audit log in Table Storage does besides the contract: where rows lie, and what happens when it half succeeds."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.context import Seam
from shared.errors import BillyError
from shared.stores.tables import TablesAuditLog
from shared.stores.tables_keys import BUCKET, SHARDS, attempt_partition, backwards, bounds, first_of, moment, partition, shard_of
from shared.stores.tables_walk import walk

DAY = 86_400.0
YEAR = 365 * DAY
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


@given(st.floats(0, 2**40))
def test_the_moment_of_an_id_is_the_millisecond_it_was_drawn_in(seconds: float) -> None:
    id = Seam(now=lambda: seconds).id("aud")
    assert moment(id) == int(seconds * 1000)
    assert first_of(moment(id)) <= id < first_of(moment(id) + 1)


@given(*(st.one_of(st.text(max_size=20), st.builds(str.__add__, st.just("aud_"), st.text("-09A_aiz~", max_size=14))),) * 2)
def test_the_moment_of_any_text_goes_with_its_order(one: str, other: str) -> None:
    assert moment(min(one, other)) <= moment(max(one, other))
    assert one < first_of(moment(one) + 1) or moment(one) == 32**10 - 1


class Lane:
    """A log in memory that counts how it is asked."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = sorted(ids)
        self.questions, self.rows = 0, 0

    async def stretch(self, low: str, high: str, most: int | None) -> list[dict[str, Any]] | None:
        assert low < high
        ids = self.ids[bisect_right(self.ids, low) : bisect_right(self.ids, high)]
        self.questions += 1
        self.rows += len(ids) if most is None else min(len(ids), 2 * most + 1)
        return None if most is not None and len(ids) > 2 * most else [{"id": id} for id in ids]


@settings(deadline=None)
@given(st.lists(st.one_of(IDS, st.integers(0, 10**7).map(lambda ms: first_of(ms) + "7")), max_size=60), IDS, IDS, st.integers(1, 9))
async def test_a_walk_gives_the_first_rows_of_any_log(ids: list[str], after: str, until: str, limit: int) -> None:
    for low, high in ((after, until), ("", "~"), (first_of(0), first_of(10**7)), ("aud_" + after, "aud_" + until)):
        rows = await walk(Lane(ids).stretch, after=low, until=high, limit=limit)
        assert [each["id"] for each in rows] == sorted(id for id in ids if low < id <= high)[:limit]


CROWD = [YEAR - 1 + n / 20_000 for n in range(19_000)]
COSTS: dict[str, tuple[list[float], float | None, float, int, int]] = {  # seconds of rows, after, until; questions and rows at most
    "a poller's ten minutes": ([n * 10.0 for n in range(60)], 0, 600, 1, 60),
    "a silent year": ([], 0, YEAR, 9, 0),
    "ten rows a day for a year": ([n * DAY / 10 for n in range(3650)], 0, YEAR, 10, 400),
    "a row each second of a day": ([float(n) for n in range(86_400)], 0, DAY, 4, 600),
    "a thousand rows each second": ([n / 1000 for n in range(100_000)], 0, YEAR, 12, 2000),
    "a crowd after a silent year": (CROWD, 0, YEAR, 48, 2000),
    "a crowd now, read since ever": (CROWD, None, YEAR, 60, 2000),
    "a millisecond with more than is wanted": ([0.005] * 5000, 0, YEAR, 16, 7000),
}


@pytest.mark.parametrize("name", COSTS)
async def test_what_a_page_costs_goes_with_what_is_wanted_and_not_with_the_log(name: str) -> None:
    times, after, until, questions, rows = COSTS[name]
    lane = Lane([Seam(now=lambda time=time: START + time).id("aud") for time in times])
    low, high = ("" if at is None else first_of(int((START + at) * 1000)) for at in (after, until))
    found = await walk(lane.stretch, after=low, until=high, limit=100)
    assert [each["id"] for each in found] == lane.ids[:100]
    assert lane.questions <= questions and lane.rows <= rows, f"{lane.questions} questions, {lane.rows} rows"


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
async def test_who_follows_asks_each_shard_once_and_three_times_where_partitions_meet(
    tables_audit: TablesAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = first_of(moment(first_of(int(START * 1000))[:BUCKET]))  # where a partition begins
    ids = [Seam(now=lambda n=n: moment(day) / 1000 + n).id("aud") for n in range(-100, 100)]
    await asyncio.gather(*(tables_audit.append(row(id, attempt="att_1")) for id in ids))
    asked, query = [], tables_audit._table.query_entities
    monkeypatch.setattr(tables_audit._table, "query_entities", lambda *a, **k: asked.append(a) or query(*a, **k))
    for after, until, questions in ((120, 199, SHARDS), (60, 140, 3 * SHARDS)):
        asked.clear()
        rows = await tables_audit.following(after=ids[after], until=ids[until], limit=100)
        assert [each["id"] for each in rows] == ids[after + 1 : until + 1]
        assert len(asked) == questions
    asked.clear()
    rows = await tables_audit.following(after="", until="~", limit=100, where={"attempt": "att_1"})
    assert [each["id"] for each in rows] == ids[:100]
    assert len(asked) == 1, "an attempt's rows lie together"


@pytest.mark.slow
@pytest.mark.parametrize("value", ["key_o'brien", "key_ä", "key a", "x' or PartitionKey gt '"])
async def test_a_filter_is_a_value_and_never_a_query(tables_audit: TablesAuditLog, value: str) -> None:
    await tables_audit.append(row("aud_1", actor=value, role="owner"))
    await tables_audit.append(row("aud_2"))
    assert [each["id"] for each in await tables_audit.list(limit=9, where={"actor": value})] == ["aud_1"]
    assert [each["id"] for each in await tables_audit.list(limit=9, where={"role": "owner"})] == ["aud_1"]


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
    for call in (audit.append(row("aud_1")), audit.list(limit=1), audit.following(after="", until="~", limit=1)):
        with pytest.raises(BillyError) as refused:
            await call
        assert refused.value.code == "unavailable" and refused.value.retry_after
    await audit.close()

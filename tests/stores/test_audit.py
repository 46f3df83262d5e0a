"""What every audit log does: it takes rows and gives them back."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.context import Seam
from shared.stores import sqlite_audit, tables
from shared.stores.protocols import AuditLog, Exists

MINUTE, HOUR = 60.0, 3600.0  # seconds
START = 1_790_000_000.0


def row(n: int, **facts: object) -> dict[str, object]:
    return {"id": f"aud_{n:03}", "at": "2026-01-01T00:00:00Z", "operation": "get_charge", "actor": "key_a"} | facts


def ident(seconds: float = 0.0) -> str:
    """An id that is drawn so many seconds after the start."""
    return Seam(now=lambda: START + seconds).id("aud")


def ids(rows: Sequence[dict[str, object]]) -> list[object]:
    return [each["id"] for each in rows]


async def test_rows_come_back_newest_first_page_by_page(audit: AuditLog) -> None:
    await asyncio.gather(*(audit.append(row(n, count=n)) for n in range(20)))
    assert [each["id"] for each in await audit.list(limit=3)] == ["aud_019", "aud_018", "aud_017"]
    assert await audit.list(limit=2, after="aud_002") == [row(1, count=1), row(0, count=0)]


async def test_rows_are_found_by_what_they_say(audit: AuditLog) -> None:
    await audit.append(row(1))
    await audit.append(row(2, operation="create_refund", attempt="att_1"))
    await audit.append(row(3, operation="create_refund", actor="key_b"))
    assert [each["id"] for each in await audit.list(limit=9, where={"operation": "create_refund"})] == ["aud_003", "aud_002"]
    assert [each["id"] for each in await audit.list(limit=9, where={"operation": "create_refund", "actor": "key_b"})] == ["aud_003"]
    assert [each["id"] for each in await audit.list(limit=9, where={"attempt": "att_1"})] == ["aud_002"]
    assert await audit.list(limit=9, where={"operation": "create_refund"}, after="aud_002") == []


async def test_rows_are_found_by_the_object_and_by_the_kind_of_right_that_they_are_about(audit: AuditLog) -> None:
    key = "key_" + "0" * 26
    await audit.append(row(1, object=key, decision="allowed"))
    await audit.append(row(2, object="ch_1", decision="denied"))
    await audit.append(row(3, object=key, decision="taken", right="key", attempt="att_1", taken=key))
    await audit.append(row(4, right="member", object="mem_1"))
    assert ids(await audit.list(limit=9, where={"object": key})) == ["aud_003", "aud_001"]
    assert ids(await audit.list(limit=9, where={"object": key}, after="aud_003")) == ["aud_001"]
    assert ids(await audit.list(limit=9, where={"object": key, "decision": "taken"})) == ["aud_003"]
    assert ids(await audit.list(limit=9, where={"object": "ch_1"})) == ["aud_002"]
    assert ids(await audit.list(limit=9, where={"taken": key})) == ["aud_003"]
    assert ids(await audit.list(limit=9, where={"right": "key"})) == ["aud_003"]
    assert ids(await audit.following(after="aud_000", until="aud_999", limit=9, where={"object": key})) == ["aud_001", "aud_003"]
    assert ids(await audit.list(limit=9)) == ["aud_004", "aud_003", "aud_002", "aud_001"], "what is kept twice is listed once"


@pytest.mark.requirement("AB-163")
async def test_a_row_that_is_there_cannot_be_written_again(audit: AuditLog) -> None:
    await audit.append(row(1, decision="denied"))
    with pytest.raises(Exists):
        await audit.append(row(1, decision="allowed"))
    assert await audit.list(limit=9) == [row(1, decision="denied")]


@pytest.mark.requirement("AB-163")
async def test_of_two_rows_under_one_id_that_come_at_once_one_is_kept(audit: AuditLog) -> None:
    both = [row(1, decision="denied"), row(1, decision="allowed")]
    outcomes = await asyncio.gather(*(audit.append(each) for each in both), return_exceptions=True)
    assert {type(each) for each in outcomes} == {type(None), Exists}
    assert await audit.list(limit=9) == [both[outcomes.index(None)]]


@pytest.mark.parametrize("facts", [{}, {"attempt": "att_1", "count": 3, "client": "Zoë 🙂"}])
async def test_the_same_row_once_more_is_no_error_and_no_second_row(audit: AuditLog, facts: dict[str, object]) -> None:
    """An insert whose answer was lost is repeated, later too, and by two at once."""
    await audit.append(row(1, **facts))
    await audit.append(row(2))
    await asyncio.gather(*(audit.append(row(1, **facts)) for _ in range(2)))
    assert await audit.list(limit=9) == [row(2), row(1, **facts)]
    for other in (facts | {"decision": "allowed"}, facts | {"actor": "key_b"}):
        with pytest.raises(Exists):
            await audit.append(row(1, **other))
    assert await audit.list(limit=9) == [row(2), row(1, **facts)]


@pytest.mark.parametrize("missing", ["id", "at", "operation", "actor"])
async def test_a_row_that_does_not_say_who_what_and_when_is_refused(audit: AuditLog, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        await audit.append({name: value for name, value in row(1).items() if name != missing})
    assert await audit.list(limit=9) == []


async def test_a_reader_follows_oldest_first_above_one_id_and_up_to_another(audit: AuditLog) -> None:
    await asyncio.gather(*(audit.append(row(n, count=n)) for n in range(20)))
    assert await audit.following(after="aud_003", until="aud_005", limit=9) == [row(4, count=4), row(5, count=5)]
    assert ids(await audit.following(after="aud_003", until="aud_999", limit=2)) == ["aud_004", "aud_005"]
    assert ids(await audit.following(after="aud_0181", until="aud_999", limit=9)) == ["aud_019"], "no row needs to be at the ends"
    assert ids(await audit.following(after="", until="~", limit=3)) == ["aud_000", "aud_001", "aud_002"]
    for after, until in (("aud_005", "aud_005"), ("aud_006", "aud_005"), ("aud_019", "aud_999"), ("", "aud")):
        assert await audit.following(after=after, until=until, limit=9) == []


async def test_who_follows_may_ask_for_what_rows_say(audit: AuditLog) -> None:
    facts = [
        {"operation": "create_refund", "attempt": "att_1", "actor": "key_b"},
        {"attempt": "att_1"},
        {"actor": "key_b"},
        {"role": "owner"},
    ]
    drawn = [ident(n * HOUR) for n in range(24)]
    await asyncio.gather(*(audit.append(row(0, **facts[n % 4]) | {"id": id}) for n, id in enumerate(drawn)))

    async def found(limit: int = 99, **where: str) -> list[int]:
        rows = await audit.following(after=drawn[3], until=drawn[20], limit=limit, where=where)
        return [drawn.index(str(id)) for id in ids(rows)]

    assert await found(operation="create_refund") == [4, 8, 12, 16, 20]
    assert await found(actor="key_b") == [4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert await found(attempt="att_1") == [4, 5, 8, 9, 12, 13, 16, 17, 20]
    assert await found(attempt="att_1", limit=4) == [4, 5, 8, 9]
    assert await found(attempt="att_1", actor="key_b", limit=2) == [4, 8]
    assert await found(role="owner", limit=3) == [7, 11, 15]
    assert await found(operation="create_refund", role="owner") == await found(attempt="att_2") == []


@pytest.mark.parametrize("where", [None, {"actor": "key_a"}, {"attempt": "att_1"}])
async def test_a_thousand_rows_are_followed_page_by_page_without_a_gap_or_a_repeat(audit: AuditLog, where: dict[str, str] | None) -> None:
    """Fifteen hours, nine times with ten rows in one millisecond; then, after days of silence, a row each second."""
    seconds = [n * 60.0 if n % 10 else n // 100 * 6000.0 for n in range(900)] + [4 * 24 * HOUR + n for n in range(100)]
    drawn = [ident(each) for each in seconds]
    for start in range(0, len(drawn), 100):
        await asyncio.gather(*(audit.append(row(0, attempt="att_1") | {"id": id}) for id in drawn[start : start + 100]))
    seen: list[object] = []
    while page := ids(await audit.following(after=str(seen[-1]) if seen else "", until=max(drawn), limit=83, where=where)):
        assert len(page) == 83 or len(seen) + len(page) == 1000
        seen += page
    assert seen == sorted(drawn)
    assert ids(await audit.following(after=min(drawn), until=max(drawn), limit=2000, where=where)) == sorted(drawn)[1:]


async def test_a_row_that_comes_late_with_an_older_id_is_found_by_who_stopped_below_it(audit: AuditLog) -> None:
    """Its id was drawn before an insert that took two minutes; others came in between."""
    drawn = [ident(n * MINUTE) for n in range(10)]
    late = drawn[6]
    await asyncio.gather(*(audit.append(row(0) | {"id": id}) for id in drawn if id != late))
    mark = ident(5.5 * MINUTE)
    assert ids(await audit.following(after="", until=mark, limit=99)) == drawn[:6], "what is newer than the mark is not told yet"
    await audit.append(row(0) | {"id": late})
    assert ids(await audit.following(after=mark, until=ident(HOUR), limit=99)) == drawn[6:]


@pytest.fixture
def short_sighted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer looks at so few rows that a small log is a long one."""
    monkeypatch.setattr(sqlite_audit, "FARTHEST", 20)
    monkeypatch.setattr(tables, "PIECE", 3)
    monkeypatch.setattr(tables, "FARTHEST", 6)


FILTERS = [
    {"operation": "create_refund"},
    {"actor": "key_b"},
    {"correlation_id": "c" * 32},
    {"attempt": "att_1"},
    {"role": "owner"},
    {"operation": "create_refund", "actor": "key_b"},
    {"operation": "create_refund", "correlation_id": "c" * 32},
    {"attempt": "att_1", "role": "owner"},
    {"operation": "nothing", "actor": "key_a"},
]


async def filled(audit: AuditLog) -> list[dict[str, object]]:
    """100 rows of a day, newest first, of which every seventh is of interest."""
    rare = {"operation": "create_refund", "actor": "key_b", "correlation_id": "c" * 32, "attempt": "att_1", "role": "owner"}
    rows = [row(0, **(rare if n % 7 == 0 else {"correlation_id": f"{n:032x}"})) | {"id": ident(n * 864.0)} for n in range(100)]
    await asyncio.gather(*(audit.append(each) for each in rows))
    return rows[::-1]


def meets(each: dict[str, object], where: dict[str, str]) -> bool:
    return all(each.get(name) == value for name, value in where.items())


@pytest.mark.requirement("SC-105")
async def test_no_answer_looks_further_than_it_should_and_going_on_misses_nothing(audit: AuditLog, short_sighted: None) -> None:
    rows = await filled(audit)
    newest = str(rows[0]["id"])
    for where in FILTERS:
        wanted = ids([each for each in rows if meets(each, where)])
        for limit in (3, 100):
            seen: list[object] = []
            after = None
            for _ in range(100):
                looked = await audit.look(limit=limit, after=after, where=where)
                assert len(looked.rows) <= limit
                seen += ids(looked.rows)
                after = looked.reached or (str(seen[-1]) if len(looked.rows) == limit else None)
                if after is None:
                    break
            assert seen == wanted, where
            seen, low = [], ""
            while low < newest:
                looked = await audit.look_on(after=low, until=newest, limit=limit, where=where)
                assert len(looked.rows) <= limit
                seen += ids(looked.rows)
                low = looked.reached or (str(seen[-1]) if len(looked.rows) == limit else newest)
            assert seen == wanted[::-1], where
    looked = await audit.look(limit=5, where={"role": "nobody", "operation": "get_charge"})
    assert list(looked.rows) == [] and looked.reached is not None, "the whole log was looked at for nothing"
    assert ids(rows).index(looked.reached) < len(rows)
    looked = await audit.look_on(after="", until="~", limit=5, where={"role": "nobody", "operation": "get_charge"})
    assert list(looked.rows) == [] and looked.reached is not None


async def test_without_a_filter_a_look_is_a_list(audit: AuditLog) -> None:
    await asyncio.gather(*(audit.append(row(n)) for n in range(9)))
    looked = await audit.look(limit=4, after="aud_006")
    assert (ids(looked.rows), looked.reached) == (["aud_005", "aud_004", "aud_003", "aud_002"], None)
    looked = await audit.look_on(after="aud_006", until="~", limit=9)
    assert (ids(looked.rows), looked.reached) == (["aud_007", "aud_008"], None)

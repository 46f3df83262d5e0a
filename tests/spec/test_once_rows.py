"""A row tells what was recorded, not what was meant: one of being asked, one of each end, and sums over rows count an attempt once."""

import asyncio
from typing import Any

import pytest

from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time

LOST = [FAULTS["acted, lost"]] * 3
K = {"idempotency_key": "order 1"}


async def moved_by_rows(inside: Inside, attempt: str) -> int:
    """What a sum over the rows of an attempt says was asked to move."""
    return sum(row.get("amount", 0) for row in await inside.rows(attempt=attempt))


async def plain(inside: Inside) -> str:
    return (await inside.refund(**K)).attempt


async def repeated(inside: Inside) -> str:
    for _ in range(3):
        told = await inside.refund(**K)
    await inside.refund(**K, dry_run=True)
    await inside.refund(by="billing_clerk")
    return told.attempt


async def turned_away(inside: Inside) -> str:
    for _ in range(2):
        inside.wire.add(REFUNDS, FAULTS["429, no retry"])
        await inside.refund(**K)
    return (await inside.refund(**K)).attempt


async def lost_and_found_by_the_repeat(inside: Inside) -> str:
    inside.wire.add(REFUNDS, *LOST)
    await inside.refund(**K)
    return (await inside.refund(**K)).attempt


async def sent_again(inside: Inside) -> str:
    inside.wire.add(REFUNDS, *[FAULTS["not arrived"]] * 3)
    await inside.refund(**K)
    return (await inside.refund(**K)).attempt


async def first_row_could_not_be_written(inside: Inside) -> str:
    inside.trouble.add("audit.append", *[Trouble(away=True)] * 5)
    assert (await inside.refund(**K)).code == "unavailable"
    inside.trouble.clear()
    return (await inside.refund(**K)).attempt


async def died_between_record_and_row(inside: Inside) -> str:
    inside.trouble.add("records.insert attempts", Trouble(after=100))
    await inside.refund(**K)
    await inside.wait(60)
    return (await inside.refund(**K)).attempt


async def first_row_was_written_and_its_answer_lost(inside: Inside) -> str:
    inside.trouble.add("audit.append", Trouble(lost=True))
    await inside.refund(**K)
    return (await inside.refund(**K)).attempt


async def the_fence_was_away(inside: Inside) -> str:
    inside.trouble.add("records.get claims", Trouble(away=True))
    await inside.refund(**K)
    return (await inside.refund(**K)).attempt


async def restored(inside: Inside) -> str:
    await inside.refund(**K)
    await inside.restore("attempts", "claims")
    return (await inside.refund(**K)).attempt


WAYS = [
    plain,
    repeated,
    turned_away,
    lost_and_found_by_the_repeat,
    sent_again,
    first_row_could_not_be_written,
    died_between_record_and_row,
    first_row_was_written_and_its_answer_lost,
    the_fence_was_away,
    restored,
]


@pytest.mark.requirement("SC-104", "SC-48")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.replace("_", " "))
@on_virtual_time
async def test_the_amounts_of_all_rows_count_an_attempt_once_and_its_last_row_says_what_its_record_says(inside: Inside, way: Any) -> None:
    attempt = await way(inside)
    await inside.at_rest()
    document = await inside.document(attempt)
    assert (document["state"], await moved_by_rows(inside, attempt), inside.refunds) == ("succeeded", 1_000, 1)
    ends = [each for each in await inside.told(attempt) if each[0] == "outcome"]
    assert ends[-1] == ("outcome", "succeeded", None) and ends.count(ends[-1]) == 1


@pytest.mark.requirement("SC-70", "SC-82")
@on_virtual_time
async def test_an_audit_log_that_is_away_after_the_act_neither_hides_nor_repeats_it_and_its_row_comes_later(inside: Inside) -> None:
    inside.trouble.add("audit.append", Trouble(), *[Trouble(away=True)] * 10)
    told = await inside.refund(**K)
    assert (told.error, told.body["status"], told.body["result"]["amount"]) == (None, "succeeded", 1_000)
    assert await inside.told(told.attempt) == [("allowed", None, None)]
    inside.trouble.clear()
    assert (await inside.refund(by="billing_clerk")).attempt == told.attempt
    await inside.wait(61)
    await inside.timer()
    await inside.wait(61)
    await inside.timer()
    rows = [row for row in await inside.rows(attempt=told.attempt) if row["decision"] == "outcome"]
    assert [(row["state"], row["settled_later"], row["surface"]) for row in rows] == [("succeeded", True, "timer")]
    asked = (await inside.rows(attempt=told.attempt))[0]
    assert rows[0]["correlation_id"] == asked["correlation_id"], "its end is found where its beginning is"


@pytest.mark.requirement("SC-70", "SC-82")
@pytest.mark.parametrize("away", [1, 3, 50])
@on_virtual_time
async def test_records_that_are_away_after_the_act_make_the_answer_say_that_it_was_done(inside: Inside, away: int) -> None:
    inside.trouble.add("records.replace attempts", Trouble(), *[Trouble(away=True)] * away)
    told = await inside.refund()
    if away < 3:
        assert told.error is None
    else:
        assert (told.code, "was done" in told.words, inside.refunds) == ("unavailable", True, 1)
        assert "get_attempt" in told.words and "Nothing" not in told.words
    inside.trouble.clear()
    again = await inside.refund()
    assert (again.code, again.attempt) == ("possible_duplicate", told.attempt)
    await inside.at_rest()
    assert await inside.state(told.attempt) == "succeeded"


@pytest.mark.requirement("SC-82")
@pytest.mark.parametrize("error", [None, RuntimeError("a column is too narrow")], ids=["away", "broken"])
@pytest.mark.parametrize("what", ["mirror.apply", "mirror.get", "GET /v1/charges/*"])
@on_virtual_time
async def test_what_follows_a_refund_neither_undoes_nor_renames_nor_repeats_it(inside: Inside, what: str, error: Exception | None) -> None:
    trouble = Trouble(away=True) if error is None else Trouble(away=True, error=lambda: error)
    if what.startswith("GET"):
        inside.wire.add(what, Fault(), *[FAULTS["503 from the edge"]] * 20)
    inside.trouble.add(what, *[trouble] * 20)
    told = await inside.refund(1_250)
    assert (told.error, await inside.state(told.attempt), inside.refunds) == (None, "succeeded", 1)
    assert (await inside.told(told.attempt))[-1] == ("outcome", "succeeded", None)
    inside.trouble.clear()
    inside.wire.clear()
    await inside.wait(20)
    again = await inside.refund(1_250)
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", told.attempt, 1)


@pytest.mark.requirement("SC-82")
@on_virtual_time
async def test_a_mirror_that_stands_still_holds_up_no_answer_for_long(inside: Inside) -> None:
    inside.trouble.add("mirror.*", *[Trouble(before=600)] * 5)
    began = inside.clock.elapsed
    told = await inside.refund()
    assert (told.error, inside.clock.elapsed - began < 6) == (None, True)


@pytest.mark.requirement("SC-104")
@on_virtual_time
async def test_when_an_event_overtakes_the_timer_row_count_and_record_are_the_events(inside: Inside) -> None:
    """The timer has read a list without the refund; before it says so, the refund arrives and its event is applied."""
    inside.wire.add(REFUNDS, Fault(late=185), FAULTS["429, no retry"])
    attempt = (await inside.refund()).attempt
    await inside.wait(inside.standin.requests[-1].at + 181 - inside.clock.now())
    inside.wire.add(LOOKS, Fault(slow=10))
    settling = asyncio.ensure_future(inside.timer())
    await inside.wait(8)
    assert inside.refunds == 1
    await inside.shown("refund", inside.standin.books.get("refund", inside.standin.movements[0].refund))
    counts = await settling
    assert (counts, await inside.state(attempt)) == ({"succeeded": 1, "failed": 0, "left": 0}, "succeeded")
    assert [each for each in await inside.told(attempt) if each[1] in ("succeeded", "failed")] == [("outcome", "succeeded", None)]


@pytest.mark.requirement("SC-104")
@on_virtual_time
async def test_when_it_is_found_before_its_own_call_gives_up_the_caller_is_told_that_it_was_done(inside: Inside) -> None:
    inside.wire.add(REFUNDS, FAULTS["acted, never answers"], FAULTS["acted, never answers"], FAULTS["acted, never answers"])
    slow = asyncio.ensure_future(inside.refund(**K))
    await inside.wait(30)
    (moved,) = inside.standin.movements
    await inside.shown("refund", inside.standin.books.get("refund", moved.refund))
    told = await slow
    assert (told.error, told.body["result"]["id"]) == (None, moved.refund)
    assert [each for each in await inside.told(told.attempt) if each[0] == "outcome"] == [("outcome", "succeeded", None)]


@pytest.mark.requirement("SC-104", "SC-48")
@on_virtual_time
async def test_every_refusal_that_speaks_of_an_attempt_leaves_it_in_its_row(inside: Inside) -> None:
    first = await inside.refund(**K)
    refusals = [
        await inside.refund(),
        await inside.refund(900, **K),
        await inside.refund(repeat_of="att_" + "0" * 26),
        await inside.refund(by="billing_clerk"),
    ]
    inside.wire.add(REFUNDS, *LOST, Fault(during=15))
    lost = await inside.refund(700, idempotency_key="order 2")
    inside.wire.add(LOOKS, *[FAULTS["403"]] * 3)
    refusals.append(await inside.refund(700, idempotency_key="order 2"))
    rows = [row for row in await inside.rows() if row["decision"] in ("refused", "denied")]
    assert [(row["code"], row["attempt"]) for row in rows] == [(each.code, each.attempt) for each in refusals]
    assert {row["attempt"] for row in rows} == {first.attempt, lost.attempt}


@pytest.mark.requirement("SC-104")
@on_virtual_time
async def test_a_preview_leaves_one_row_that_says_so_and_moves_nothing_in_sums(inside: Inside) -> None:
    await inside.refund(dry_run=True)
    (row,) = await inside.rows()
    assert (row["decision"], row["dry_run"], row.get("amount"), row.get("attempt")) == ("preview", True, None, None)
    await inside.refund(dry_run=True, by="read_only")
    assert [row["decision"] for row in await inside.rows()] == ["preview", "denied"]


@pytest.mark.requirement("SC-104")
@on_virtual_time
async def test_an_end_is_told_once_however_often_the_call_was_repeated_since(inside: Inside) -> None:
    first = await inside.refund(idempotency_key="order 1")
    for _ in range(101):
        await inside.refund(idempotency_key="order 1")
    await inside.wait(61)
    await inside.timer()
    assert [each for each in await inside.told(first.attempt) if each[0] == "outcome"] == [("outcome", "succeeded", None)]


@pytest.mark.requirement("SC-104")
@on_virtual_time
async def test_the_timer_does_not_tell_of_a_new_outcome_that_is_just_being_told(inside: Inside) -> None:
    first = await inside.refund()
    for seconds in (90, 700):
        await inside.wait(seconds)
        await inside.timer()
    refund = inside.standin.books.refund_becomes(inside.standin.movements[0].refund, "failed")
    inside.trouble.add("audit.append", Trouble(before=10))
    telling = asyncio.create_task(inside.shown("refund", refund))
    await inside.wait(2)
    await inside.timer()
    await telling
    await inside.rest()
    assert (await inside.told(first.attempt)).count(("outcome", "succeeded", "failed")) == 1

"""A 200 of Stripe's is not the money's success: answer, attempt, rows and guard say what became of the money, also a week later."""

import asyncio
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shared.gateway.apply import apply_event
from tests.peers.sandbox import control, running_sandbox
from tests.road.faults import FAULTS, Fault
from tests.spec.conftest import Billy
from tests.spec.inside import REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

DISAGREES = "billy.stripe_disagrees"


@pytest.mark.requirement("SC-84")
@pytest.mark.parametrize("status", ["pending", "requires_action"])
@on_virtual_time
async def test_a_refund_that_has_not_moved_yet_is_not_told_as_done(inside: Inside, status: str) -> None:
    inside.standin.books.refund_status = lambda: status
    told = await inside.refund(idempotency_key="order 1")
    assert (told.body["status"], told.body["outcome"], told.body["result"]["status"]) == ("succeeded", status, status)
    assert "do not say that it is done" in told.body["next"]
    shown = (await inside.call("get_attempt", id=told.attempt)).body
    assert (shown["state"], shown["outcome"]) == ("succeeded", status)
    assert (await inside.told(told.attempt))[-1] == ("outcome", "succeeded", status)
    again = await inside.refund(idempotency_key="order 1")
    assert (again.body["replayed"], again.body["outcome"], again.body["next"]) == (True, status, told.body["next"])
    assert (await inside.refund()).attempt == told.attempt, "it may still move"


@pytest.mark.requirement("SC-84")
@pytest.mark.parametrize("status", ["failed", "canceled"])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "found later"])
@on_virtual_time
async def test_a_refund_that_failed_at_once_is_an_error_and_counts_for_nothing(inside: Inside, lost: bool, status: str) -> None:
    inside.standin.books.refund_status = lambda: status
    if lost:
        inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    told = await inside.refund(idempotency_key="order 1")
    if lost:
        told = await inside.refund(idempotency_key="order 1")
    again = await inside.refund(idempotency_key="order 1")
    for each in (told, again):
        assert each.error is not None and each.error.attempt_facts is not None and each.error.attempt_facts.result is not None
        assert (each.code, status in each.error.detail, each.error.attempt_facts.outcome) == ("stripe_error", True, status)
        assert each.error.attempt_facts.result["status"] == status
        assert status == "canceled" or each.error.attempt_facts.result["failure_reason"] == "expired_or_canceled_card"
    assert (await inside.state(told.attempt), len(inside.standin.movements)) == ("failed", 1)
    assert [each for each in await inside.told(told.attempt) if each[0] == "outcome" and each[1] != "unknown"] == [
        ("outcome", "failed", status)
    ]
    inside.standin.books.refund_status = lambda: "succeeded"
    assert (await inside.refund()).error is None, "nothing moved, so nothing is guarded"


def events(inside: Inside, refund: str) -> list[dict[str, Any]]:
    """A refund's life as Stripe tells of it: made and pending, gone out, come back; each event a second after the one before."""
    made, books = [], inside.standin.books
    for status, type in (("pending", "refund.created"), ("succeeded", "refund.updated"), ("failed", "refund.failed")):
        books.refund_becomes(refund, status)
        made.append(inside.standin.event_of_refund(refund, type, created=int(inside.clock.now()) + len(made)))
    return made


@pytest.mark.requirement("SC-84", "SC-102")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@on_virtual_time
async def test_a_refund_that_comes_back_later_is_told_once_in_whatever_order_its_events_come(
    inside: Inside, caplog: pytest.LogCaptureFixture, order: tuple[int, ...]
) -> None:
    inside.standin.books.refund_status = lambda: "pending"
    told = await inside.refund(idempotency_key="order 1")
    await inside.wait(30)
    all_of_them = events(inside, told.body["result"]["id"])
    with caplog.at_level(logging.WARNING):
        for number in (*order, *order):  # each of them comes twice
            await apply_event(inside.context, all_of_them[number])
            await inside.wait(1)
    document = await inside.document(told.attempt)
    assert (document["state"], document["outcome"], document["result"]["failure_reason"]) == (
        "succeeded",
        "failed",
        "expired_or_canceled_card",
    )
    outcomes = [each for each in await inside.told(told.attempt) if each[0] == "outcome"]
    assert outcomes[-1] == ("outcome", "succeeded", "failed") and len(set(outcomes)) == len(outcomes)
    assert len(outcomes) == (3 if order.index(1) < order.index(2) else 2), "an older event is no news"
    assert caplog.text.count(DISAGREES) == 1
    again = await inside.refund(idempotency_key="order 1")
    assert (again.body["outcome"], "not what was asked for" in again.body["next"]) == ("failed", True)
    inside.standin.books.refund_status = lambda: "succeeded"
    assert (await inside.refund()).error is None, "the money came back, so it may go out again"


@pytest.mark.requirement("SC-84")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the other way round"])
@on_virtual_time
async def test_a_pending_refund_that_went_out_is_done_and_nobody_is_woken(
    inside: Inside, caplog: pytest.LogCaptureFixture, order: tuple[int, ...]
) -> None:
    inside.standin.books.refund_status = lambda: "pending"
    told = await inside.refund()
    two = events(inside, told.body["result"]["id"])[:2]
    with caplog.at_level(logging.WARNING):
        for number in order:
            await apply_event(inside.context, two[number])
    shown = (await inside.call("get_attempt", id=told.attempt)).body
    assert (shown["state"], shown["outcome"], shown["result"]["status"]) == ("succeeded", None, "succeeded")
    assert (await inside.told(told.attempt))[-1] == ("outcome", "succeeded", None)
    assert DISAGREES not in caplog.text


@pytest.mark.requirement("SC-84", "SC-104")
@pytest.mark.parametrize("status", ["pending", "succeeded", "failed"])
@on_virtual_time
async def test_an_event_that_overtakes_the_answer_and_the_answer_make_one_row(inside: Inside, status: str) -> None:
    inside.standin.books.refund_status = lambda: status
    inside.wire.add(REFUNDS, Fault(slow=10))
    under_way = asyncio.ensure_future(inside.refund(idempotency_key="order 1"))
    await inside.wait(5)
    await apply_event(inside.context, inside.standin.event_of_refund(inside.standin.movements[0].refund))
    told = await under_way
    state, outcome = ("failed", "failed") if status == "failed" else ("succeeded", None if status == "succeeded" else status)
    assert [each for each in await inside.told(told.attempt) if each[0] == "outcome"] == [("outcome", state, outcome)]
    assert (told.code, (await inside.refund(idempotency_key="order 1")).code) == (
        ("stripe_error",) * 2 if state == "failed" else (None,) * 2
    )


# The same beside the sandbox, which has a card for each.


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of its own, because its clock is moved."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox.url


def advance(billy: Billy, seconds: int) -> None:
    assert control(billy.stripe.url, "POST", "clock", {"advance": seconds}).status_code == 200


async def later(billy: Billy, charge: str, seconds: int) -> None:
    """Stripe goes on, and all that it tells of a charge arrives."""
    advance(billy, seconds)
    for event in reversed(billy.stripe.call("GET", "/v1/events?limit=100")["data"]):
        if charge in str(event):
            await apply_event(billy.context, event)


@pytest.mark.slow
@pytest.mark.requirement("SC-84")
async def test_a_refund_that_stripe_takes_its_time_with_is_pending_and_then_done_on_every_surface(both: Billy) -> None:
    charge = both.stripe.charge(5_000, payment_method="pm_card_pendingRefund")["id"]
    told = await both.call("billing_clerk", "create_refund", charge=charge, amount=700)
    assert (told.body["outcome"], told.body["result"]["status"]) == ("pending", "pending")
    assert "do not say that it is done" in told.body["next"]
    await later(both, charge, 10)
    shown = await both.call("billing_clerk", "get_attempt", id=told.body["attempt"])
    assert (shown.body["state"], shown.body["outcome"], shown.body["result"]["status"]) == ("succeeded", None, "succeeded")


@pytest.mark.slow
@pytest.mark.requirement("SC-84", "SC-102")
async def test_a_refund_that_comes_back_shows_so_in_attempt_rows_charge_and_sums_on_every_surface(
    both: Billy, caplog: pytest.LogCaptureFixture
) -> None:
    charge = both.stripe.charge(5_000, payment_method="pm_card_refundFail")["id"]
    await both.know("charge", charge)
    before = (await both.call("owner", "get_stats")).body
    told = await both.call("billing_clerk", "create_refund", charge=charge)
    assert (told.error, told.body.get("outcome")) == (None, None)
    with caplog.at_level(logging.WARNING):
        await later(both, charge, 10)
        await later(both, charge, 1)
    shown = (await both.call("billing_clerk", "get_attempt", id=told.body["attempt"])).body
    assert (shown["state"], shown["outcome"], shown["result"]["status"]) == ("succeeded", "failed", "failed")
    assert shown["result"]["failure_reason"]
    rows = [row for row in await both.audit(attempt=told.body["attempt"]) if row.get("outcome") == "failed"]
    assert [(row["decision"], row["state"], row["found"]) for row in rows] == [("outcome", "succeeded", "stripe")]
    assert caplog.text.count(told.body["attempt"]) == 1
    now = (await both.call("owner", "get_charge", id=charge)).body
    assert (now["amount_refunded"], now["refunded"]) == (0, False)
    assert (await both.call("owner", "get_stats")).body == before
    again = await both.call("billing_clerk", "create_refund", charge=charge, dry_run=True)
    assert again.body["would"] == "act"

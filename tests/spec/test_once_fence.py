"""Whoever sends must hold the lease and the claim at that moment, and who asked must still be allowed to: else nothing is sent."""

import asyncio
import logging
from typing import Any

import pytest

from shared.errors import BillyError
from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.road.stores import KINDS, Kind
from tests.spec.inside import REFUNDS, Inside, Told, on_virtual_time

BETWEEN = (
    "records.insert attempts",
    "audit.append",
    "records.replace attempts",
    "records.get claims",
    "records.replace claims",
    "records.get keys",
)


async def meanwhile(inside: Inside, slow: "asyncio.Task[Told]", charge: str, who: str, seconds: float) -> list[Told]:
    """What others do while a call stands still, every ten seconds; and once more after that."""
    others: list[Told] = []
    over = inside.instance("other")
    until, before = inside.clock.now() + seconds + 200, inside.refunds
    while inside.clock.now() < until or not slow.done():
        await inside.wait(10)
        if "timer" in who:
            await inside.timer(over=over)
        if "call" in who and inside.refunds == before:
            others.append(await inside.refund(charge=charge, over=over, by="billing_clerk"))
    return others


@pytest.mark.requirement("SC-100", "SC-71")
@pytest.mark.parametrize("who", ["the timer", "another call", "the timer and another call"])
@pytest.mark.parametrize("seconds", [30, 100, 185, 900])
@pytest.mark.parametrize("when", ["before", "after"])
@on_virtual_time
async def test_a_call_that_stands_still_between_its_record_and_its_act_moves_nothing_beside_another(
    inside: Inside, when: str, seconds: int, who: str
) -> None:
    for where in BETWEEN:
        before, charge = inside.refunds, inside.standin.books.charge(5_000)["id"]
        inside.trouble.clear()
        inside.trouble.add(where, Trouble(**{when: seconds}, lands=True))
        slow = asyncio.ensure_future(inside.refund(charge=charge))
        others = await meanwhile(inside, slow, charge, who, seconds)
        told = [slow.result(), *others]
        assert inside.refunds - before == [each.code for each in told].count(None) <= 1, where
        if "call" in who:
            assert inside.refunds - before == 1, "and whoever comes after it gets through"
        await inside.wait(700)
    await inside.at_rest()


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("seconds", [100, 185, 900])
@pytest.mark.parametrize("where", ["records.insert attempts", "records.replace attempts"])
@on_virtual_time
async def test_a_call_that_comes_too_late_says_so_and_the_same_call_goes_on_with_its_attempt(
    inside: Inside, where: str, seconds: int
) -> None:
    inside.trouble.add(where, Trouble(after=seconds))
    late = await inside.refund(idempotency_key="order 1")
    assert (late.code, inside.refunds, inside.standin.asked("POST", "/v1/refunds")) == ("unavailable", 0, [])
    assert "Repeat the same call" in late.words
    await inside.wait(seconds)
    await inside.timer()
    again = await inside.refund(idempotency_key="order 1")
    assert (again.error, inside.refunds) == (None, 1)
    await inside.at_rest()


async def stopped_before_sending(inside: Inside, change: Any, **arguments: Any) -> Told:
    """A refund that is held up for ten seconds right before it would be sent, in which something changes."""
    inside.trouble.add("audit.append", Trouble(after=10))
    slow = asyncio.ensure_future(inside.refund(**arguments))
    await inside.wait(5)
    await change()
    return await slow


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("facts", [{"revoked": 1}, {"expires": 1}], ids=["revoked", "expired"])
@on_virtual_time
async def test_a_key_that_ends_between_permit_and_act_moves_nothing(inside: Inside, facts: dict[str, int]) -> None:
    told = await stopped_before_sending(inside, lambda: inside.change_key("billing_clerk", **facts), by="billing_clerk")
    assert (told.code, await inside.state(told.attempt)) == ("unauthenticated", "failed")
    assert (inside.refunds, inside.standin.asked("POST", "/v1/refunds")) == (0, [])
    assert await inside.told(told.attempt) == [("allowed", None, None), ("outcome", "failed", None)]
    assert ((await inside.refund()).error, inside.refunds) == (None, 1), "it holds up nobody else"


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize(
    "role, amount, code", [("read_only", 1_000, "not_allowed"), ("billing_clerk", 10_001, "not_allowed"), ("billing_clerk", 10_000, None)]
)
@on_virtual_time
async def test_a_role_that_is_lowered_between_permit_and_act_counts_as_it_is_when_money_would_move(
    inside: Inside, role: str, amount: int, code: str | None
) -> None:
    charge = inside.standin.books.charge(50_000)["id"]
    lower = lambda: inside.change_key("billing_manager", role=role)  # noqa: E731
    told = await stopped_before_sending(inside, lower, by="billing_manager", charge=charge, amount=amount)
    assert (told.code, inside.refunds) == (code, 0 if code else 1)
    if code:
        assert told.error is not None and "owner" in told.error.who_can
        assert len(inside.standin.asked("POST", "/v1/refunds")) == 0


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_claim_that_names_another_attempt_by_then_moves_nothing(inside: Inside, kind: Kind) -> None:
    async def taken() -> None:
        first = (await inside.stores.records.find("claims"))[0]
        await inside.write("claims", first.id, attempt="att_" + "0" * 26)

    told = await stopped_before_sending(inside, taken)
    assert (told.code, inside.refunds) == ("unavailable", 0)
    assert "was not sent" in told.words


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_lease_that_is_somebody_elses_by_then_moves_nothing(inside: Inside, kind: Kind) -> None:
    async def taken() -> None:
        (open_,) = await inside.stores.records.find("attempts")
        await inside.write("attempts", open_.id, lease={"token": "another", "until": inside.clock.now() + 45})

    told = await stopped_before_sending(inside, taken, idempotency_key="order 1")
    assert (told.code, inside.refunds) == ("unavailable", 0)
    (attempt,) = [each.document for each in await inside.stores.records.find("attempts")]
    assert (attempt["state"], attempt["lease"]["token"], attempt["sent"]) == ("started", "another", 0), "and who has it is left alone"


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("where", BETWEEN)
@on_virtual_time
async def test_a_fence_that_cannot_be_asked_lets_nothing_through(inside: Inside, where: str) -> None:
    inside.trouble.add(where, *[Trouble(away=True)] * 3)
    told = await inside.refund()
    sent = len(inside.standin.asked("POST", "/v1/refunds"))
    assert (told.error is None) == (inside.refunds == 1) and sent == inside.refunds
    await inside.at_rest()


@pytest.mark.requirement("SC-100", "SC-69")
@pytest.mark.parametrize("skew", [-30, 30])
@pytest.mark.parametrize("seconds", [5, 14, 20, 34, 39])
@on_virtual_time
async def test_an_instance_whose_clock_differs_takes_nothing_over_that_is_still_being_done(inside: Inside, skew: int, seconds: int) -> None:
    other = inside.instance("other", skew=skew)
    inside.trouble.add("audit.append", Trouble(before=14)).add(
        "records.replace attempts", Trouble(before=seconds - 14 if seconds > 14 else 0)
    )
    inside.wire.add(REFUNDS, Fault(during=18), FAULTS["acted, lost"])
    slow = asyncio.ensure_future(inside.refund(idempotency_key="order 1"))
    told: list[Told] = []
    for _ in range(30):
        await inside.wait(4)
        told.append(await inside.refund(idempotency_key="order 1", over=other))
        await inside.timer(over=other)
    assert {(await slow).attempt} | {each.attempt for each in told} == {told[0].attempt}
    assert inside.refunds == 1
    await inside.at_rest()


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("seconds", [30, 100, 170])
@on_virtual_time
async def test_a_request_that_is_held_up_on_its_way_within_the_grace_is_waited_for(inside: Inside, seconds: int) -> None:
    inside.wire.add(REFUNDS, Fault(late=seconds), FAULTS["429, no retry"])
    first = await inside.refund()
    for _ in range(seconds // 10 + 5):
        await inside.wait(10)
        await inside.timer()
        again = await inside.refund()
        assert (again.code, again.attempt) == ("possible_duplicate", first.attempt)
    assert (inside.refunds, await inside.state(first.attempt)) == (1, "succeeded")


@pytest.mark.requirement("SC-102")
@on_virtual_time
async def test_a_request_that_was_held_up_for_longer_than_can_be_waited_is_found_and_told(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    """No fence reaches into a network that keeps a request for a quarter of an hour; what it does then is not kept quiet."""
    inside.wire.add(REFUNDS, Fault(late=900), FAULTS["429, no retry"])
    first = await inside.refund()
    await inside.wait(250)
    await inside.timer()
    assert await inside.state(first.attempt) == "failed"
    await inside.standin.quiet()
    with caplog.at_level(logging.WARNING):
        (moved,) = inside.standin.movements
        await inside.shown("refund", inside.standin.books.get("refund", moved.refund))
    assert (await inside.state(first.attempt), "billy.stripe_disagrees" in caplog.text) == ("succeeded", True)
    assert (await inside.refund()).attempt == first.attempt, "the guard stands again"


@pytest.mark.requirement("SC-82")
@on_virtual_time
async def test_what_crashes_in_the_fence_has_sent_nothing_and_says_so(inside: Inside) -> None:
    def broken() -> Exception:
        return RuntimeError("a driver's own words")

    inside.trouble.add("records.get keys", Trouble(away=True, error=broken))
    told = await inside.refund(idempotency_key="order 1")
    assert isinstance(told.error, BillyError) and (told.code, inside.refunds) == ("internal", 0)
    assert await inside.state(told.attempt) == "failed"

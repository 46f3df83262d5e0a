"""Only a whole answer of Stripe's own is an answer: everything else leaves it open, and nobody moves the money again meanwhile."""

import asyncio

import pytest

from tests.road import answers
from tests.road.answers import Answer
from tests.road.faults import FAULTS, IN_USE, Fault
from tests.road.faulty import Trouble
from tests.spec.conftest import Billy
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

STATUSES = (200, 201, 202, 204, 206, 302, 304, 400, 403, 404, 407, 408, 413, 425, 429, 431, 451, 499, 502, 520, 524)
BODIES = {
    "empty": b"",
    "cut": b'{"id":"re_9","obj',
    "a page": b"<html>x</html>",
    "null": b"null",
    "a list": b"[]",
    "an error as text": b'{"error":"x"}',
    "an error without a type": b'{"error":{"message":"x"}}',
    "no text": b"\xff\xfe",
}
IDEMPOTENCY = Fault(door=answers.refusal(400, "Keys for idempotent requests can only be used with …", "idempotency_error"))
LOST = FAULTS["acted, lost"]


@pytest.mark.requirement("SC-98", "SC-33")
@pytest.mark.parametrize("status", STATUSES)
@on_virtual_time
async def test_a_refund_whose_answer_is_not_stripes_own_is_neither_failed_nor_made_twice(inside: Inside, status: int) -> None:
    made = {}
    for body in BODIES:
        for signed in (True, False):
            charge = inside.standin.books.charge(5_000)["id"]
            inside.wire.add(REFUNDS, *[Fault(said=answers.instead(Answer(status, BODIES[body], stripes=signed)))] * 3)
            first = await inside.refund(charge=charge)
            inside.wire.clear()
            assert first.error is not None and await inside.state(first.attempt) == "unknown", (body, signed)
            assert "not known whether" in first.error.detail and "does not take" not in first.words
            assert first.error.attempt_facts is not None and first.error.attempt_facts.state == "unknown"
            again = await inside.refund(charge=charge)
            assert (again.code, again.attempt, inside.standin.moved(charge)) == ("possible_duplicate", first.attempt, 1_000)
            made[charge] = first.attempt
    await inside.wait(200)
    await inside.timer()
    assert {await inside.state(attempt) for attempt in made.values()} == {"succeeded"}
    assert inside.refunds == len(made) == 16


@pytest.mark.requirement("SC-98")
@pytest.mark.parametrize(
    "status, signed",
    [(status, False) for status in (400, 401, 402, 403, 404, 429)] + [(status, True) for status in (408, 409, 424, 425, 499, 500, 503)],
)
@on_virtual_time
async def test_a_no_in_stripes_words_that_something_between_may_have_said_is_none(inside: Inside, status: int, signed: bool) -> None:
    said = b'{"error":{"type":"invalid_request_error","code":"parameter_invalid","message":"x"}}'
    inside.wire.add(REFUNDS, *[Fault(said=answers.instead(Answer(status, said, stripes=signed)))] * 3)
    first = await inside.refund()
    assert (await inside.state(first.attempt), (await inside.refund()).attempt, inside.refunds) == ("unknown", first.attempt, 1)


@pytest.mark.requirement("SC-98")
@pytest.mark.parametrize(
    "tries",
    [
        (LOST, FAULTS["429, no retry"]),
        (LOST, FAULTS["401"]),
        (LOST, FAULTS["403"]),
        (FAULTS["acted, 503 from the edge"], FAULTS["429"]),
        (LOST, IDEMPOTENCY),
        (LOST, IN_USE, IN_USE),
        (FAULTS["acted, never answers"], FAULTS["401"]),
        (Fault(during=30), FAULTS["429, no retry"]),
    ],
    ids=["429", "401", "403", "503 and 429", "another request", "in use", "silence and 401", "still at it and 429"],
)
@on_virtual_time
async def test_a_no_after_a_try_that_nobody_answered_says_nothing_of_that_try(inside: Inside, tries: tuple[Fault, ...]) -> None:
    inside.wire.add(REFUNDS, *tries)
    first = await inside.refund()
    assert first.error is not None and await inside.state(first.attempt) == "unknown"
    assert first.error.attempt_facts is not None and "not known" in first.error.detail
    again = await inside.refund()
    await inside.standin.quiet()
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first.attempt, 1)
    await inside.wait(200)
    await inside.timer()
    assert (await inside.state(first.attempt), inside.refunds) == ("succeeded", 1)


@pytest.mark.requirement("SC-98")
@on_virtual_time
async def test_a_no_after_a_try_that_never_arrived_leaves_it_open_until_none_can_be_under_way(inside: Inside) -> None:
    inside.wire.add(REFUNDS, FAULTS["not arrived"], FAULTS["429, no retry"])
    first = await inside.refund()
    assert (await inside.state(first.attempt), (await inside.refund()).code) == ("unknown", "possible_duplicate")
    await inside.wait(200)
    await inside.timer()
    assert (await inside.state(first.attempt), inside.refunds) == ("failed", 0)
    assert ((await inside.refund()).error, inside.refunds) == (None, 1)


@pytest.mark.parametrize("name", ["429", "429, retry", "401", "403", "429 lock timeout"])
@on_virtual_time
async def test_what_was_only_ever_turned_away_has_failed_and_holds_up_nobody(inside: Inside, name: str) -> None:
    inside.wire.add(REFUNDS, *[FAULTS[name]] * 3)
    first = await inside.refund(idempotency_key="order 1")
    assert (await inside.state(first.attempt), inside.refunds) == ("failed", 0)
    inside.wire.clear()
    assert ((await inside.refund()).error, inside.refunds) == (None, 1)


@pytest.mark.requirement("SC-32")
@pytest.mark.parametrize("name", ["429", "401"])
@on_virtual_time
async def test_a_keyed_call_that_did_certainly_nothing_acts_under_the_same_attempt_when_it_is_repeated(inside: Inside, name: str) -> None:
    inside.wire.add(REFUNDS, FAULTS[name])
    first = await inside.refund(idempotency_key="order 1")
    again = await inside.refund(idempotency_key="order 1")
    assert first.code in ("rate_limited", "unavailable")
    assert (again.body["status"], again.attempt, inside.refunds) == ("succeeded", first.attempt, 1)


@on_virtual_time
async def test_a_refusal_for_good_is_repeated_word_for_word_and_stripe_is_not_asked_again(inside: Inside) -> None:
    inside.wire.add(REFUNDS, FAULTS["402 stored"])
    first = await inside.refund(idempotency_key="order 1")
    again = await inside.refund(idempotency_key="order 1")
    assert (first.code, first.words, first.attempt) == (again.code, again.words, again.attempt)
    assert (first.code, await inside.state(first.attempt)) == ("declined", "failed")
    assert len(inside.standin.asked("POST", "/v1/refunds")) == 1


@pytest.mark.requirement("SC-99", "SC-72")
@pytest.mark.parametrize(
    "match, fault",
    [
        (REFUNDS, FAULTS["429, no retry"]),
        (REFUNDS, FAULTS["401"]),
        (REFUNDS, FAULTS["403"]),
        (REFUNDS, IDEMPOTENCY),
        (LOOKS, FAULTS["429, no retry"]),
        (LOOKS, FAULTS["401"]),
        (LOOKS, FAULTS["403"]),
        (LOOKS, FAULTS["503 from the edge"]),
        (LOOKS, FAULTS["not arrived"]),
        (LOOKS, FAULTS["never answers"]),
    ],
)
@on_virtual_time
async def test_an_attempt_of_which_nobody_knows_stays_unknown_when_its_repeat_is_turned_away(
    inside: Inside, match: str, fault: Fault
) -> None:
    inside.wire.add(REFUNDS, *[Fault(arrives=False)] * 3)
    first = await inside.refund(idempotency_key="order 1")
    inside.wire.clear()
    inside.wire.add(match, *[fault] * 3)
    again = await inside.refund(idempotency_key="order 1")
    assert (again.attempt, await inside.state(first.attempt)) == (first.attempt, "unknown")
    assert again.error is not None and again.error.attempt_facts is not None
    assert "ew call needs" not in again.words and "Use a new" not in again.words and "not known" in again.words
    inside.wire.clear()
    await inside.wait(40)
    found = await inside.refund(idempotency_key="order 1")
    assert (found.error, found.attempt, inside.refunds) == (None, first.attempt, 1)


@pytest.mark.requirement("SC-99")
@pytest.mark.parametrize("part", ["audit.append", "the door"])
@on_virtual_time
async def test_an_attempt_of_which_nobody_knows_stays_unknown_when_its_repeat_gets_nowhere(inside: Inside, part: str) -> None:
    inside.wire.add(REFUNDS, *[LOST] * 3)
    first = await inside.refund(idempotency_key="order 1")

    async def away() -> None:
        raise answers_nobody()

    over = inside.instance("second", stripe=away) if part == "the door" else None
    inside.trouble.add(part, *[Trouble(away=True)] * 5)
    again = await inside.refund(idempotency_key="order 1", over=over)
    assert again.code == "unavailable"
    assert await inside.state(first.attempt) in ("unknown", "succeeded"), "found, where Stripe could be asked"
    inside.trouble.clear()
    await inside.wait(40)
    found = await inside.refund(idempotency_key="order 1")
    assert (found.error, found.attempt, inside.refunds) == (None, first.attempt, 1)


@pytest.mark.requirement("SC-99")
@on_virtual_time
async def test_a_no_that_stripe_keeps_under_the_key_ends_an_unknown_attempt_only_when_none_can_be_under_way(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *[Fault(arrives=False)] * 3, FAULTS["402 stored"])
    first = await inside.refund(idempotency_key="order 1")
    again = await inside.refund(idempotency_key="order 1")
    assert (again.attempt, await inside.state(first.attempt), "now: Stripe declined" in again.words) == (first.attempt, "unknown", True)
    await inside.wait(200)
    await inside.timer()
    assert (await inside.state(first.attempt), inside.refunds) == ("failed", 0)


def answers_nobody() -> Exception:
    from shared.errors import BillyError

    return BillyError("unavailable", "The vault cannot be reached.", retry_after=5)


@pytest.mark.requirement("SC-72")
@pytest.mark.parametrize("first_comes", ["the timer", "the repeat"])
@on_virtual_time
async def test_a_repeat_and_the_timer_that_meet_tell_nobody_to_use_another_key(inside: Inside, first_comes: str) -> None:
    inside.wire.add(REFUNDS, *[LOST] * 3)
    first = await inside.refund(idempotency_key="order 1")
    await inside.wait(200)
    inside.wire.add(LOOKS, Fault(slow=10), Fault(slow=10))
    steps = [inside.timer, lambda: inside.refund(idempotency_key="order 1")]
    if first_comes == "the repeat":
        steps.reverse()
    one = asyncio.ensure_future(steps[0]())
    await inside.wait(1)
    other = await steps[1]()
    ended = {first_comes: await one, "the other": other}
    repeat = ended["the repeat"] if first_comes == "the repeat" else other
    assert repeat.error is None or (repeat.code == "unavailable" and repeat.error.retry_after == 1)
    assert "Use a new" not in repeat.words
    later = await inside.refund(idempotency_key="order 1")
    assert (later.error, later.attempt, await inside.state(first.attempt), inside.refunds) == (None, first.attempt, "succeeded", 1)
    assert (await inside.told(first.attempt)).count(("outcome", "succeeded", None)) == 1


@pytest.mark.slow
@pytest.mark.requirement("SC-98", "SC-33")
@pytest.mark.parametrize("fault", [{"kind": "cut"}, {"kind": "malformed"}, {"kind": "malformed", "status": 404, "request_id": False}])
async def test_a_refund_that_was_made_and_not_answered_is_told_as_not_known_on_every_surface(both: Billy, fault: dict[str, object]) -> None:
    charge = both.stripe.charge(1_000)["id"]
    both.stripe.fault(match="POST /v1/refunds", times=3, **fault)
    lost = await both.call("owner", "create_refund", charge=charge, amount=100)
    again = await both.call("billing_clerk", "create_refund", charge=charge, amount=100)
    assert (lost.body["attempt_state"], "not known whether" in lost.body["detail"]) == ("unknown", True)
    assert (again.error, again.body["attempt"]) == ("possible_duplicate", lost.body["attempt"])
    assert len(both.stripe.refunds(charge)) == 1
    shown = await both.call("owner", "get_attempt", id=lost.body["attempt"])
    assert (shown.body["state"], shown.body["result"]["amount"]) == ("succeeded", 100), "the second call asked Stripe"


@pytest.mark.requirement("SC-72")
@on_virtual_time
async def test_the_first_answer_of_a_failure_tells_how_its_attempt_stands(inside: Inside) -> None:
    inside.wire.add(REFUNDS, Fault(acts=False, fails=answers.declined()))
    told = await inside.refund(idempotency_key="order 1")
    assert told.error is not None and told.error.attempt_facts is not None
    assert (told.code, told.error.attempt_facts.state) == ("declined", "failed")


@pytest.mark.requirement("SC-72")
@on_virtual_time
async def test_a_key_with_other_arguments_is_told_what_it_was_used_for_and_not_to_take_another(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    first = await inside.refund(idempotency_key="order 1")
    told = await inside.refund(801, idempotency_key="order 1")
    assert told.error is not None and told.error.attempt_facts is not None
    assert (told.code, told.attempt, told.error.attempt_facts.state) == ("conflict", first.attempt, "unknown")
    assert "get_attempt" in told.words

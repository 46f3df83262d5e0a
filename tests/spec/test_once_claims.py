"""The same movement twice is taken for an accident: while nobody knows of the first, and for ten minutes after it, unless it is named."""

import asyncio
from typing import Any

import pytest

from tests.road.answers import failed, forbidden, refusal
from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.road.stores import KINDS, Kind
from tests.spec.conftest import Billy
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

LOST = [FAULTS["acted, lost"]] * 3
AWAY = Fault(door=failed(500))


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_while_stripe_cannot_be_asked_nobody_moves_it_again_however_long(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *[AWAY] * 200)
    first = await inside.refund()
    for _ in range(11):
        await inside.wait(60)
        await inside.timer()
    again = await inside.refund()
    assert again.error is not None and again.error.attempt_facts is not None
    assert (again.code, again.attempt, again.error.attempt_facts.state) == ("possible_duplicate", first.attempt, "unknown")
    assert (await inside.refund(idempotency_key="of its own")).code == "stripe_error", "Stripe is asked for what has this key first"
    assert (await inside.refund(repeat_of=first.attempt)).code == "possible_duplicate", "not even on purpose: nobody knows of the first"
    assert inside.refunds == 1


@pytest.mark.requirement("SC-71", "SC-33")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_claim_on_what_nobody_knows_outlives_every_time_limit(inside: Inside, kind: Kind) -> None:
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *[AWAY] * 6)
    first = await inside.refund()
    await inside.wait(3 * 86_400)
    again = await inside.refund()
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first.attempt, 1)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_the_second_call_asks_stripe_what_became_of_the_first_and_answers_with_its_result(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST)
    first = await inside.refund()
    await inside.wait(3)
    second = await inside.refund()
    await inside.wait(3)
    third = await inside.refund(idempotency_key="of its own")
    for each in (second, third):
        assert each.error is not None and each.error.attempt_facts is not None and each.error.attempt_facts.result is not None
        assert (each.code, each.attempt) == ("possible_duplicate", first.attempt)
        assert each.error.attempt_facts.result["amount"] == 1_000
    assert inside.refunds == 1
    meant = await inside.refund(repeat_of=first.attempt)
    assert (meant.error, inside.refunds) == (None, 2)


@pytest.mark.requirement("SC-71")
@pytest.mark.parametrize(
    "change",
    [
        {"idempotency_key": "of its own"},
        {"reason": "requested_by_customer"},
        {"by": "billing_clerk"},
        {"by": "the agent's next key"},
        {"by": "somebody over MCP"},
        {"currency": "usd"},
        {"repeat_of": "att_" + "0" * 26},
        {"by": "billing_clerk", "reason": "duplicate", "idempotency_key": "order 2", "currency": "usd"},
    ],
    ids=str,
)
@on_virtual_time
async def test_the_same_movement_in_another_way_is_the_same_movement(inside: Inside, change: dict[str, Any]) -> None:
    await inside.person("the agent's next key", "billing_clerk", lineage=inside.people["billing_clerk"].id)
    await inside.person("somebody over MCP", "billing_manager", surface="mcp")
    first = await inside.refund(by="billing_clerk", idempotency_key="order 1")
    await inside.wait(60)
    again = await inside.refund(**{"by": "billing_clerk"} | change)
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first.attempt, 1)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_leaving_the_amount_out_is_the_same_as_giving_all_that_is_left(inside: Inside) -> None:
    await inside.refund(2_500)
    again = await inside.refund(None)
    assert (again.code, inside.refunds) == ("possible_duplicate", 1)


@on_virtual_time
async def test_another_amount_or_another_charge_is_another_movement(inside: Inside) -> None:
    other = inside.standin.books.charge(5_000)["id"]
    done = [await inside.refund(), await inside.refund(999), await inside.refund(charge=other)]
    assert ([each.error for each in done], inside.refunds) == ([None] * 3, 3)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_after_ten_minutes_the_same_is_taken_for_a_new_one(inside: Inside) -> None:
    first = await inside.refund()
    await inside.wait(599)
    assert (await inside.refund()).attempt == first.attempt
    await inside.wait(2)
    second = await inside.refund()
    assert (second.error, second.attempt != first.attempt, inside.refunds) == (None, True, 2)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_repeat_of_lets_one_more_through_and_not_two(inside: Inside) -> None:
    first = await inside.refund()
    second = await inside.refund(repeat_of=first.attempt)
    third = await inside.refund(repeat_of=first.attempt)
    await inside.wait(3_600)
    fourth = await inside.refund(repeat_of=first.attempt)
    assert (second.error, third.code, third.attempt) == (None, "possible_duplicate", second.attempt)
    assert (fourth.code, fourth.attempt) == ("possible_duplicate", second.attempt), "however late: it is what was named once already"
    assert inside.refunds == 2


@pytest.mark.requirement("SC-71", "SC-69")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_of_several_at_once_that_repeat_the_same_on_purpose_one_does(inside: Inside, kind: Kind) -> None:
    first = await inside.refund()
    keys = [{"idempotency_key": f"order {number}"} for number in range(4)] + [{}, {}]
    pauses = (number % 3 / 100 for number in range(10_000))
    inside.way = lambda: Trouble(before=next(pauses), after=next(pauses))
    over = [inside.context, inside.instance("second")]
    told = await asyncio.gather(*(inside.refund(repeat_of=first.attempt, over=over[number % 2], **key) for number, key in enumerate(keys)))
    assert inside.refunds - 1 == [each.code for each in told].count(None) <= 1
    assert {each.code for each in told} <= {None, "possible_duplicate"}
    await inside.wait(11)
    last = await inside.refund(repeat_of=first.attempt)
    assert (inside.refunds, last.code in (None, "possible_duplicate")) == (2, True), "and if none did, the next one does"


@pytest.mark.requirement("SC-71")
@pytest.mark.parametrize("between", ["on purpose", "with its key"])
@pytest.mark.parametrize("fault", ["429, no retry", "401", "402 stored"])
@on_virtual_time
async def test_a_failure_between_two_calls_does_not_make_the_second_forget_the_first(inside: Inside, between: str, fault: str) -> None:
    if between == "with its key":  # it is turned away before the first one comes, and once more after it
        inside.wire.add(REFUNDS, FAULTS[fault])
        await inside.refund(idempotency_key="order 1")
    first = await inside.refund()
    assert first.error is None
    inside.wire.add(REFUNDS, FAULTS[fault])
    given = {"repeat_of": first.attempt} if between == "on purpose" else {}
    await inside.refund(idempotency_key="order 1", **given)
    inside.wire.clear()
    await inside.wait(60)
    again = await inside.refund()
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first.attempt, 1)


@pytest.mark.requirement("SC-71", "SC-69")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keyed", [False, True], ids=["without keys", "each with its own key"])
@on_virtual_time
async def test_of_ten_that_ask_for_the_same_at_once_on_two_instances_one_moves_it(inside: Inside, kind: Kind, keyed: bool) -> None:
    instances = [inside.context, inside.instance("second")]
    pauses = (number % 3 / 100 for number in range(10_000))
    inside.way = lambda: Trouble(before=next(pauses), after=next(pauses))
    keys = [{"idempotency_key": f"order {n}"} if keyed else {} for n in range(10)]
    told = await asyncio.gather(
        *(inside.refund(over=instances[n % 2], by=("owner", "billing_clerk")[n // 5], **keys[n]) for n in range(10))
    )
    assert [each.code for each in told].count(None) == inside.refunds == 1
    assert {each.code for each in told} == {None, "possible_duplicate"}


@pytest.mark.requirement("SC-100")
@pytest.mark.parametrize("away", [1, 10], ids=["once", "for good"])
@on_virtual_time
async def test_a_claim_that_is_there_and_cannot_be_read_lets_nobody_pass(inside: Inside, away: int) -> None:
    first = await inside.refund()
    inside.trouble.add("records.get claims", *[Trouble(away=True)] * away)
    again = await inside.refund(idempotency_key="of its own")
    assert (again.code in ("unavailable", "possible_duplicate"), inside.refunds) == (True, 1)
    inside.trouble.clear()
    assert ((await inside.refund()).attempt, inside.refunds) == (first.attempt, 1)


@pytest.mark.requirement("SC-83")
@pytest.mark.parametrize("what", ["records.insert claims", "records.insert attempts", "records.replace claims", "records.replace attempts"])
@on_virtual_time
async def test_a_write_whose_answer_was_lost_is_known_again_for_ones_own(inside: Inside, what: str) -> None:
    if what == "records.replace claims":
        await inside.refund()
        await inside.wait(601)
    inside.trouble.add(what, Trouble(lost=True))
    done = await inside.refund(idempotency_key="order 1")
    assert (done.error, (await inside.refund(idempotency_key="order 1")).attempt) == (None, done.attempt)


@pytest.mark.requirement("SC-83")
@on_virtual_time
async def test_a_claim_whose_attempt_never_came_is_free_in_ten_seconds(inside: Inside) -> None:
    inside.trouble.add("records.insert attempts", Trouble(away=True)).add("records.get attempts", *[Trouble(away=True)] * 3)
    assert (await inside.refund()).code == "unavailable"
    inside.trouble.clear()
    wait = await inside.refund()
    assert (wait.code, inside.refunds) == ("possible_duplicate", 0)
    assert wait.error is not None and wait.error.retry_after is not None and wait.error.retry_after <= 10
    await inside.wait(wait.error.retry_after)
    assert ((await inside.refund()).error, inside.refunds) == (None, 1)


@pytest.mark.requirement("SC-71", "SC-100")
@pytest.mark.parametrize("stands_still", [9, 12, 30, 44])
@on_virtual_time
async def test_who_stands_still_between_claim_and_record_moves_nothing_that_somebody_else_moved(inside: Inside, stands_still: int) -> None:
    inside.trouble.add("records.insert attempts", Trouble(before=stands_still))
    slow = asyncio.ensure_future(inside.refund())
    answers = []
    while not slow.done():
        await inside.wait(3)
        answers.append(await inside.refund(over=inside.instance(f"other {len(answers)}")))
    await slow
    assert inside.refunds == 1
    assert [each.code for each in (*answers, slow.result())].count(None) == 1


@pytest.mark.slow
@pytest.mark.requirement("SC-71")
async def test_the_same_refund_over_both_surfaces_at_once_moves_once_and_only_by_its_name_again(billy: Billy) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    asked = [
        getattr(billy, ("rest", "mcp")[n % 2])("owner", "create_refund", charge=charge, amount=700, idempotency_key=f"order {n}")
        for n in range(6)
    ]
    told = await asyncio.gather(*asked)
    assert len(billy.stripe.refunds(charge)) == [each.error for each in told].count(None) == 1
    (first,) = [each.body["attempt"] for each in told if each.error is None]
    again = await billy.mcp("billing_clerk", "create_refund", charge=charge, amount=700)
    assert (again.error, again.body["attempt"], again.body["attempt_state"]) == ("possible_duplicate", first, "succeeded")
    assert again.body["attempt_result"]["amount"] == 700 and "repeat_of" in again.body["next"]
    meant = await billy.mcp("billing_clerk", "create_refund", charge=charge, amount=700, repeat_of=first)
    assert (meant.error, len(billy.stripe.refunds(charge))) == (None, 2)


FORBIDDEN = [Fault(door=forbidden())] * 9
NO_MORE = Fault(acts=False, fails=refusal(429, "Too many requests", "invalid_request_error", "rate_limit"))


async def said_not_done_and_done(inside: Inside, **another: Any) -> str:
    """Stripe shows a refund that a person called not done, while the claim is held by another refund, which failed. The first one's id."""
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *FORBIDDEN)
    first = await inside.refund()
    await inside.wait(200)
    await inside.timer()
    await inside.call("end_attempt", id=first.attempt, outcome="not_done", reason="not seen at Stripe")
    inside.wire.clear()
    inside.wire.add(REFUNDS, *[NO_MORE] * 3)
    assert (await inside.refund(**another)).code == "rate_limited"
    inside.wire.clear()
    await inside.shown("refund", inside.standin.books.get("refund", inside.standin.movements[0].refund))
    assert await inside.state(first.attempt) == "succeeded"
    return first.attempt


@pytest.mark.requirement("SC-71", "SC-102")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_success_that_shows_late_guards_also_where_another_attempt_holds_the_claim(inside: Inside, kind: Kind) -> None:
    first = await said_not_done_and_done(inside)
    again = await inside.refund(by="billing_manager")
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first, 1)


@pytest.mark.requirement("SC-71", "SC-102")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_success_that_shows_late_stops_the_attempt_that_holds_the_claim_itself(inside: Inside, kind: Kind) -> None:
    first = await said_not_done_and_done(inside, idempotency_key="the other one's")
    again = await inside.refund(idempotency_key="the other one's")
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first, 1)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_the_guard_of_a_movement_outlives_a_later_one_that_came_back(inside: Inside) -> None:
    first = await inside.refund(100)
    second = await inside.refund(100, repeat_of=first.attempt)
    inside.wire.add(REFUNDS, *[NO_MORE] * 3)
    assert (await inside.refund(100, repeat_of=second.attempt)).code == "rate_limited"
    await inside.shown("refund", inside.standin.books.refund_becomes(inside.standin.movements[1].refund, "failed"))
    again = await inside.refund(100, by="billing_clerk")
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", first.attempt, 2)


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_who_names_an_older_one_in_repeat_of_is_told_that_another_was_the_last(inside: Inside) -> None:
    first = await inside.refund()
    second = await inside.refund(repeat_of=first.attempt)
    again = await inside.refund(repeat_of=first.attempt)
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", second.attempt, 2)
    assert first.attempt in again.words and "another one than repeat_of names" in again.words

"""Attempts as people see them, and how an owner ends one of which nothing else can tell what became of it."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.operations.alarms import ATTEMPTS_UNSETTLED, alarms
from shared.road.settling import NEEDS_PERSON
from tests.road import answers
from tests.road.faults import FAULTS, Fault
from tests.spec.conftest import Billy
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

LOST = [FAULTS["acted, lost"]] * 3
SILENT = [FAULTS["not arrived"]] * 3
UNCLEAR = {"kind": "malformed", "status": 404, "request_id": False}  # the sandbox does it, and something else answers
SHUT = Fault(door=answers.forbidden("rak_refund_read"))
GONE = Fault(door=answers.refusal(404, "No such charge: 'ch_1'", code="resource_missing"))
BAD = Fault(door=answers.refusal(400, "This is not taken.", code="parameter_invalid"))


async def unknown(inside: Inside, faults: list[Fault], **arguments: Any) -> str:
    """A refund of which nobody knows, and of which Stripe cannot be asked any more."""
    inside.wire.add(REFUNDS, *faults)
    told = await inside.refund(**arguments)
    inside.wire.add(LOOKS, *[SHUT] * 10_000)
    assert await inside.state(told.attempt) == "unknown"
    return told.attempt


@pytest.mark.slow
@pytest.mark.requirement("SC-101")
async def test_attempts_are_listed_unknown_ones_first_to_who_asked_and_to_the_owner(both: Billy) -> None:
    charge = both.stripe.charge(50_000)["id"]
    done = [await both.call("billing_clerk", "create_refund", charge=charge, amount=amount) for amount in (100, 200)]
    both.stripe.fault(match="POST /v1/refunds", **UNCLEAR)
    open_ = await both.call("owner", "create_refund", charge=charge, amount=300)
    both.stripe.no_faults()
    wanted = [each.body["attempt"] for each in (open_, *reversed(done))]
    listed = (await both.call("owner", "list_attempts")).body
    mine = (await both.call("billing_clerk", "list_attempts")).body
    assert [each["id"] for each in listed["data"]] == wanted and listed["total"] == 3
    assert [each["id"] for each in mine["data"]] == wanted[1:] and mine["total"] == 2
    assert (await both.call("billing_manager", "list_attempts")).body["data"] == []
    assert [each["state"] for each in listed["data"]] == ["unknown", "succeeded", "succeeded"]
    assert (listed["data"][0]["amount_formatted"], listed["data"][0]["asked_by"]["name"]) == ("3.00 USD", "the owner")
    assert [each["id"] for each in (await both.call("owner", "list_attempts", state="unknown")).body["data"]] == wanted[:1]
    assert (await both.call("owner", "list_attempts", operation="create_key")).body["data"] == []
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = (await both.call("owner", "list_attempts", limit=1, **({"cursor": cursor} if cursor else {}))).body
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
    assert seen == wanted


@pytest.mark.slow
@pytest.mark.requirement("SC-101", "SC-25")
async def test_an_attempt_shows_every_step_to_who_asked_and_is_not_there_for_others(both: Billy) -> None:
    charge = both.stripe.charge(5_000)["id"]
    both.stripe.fault(match="POST /v1/refunds", **UNCLEAR)
    open_ = await both.call("billing_clerk", "create_refund", charge=charge, amount=300)
    both.stripe.no_faults()
    id = open_.body["attempt"]
    shown = (await both.call("billing_clerk", "get_attempt", id=id)).body
    assert (shown["state"], shown["settled"]["amount"], shown["sent"], shown["answered_no"]) == ("unknown", 300, 1, 0)
    assert [step["what"] for step in shown["steps"]] == ["recorded", "sending", "unknown: stripe_error"]
    assert all(step["at_iso"].endswith("Z") for step in shown["steps"])
    assert shown["asked_next_iso"] and shown["since_iso"] and shown["origin"]["surface"] == both.surface
    other = await both.call("billing_manager", "get_attempt", id=id)
    missing = await both.call("billing_manager", "get_attempt", id="att_" + "0" * 26)
    assert (other.error, other.body) == ("not_found", missing.body)
    assert (await both.call("owner", "get_attempt", id=id)).body["id"] == id


@pytest.mark.slow
@pytest.mark.requirement("SC-101")
async def test_only_the_owner_ends_an_attempt_and_only_one_that_is_open_and_has_gone_quiet(both: Billy) -> None:
    charge = both.stripe.charge(5_000)["id"]
    both.stripe.fault(match="POST /v1/refunds", kind="status", status=425)
    id = (await both.call("owner", "create_refund", charge=charge, amount=300)).body["attempt"]
    word = {"id": id, "outcome": "not_done", "reason": "the dashboard shows none"}
    assert (await both.rest("billing_manager", "end_attempt", **word)).error == "not_allowed"
    young = await both.call("owner", "end_attempt", **word)
    assert (young.error, 0 < young.body["retry_after"] <= 181, young.body["attempt_state"]) == ("conflict", True, "unknown")
    both.stripe.no_faults()
    both.clock.offset = 200
    would = (await both.call("owner", "end_attempt", dry_run=True, **word)).body
    assert (would["would"], would["view"]["changes"]) == ("act", [{"what": "state", "before": "unknown", "after": "failed"}])
    ended = await both.call("owner", "end_attempt", **word)
    assert (ended.body["result"]["state"], ended.body["result"]["told_by"]) == ("failed", "stripe"), "Stripe could be asked after all"
    again = await both.call("owner", "end_attempt", **word)
    assert (again.error, again.body["attempt_state"]) == ("conflict", "failed")
    assert (await both.call("owner", "end_attempt", **(word | {"id": "att_" + "0" * 26}))).error == "not_found"
    assert (await both.call("owner", "end_attempt", **(word | {"reason": "\u200b\u200b\u200b"}))).error in ("invalid_request", "conflict")


@pytest.mark.requirement("SC-101", "SC-102")
@pytest.mark.parametrize("says", ["done", "not_done"])
@pytest.mark.parametrize("really", [True, False], ids=["made", "not made"])
@on_virtual_time
async def test_a_persons_word_counts_where_stripe_cannot_be_asked_and_is_outweighed_when_it_can(
    inside: Inside, caplog: pytest.LogCaptureFixture, really: bool, says: str
) -> None:
    attempt = await unknown(inside, LOST if really else SILENT, idempotency_key="order 1")
    await inside.wait(200)
    ended = await inside.call("end_attempt", id=attempt, outcome=says, reason="as the bank says")
    state = "succeeded" if says == "done" else "failed"
    assert (ended.body["result"]["state"], ended.body["result"]["told_by"], await inside.state(attempt)) == (state, "person", state)
    (row,) = [row for row in await inside.rows(attempt=attempt) if row.get("found") == "person"]
    assert (row["actor_name"], row["reason"], row["state"]) == ("owner", "as the bank says", state)
    repeat = await inside.refund(idempotency_key="order 1")
    assert (repeat.code, repeat.attempt) == ((None if says == "done" else "unavailable"), attempt)
    inside.wire.clear()
    if says == "done":
        assert (await inside.refund(by="billing_clerk")).code == "possible_duplicate"
    if really:
        with caplog.at_level(logging.WARNING):
            await inside.shown("refund", inside.standin.books.get("refund", inside.standin.movements[0].refund))
        assert await inside.state(attempt) == "succeeded"
        assert ("billy.stripe_disagrees" in caplog.text) == (says == "not_done")
    elif says == "not_done":
        assert ((await inside.refund()).error, inside.refunds) == (None, 1), "ended so, it holds up nobody"


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("really, says", [(True, "not_done"), (False, "done")])
@on_virtual_time
async def test_what_stripe_answers_at_that_moment_outweighs_a_persons_word(inside: Inside, really: bool, says: str) -> None:
    inside.wire.add(REFUNDS, *(LOST if really else SILENT))
    attempt = (await inside.refund()).attempt
    await inside.wait(200)
    ended = await inside.call("end_attempt", id=attempt, outcome=says, reason="I believe so")
    state = "succeeded" if really else "failed"
    assert (ended.body["result"]["state"], ended.body["result"]["told_by"]) == (state, "stripe")
    assert await inside.state(attempt) == state


@pytest.mark.requirement("SC-101", "SC-32")
@on_virtual_time
async def test_ending_an_attempt_twice_with_one_key_is_once_and_leaves_one_row_of_the_word(inside: Inside) -> None:
    attempt = await unknown(inside, SILENT)
    await inside.wait(200)
    asked = {"id": attempt, "outcome": "not_done", "reason": "nothing there", "idempotency_key": "end 1"}
    first, second = await inside.call("end_attempt", **asked), await inside.call("end_attempt", **asked)
    assert (first.error, second.body["replayed"], second.attempt) == (None, True, first.attempt)
    assert len([row for row in await inside.rows(attempt=attempt) if row.get("found") == "person"]) == 1


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("fault", [SHUT, GONE, BAD], ids=["403", "404", "400"])
@on_virtual_time
async def test_what_cannot_be_asked_any_more_is_told_once_listed_and_waits_for_a_person(
    inside: Inside, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    inside.wire.add(REFUNDS, *LOST)
    attempt = (await inside.refund(idempotency_key="order 1")).attempt
    inside.wire.add(LOOKS, *[fault] * 10_000)
    alarmed = 0
    with caplog.at_level(logging.WARNING):
        for _ in range(24 * 60):
            await inside.wait(60)
            await inside.timer()
            alarmed += any(each.event == ATTEMPTS_UNSETTLED for each in await alarms(inside.context))
    asked = len(inside.standin.asked("GET", "/v1/refunds"))
    assert (await inside.state(attempt), inside.refunds) == ("unknown", 1)
    assert caplog.text.count(NEEDS_PERSON) == 1 and attempt in caplog.text
    assert alarmed <= 15, "it is not told each minute for ever"
    assert 20 <= asked <= 60, "it is asked again and again, with growing pauses"
    shown = (await inside.call("list_attempts", state="unknown")).body["data"][0]
    assert (shown["id"], shown["needs_a_person"], shown["asked_next"] > inside.clock.now()) == (attempt, True, True)
    repeat = await inside.refund(idempotency_key="order 1")
    assert repeat.error is not None and repeat.error.attempt_facts is not None
    assert (repeat.attempt, repeat.error.attempt_facts.state, "not known" in repeat.words) == (attempt, "unknown", True)
    assert (await inside.refund()).code == "possible_duplicate", "the guard stands until then"
    ended = await inside.call("end_attempt", id=attempt, outcome="done", reason="as the bank says")
    assert ended.body["result"]["told_by"] == "person"


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("sent", [0, 1])
@on_virtual_time
async def test_an_attempt_of_an_operation_that_this_version_does_not_know_is_left_listed_and_ended_by_the_owner(
    inside: Inside, sent: int
) -> None:
    inside.wire.add(REFUNDS, *SILENT).add(LOOKS, *[SHUT] * 100)
    attempt = (await inside.refund()).attempt
    await inside.write("attempts", attempt, operation="create_voucher", sent=sent)
    other = (await inside.refund(999)).attempt
    await inside.wait(1_000)
    await inside.timer()
    if sent:
        assert (await inside.state(attempt), await inside.state(other)) == ("unknown", "succeeded")
        listed = (await inside.call("list_attempts", operation="create_voucher")).body["data"]
        assert [(each["id"], each["needs_a_person"]) for each in listed] == [(attempt, True)]
        ended = await inside.call("end_attempt", id=attempt, outcome="not_done", reason="it was never sent")
        assert (ended.body["result"]["state"], ended.body["result"]["told_by"]) == ("failed", "person")
    else:
        assert await inside.state(attempt) == "failed", "nothing was sent, whatever it was"


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_an_attempt_that_ends_while_the_list_is_read_is_listed_once_as_it_ended(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    first = await inside.refund()
    find = inside.context.records.find

    class Moving:
        def __getattr__(self, name: str) -> Any:
            return getattr(inside.context.records, name)

        async def find(self, collection: str, where: Any = None, **how: Any) -> Any:
            found = await find(collection, where, **how)
            if where == {"state": "unknown"}:
                await inside.write("attempts", first.attempt, state="succeeded", ended=inside.clock.now())
            return found

    listed = (await inside.call("list_attempts", over=replace(inside.context, records=Moving()))).body  # type: ignore[arg-type]
    assert [(each["id"], each["state"]) for each in listed["data"]] == [(first.attempt, "succeeded")]


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_of_very_many_steps_the_first_and_the_newest_are_shown(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    first = await inside.refund()
    await inside.write("attempts", first.attempt, steps=[[inside.clock.now(), f"step {n}"] for n in range(80)])
    await inside.rest()
    shown = [step["what"] for step in (await inside.call("get_attempt", id=first.attempt)).body["steps"]]
    assert (shown[:30], len(shown)) == ([f"step {n}" for n in range(30)], 60)
    assert "found" in shown and "step 79" in shown and "step 40" not in shown

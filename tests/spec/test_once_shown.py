"""What Stripe shows by itself outweighs what was recorded: it corrects the attempt, leaves a row, and wakes somebody where it must."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from shared.gateway import feed
from shared.gateway.apply import Outcome, apply_event
from shared.gateway.backfill import run_slice
from shared.operations.sync import request_run
from tests.road.answers import forbidden
from tests.road.faults import FAULTS, Fault
from tests.spec.conftest import Billy
from tests.spec.inside import CHARGE, LOOKS, REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

DISAGREES = "billy.stripe_disagrees"
NO_ATTEMPT = "att_" + "0" * 26
FAILED: Mapping[str, Any] = {
    "state": "failed",
    "lease": None,
    "error": {
        "code": "unavailable",
        "detail": "The call was cut off before it was done.",
        "next": None,
        "stripe": None,
        "retryable": False,
    },
}


async def lost(inside: Inside, state: str) -> str:
    """A refund whose answer was lost, and whose attempt is recorded as in that state."""
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    attempt = (await inside.refund(idempotency_key="order 1")).attempt
    await inside.write("attempts", attempt, **(FAILED | {"ended": inside.clock.now()} if state == "failed" else {"state": state}))
    if state == "missing":
        await inside.restore("attempts", "claims")
    if state == "not fitting":
        settled = (await inside.document(attempt))["settled"]
        await inside.write(
            "attempts", attempt, **FAILED, settled=settled | {"arguments": settled["arguments"] | {"amount": 900}, "amount": 900}
        )
    return attempt


async def by_event(inside: Inside, event: Mapping[str, Any]) -> None:
    await apply_event(inside.context, event)


async def by_feed(inside: Inside, event: Mapping[str, Any]) -> None:
    """Stripe's list of events is read on; no webhook came."""
    await feed.open_feed(inside.context, await inside.context.stripe())  # type: ignore[arg-type]
    inside.standin.books.objects.setdefault("event", {})[event["id"]] = dict(event)
    await feed.catch_up(inside.context)


async def by_page(inside: Inside, event: Mapping[str, Any]) -> None:
    """A page of refunds is read, as in a backfill."""
    await inside.shown("refund", event["data"]["object"])


WAYS = {"webhook": by_event, "feed": by_feed, "page": by_page}


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", ["failed", "unknown", "started", "missing", "not fitting"])
@on_virtual_time
async def test_a_refund_that_carries_an_attempts_id_outweighs_its_record(
    inside: Inside, caplog: pytest.LogCaptureFixture, state: str, way: str
) -> None:
    attempt = await lost(inside, state)
    before = len(await inside.rows(attempt=attempt))
    event = inside.standin.event_of_refund(inside.standin.movements[0].refund)
    with caplog.at_level(logging.WARNING):
        await WAYS[way](inside, event)
        await inside.wait(2)
        await WAYS[way](inside, inside.standin.event_of_refund(inside.standin.movements[0].refund))
    rows = (await inside.rows(attempt=attempt))[before:]
    assert [(row["decision"], row["found"], row["surface"]) for row in rows] == [("outcome", "stripe", "stripe")], "told once"
    assert inside.standin.movements[0].refund in rows[0]["stripe_ids"]
    assert caplog.text.count(DISAGREES) == (0 if state in ("unknown", "started") else 1)
    if state in ("failed", "unknown", "started"):
        assert (rows[0]["state"], await inside.state(attempt)) == ("succeeded", "succeeded")
        again = await inside.refund(idempotency_key="order 1")
        assert (again.body["replayed"], again.body["result"]["id"]) == (True, inside.standin.movements[0].refund)
        other = await inside.refund(by="billing_clerk")
        assert (other.code, other.attempt, inside.refunds) == ("possible_duplicate", attempt, 1), "the guard stands again"
    else:
        assert "state" not in rows[0] and await _state_or_none(inside, attempt) == (None if state == "missing" else "failed")
    if state == "not fitting":
        assert [note for note in rows[0]["notes"] if "900" in note and "1000" in note]


async def _state_or_none(inside: Inside, attempt: str) -> str | None:
    record = await inside.stores.records.get("attempts", attempt)
    return str(record.document["state"]) if record else None


@pytest.mark.requirement("SC-102", "SC-71")
@on_virtual_time
async def test_a_failure_that_turns_out_to_have_moved_days_later_is_guarded_again(inside: Inside) -> None:
    attempt = await lost(inside, "failed")
    await inside.restore("claims")  # whose time was over
    await inside.wait(3 * 86_400)
    await apply_event(inside.context, inside.standin.event_of_refund(inside.standin.movements[0].refund))
    again = await inside.refund()
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", attempt, 1)


@pytest.mark.requirement("SC-102")
@on_virtual_time
async def test_a_success_that_shows_again_is_no_news(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    done = await inside.refund()
    rows, steps = await inside.rows(), (await inside.document(done.attempt))["steps"]
    with caplog.at_level(logging.WARNING):
        for type in ("refund.created", "refund.updated"):
            await apply_event(inside.context, inside.standin.event_of_refund(done.body["result"]["id"], type))
    assert (await inside.rows(), (await inside.document(done.attempt))["steps"], DISAGREES in caplog.text) == (rows, steps, False)


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("typed", ["hello", "att_1", NO_ATTEMPT.upper(), None, 7, {"a": 1}, f" {NO_ATTEMPT}"])
@on_virtual_time
async def test_what_somebody_typed_in_stripes_dashboard_that_is_no_attempts_id_is_nobodys_affair(inside: Inside, typed: object) -> None:
    refund = inside.standin.books.refund({"charge": CHARGE, "amount": 100})
    refund["metadata"] = {"billy_attempt": typed}
    assert await apply_event(inside.context, inside.standin.event_of_refund(refund["id"])) is Outcome.APPLIED
    assert await inside.rows() == []


@pytest.mark.requirement("SC-102")
@on_virtual_time
async def test_an_attempts_id_on_what_it_does_not_make_corrects_nothing(inside: Inside) -> None:
    attempt = await lost(inside, "failed")
    charge = inside.standin.books.charge(1_000, metadata={"billy_attempt": attempt})
    await apply_event(inside.context, inside.standin.event("charge.succeeded", charge))
    assert await inside.state(attempt) == "failed"


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("facts", [{"livemode": True}, {"account": "acct_1Somebody"}], ids=["of the other mode", "of another account"])
@on_virtual_time
async def test_an_event_of_somebody_else_corrects_nothing(inside: Inside, facts: dict[str, Any]) -> None:
    attempt = await lost(inside, "failed")
    event = inside.standin.event_of_refund(inside.standin.movements[0].refund, **facts)
    assert await apply_event(inside.context, event) is Outcome.FOREIGN
    assert await inside.state(attempt) == "failed"


@pytest.mark.requirement("SC-101", "SC-102")
@pytest.mark.parametrize("way", ["webhook", "feed"])
@on_virtual_time
async def test_an_attempt_that_cannot_be_read_holds_up_no_event_of_another(inside: Inside, way: str) -> None:
    attempt = await lost(inside, "unknown")
    settled = (await inside.document(attempt))["settled"]
    await inside.write("attempts", attempt, settled=settled | {"payer": "acct_1"})
    other = await inside.refund(700, charge=inside.standin.books.charge(700)["id"])
    inside.standin.books.refund_becomes(other.body["result"]["id"], "failed")
    spoilt = inside.standin.event_of_refund(inside.standin.movements[0].refund)
    await inside.wait(1)
    sound = inside.standin.event_of_refund(other.body["result"]["id"], "refund.failed")
    if way == "feed":
        await feed.open_feed(inside.context, await inside.context.stripe())  # type: ignore[arg-type]
        inside.standin.books.objects["event"] = {each["id"]: each for each in (spoilt, sound)}
        await feed.catch_up(inside.context)
    else:
        await apply_event(inside.context, spoilt)
        await apply_event(inside.context, sound)
    assert (await inside.document(other.attempt))["outcome"] == "failed"
    assert {each.id for each in await inside.stores.records.find("events")} == {spoilt["id"], sound["id"]}, "and it is not brought for ever"


@pytest.mark.requirement("SC-102", "SC-82")
@pytest.mark.parametrize("part", ["records.get attempts", "records.replace attempts", "audit.append"])
@on_virtual_time
async def test_a_store_that_is_away_brings_the_event_again_until_it_is_told(inside: Inside, part: str) -> None:
    from shared.errors import BillyError
    from tests.road.faulty import Trouble

    attempt = await lost(inside, "failed")
    event = inside.standin.event_of_refund(inside.standin.movements[0].refund)
    inside.trouble.add(part, Trouble(away=True))
    try:
        await apply_event(inside.context, event)
    except BillyError as error:
        assert error.code == "unavailable"
    inside.trouble.clear()
    await apply_event(inside.context, event)
    await inside.wait(120)
    await inside.timer()
    told = [row for row in await inside.rows(attempt=attempt) if row.get("state") == "succeeded"]
    assert (await inside.state(attempt), len(told)) == ("succeeded", 1)


@pytest.mark.slow
@pytest.mark.requirement("SC-102")
async def test_a_whole_reading_of_stripe_corrects_every_attempt_that_it_meets(billy: Billy, caplog: pytest.LogCaptureFixture) -> None:
    made: dict[str, str] = {}
    for state in ("failed", "unknown", "started", "missing"):
        charge = billy.stripe.charge(5_000)["id"]
        told = await billy.rest("owner", "create_refund", charge=charge, amount=700)
        made[state] = told.body["attempt"]
        record = await billy.context.records.get("attempts", made[state])
        assert record is not None
        facts = {"failed": FAILED}.get(state, {"state": state})
        if state != "missing":
            await billy.context.records.replace("attempts", record, record.document | facts | {"result": None, "ended": None})
    other = billy.stripe.charge(5_000)["id"]
    stranger = billy.stripe.call("POST", "/v1/refunds", {"charge": other, "amount": 300, "metadata[billy_attempt]": NO_ATTEMPT})
    await request_run(billy.context, "system")
    with caplog.at_level(logging.WARNING):
        await run_slice(billy.context, 60)
    for state in ("failed", "unknown", "started"):
        shown = (await billy.rest("owner", "get_attempt", id=made[state])).body
        assert (state, shown["state"], shown["result"]["amount"]) == (state, "succeeded", 700)
    lines = [orjson.loads(str(each.msg)) for each in caplog.records if DISAGREES in str(each.msg)]
    ours = {line["attempt"]: line["recorded"] for line in lines if line["attempt"] in (*made.values(), NO_ATTEMPT)}
    assert ours == {made["failed"]: "failed", NO_ATTEMPT: "not fitting"}
    (row,) = await billy.audit(attempt=NO_ATTEMPT)
    assert (row["found"], stranger["id"] in row["stripe_ids"]) == ("stripe", True)


@pytest.mark.requirement("SC-102")
@on_virtual_time
async def test_what_stripe_shows_replaces_what_a_person_said(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3).add(LOOKS, *[Fault(door=forbidden())] * 9)
    first = await inside.refund()
    await inside.wait(200)
    await inside.call("end_attempt", id=first.attempt, outcome="done", reason="seen at Stripe")
    inside.wire.clear()
    refund = inside.standin.books.refund_becomes(inside.standin.movements[0].refund, "pending")
    await inside.shown("refund", refund)
    document = await inside.document(first.attempt)
    assert (document["state"], document["outcome"], document["result"]["id"]) == ("succeeded", "pending", refund["id"])
    await inside.at_rest()


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("facts", [{"operation": "create_key"}, {"settled": 7}], ids=["another operation's", "another version's"])
@on_virtual_time
async def test_an_object_whose_attempt_cannot_have_made_it_or_cannot_be_read_is_told_once(inside: Inside, facts: dict[str, Any]) -> None:
    first = await inside.refund()
    await inside.write("attempts", first.attempt, **facts)
    refund = inside.standin.books.refund_becomes(inside.standin.movements[0].refund, "failed")
    for _ in range(2):
        await inside.shown("refund", refund)
    strays = [row for row in await inside.rows(attempt=first.attempt) if row.get("found") == "stripe"]
    assert [(row["operation"], refund["id"] in row["stripe_ids"]) for row in strays] == [("create_refund", True)]

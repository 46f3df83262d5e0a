"""The timer settles each attempt by itself: one that cannot be settled is named, asked again with growing pauses, and holds up nobody."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import BillyError
from shared.road.catalogue import BY_NAME
from shared.road.settling import FAILED_LATER
from tests.road import answers
from tests.road.answers import Answer
from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.road.stores import KINDS, Kind
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time

LOST = [FAULTS["acted, lost"]] * 3
NO_END = Fault(said=answers.instead(Answer(200, b'{"object":"list","data":[],"has_more":true,"url":"/v1/refunds"}')))


async def newer_fact(inside: Inside, attempt: str) -> None:
    settled = (await inside.document(attempt))["settled"]
    await inside.write("attempts", attempt, settled=settled | {"payer": "acct_1"})


async def amount_beyond_all(inside: Inside, attempt: str) -> None:
    settled = (await inside.document(attempt))["settled"]
    await inside.write("attempts", attempt, settled=settled | {"amount": 2**63})


async def no_document(inside: Inside, attempt: str) -> None:
    await inside.write("attempts", attempt, settled=None, origin=7)


async def list_without_an_end(inside: Inside, attempt: str) -> None:
    charge = (await inside.document(attempt))["settled"]["arguments"]["charge"]
    inside.standin.plan = lambda request: NO_END if request.params.get("charge") == charge else inside.wire(request)


async def record_that_cannot_be_written(inside: Inside, attempt: str) -> None:
    records = inside.context.records

    class Stubborn:
        def __getattr__(self, name: str) -> Any:
            return getattr(records, name)

        async def replace(self, collection: str, record: Any, document: Any) -> Any:
            if record.id == attempt:
                raise BillyError("unavailable", "The store cannot be reached.")
            return await records.replace(collection, record, document)

    inside.context = replace(inside.context, records=Stubborn())  # type: ignore[arg-type]


SPOILT: dict[str, Callable[[Inside, str], Any]] = {
    each.__name__.replace("_", " "): each
    for each in (newer_fact, amount_beyond_all, no_document, list_without_an_end, record_that_cannot_be_written)
}


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("comes", ["first", "last"])
@pytest.mark.parametrize("spoilt", SPOILT)
@on_virtual_time
async def test_an_attempt_that_cannot_be_settled_is_named_and_holds_up_no_other(
    inside: Inside, caplog: pytest.LogCaptureFixture, spoilt: str, comes: str
) -> None:
    charges = [inside.standin.books.charge(5_000)["id"] for _ in range(2)]
    inside.wire.add(REFUNDS, *LOST, *LOST)
    two = [(await inside.refund(charge=charge)).attempt for charge in charges]
    bad, good = two if comes == "first" else reversed(two)
    await SPOILT[spoilt](inside, bad)
    await inside.wait(200)
    with caplog.at_level(logging.WARNING):
        counts = await inside.timer()
    assert (counts, await inside.state(good)) == ({"succeeded": 1, "failed": 0, "left": 1}, "succeeded")
    assert (await inside.told(good))[-1] == ("outcome", "succeeded", None)
    assert bad in caplog.text if spoilt != "list without an end" else await inside.state(bad) == "unknown"
    asked = len(inside.standin.requests)
    with caplog.at_level(logging.WARNING):
        for _ in range(3 * 24 * 12):
            await inside.wait(300)
            await inside.timer()
    document = await inside.document(bad)
    assert document["state"] == "unknown"
    if spoilt != "record that cannot be written":
        assert document["looks"]["error"] and 70 <= document["looks"]["count"] <= 90, "counted, and asked once an hour in the end"
        assert len(inside.standin.requests) - asked <= 90
        assert caplog.text.count(FAILED_LATER) <= 90
    inside.standin.plan = inside.wire
    listed = (await inside.call("list_attempts")).body
    assert good in [each["id"] for each in listed["data"]]


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("spoilt", ["newer fact", "amount beyond all", "no document"])
@on_virtual_time
async def test_an_attempt_that_cannot_be_read_is_listed_with_what_can_be(inside: Inside, spoilt: str) -> None:
    inside.wire.add(REFUNDS, *LOST)
    attempt = (await inside.refund()).attempt
    await SPOILT[spoilt](inside, attempt)
    listed = (await inside.call("list_attempts")).body
    assert [(each["id"], each["operation"], each["state"]) for each in listed["data"]] == [(attempt, "create_refund", "unknown")]
    assert listed["total"] == 1


@pytest.mark.requirement("SC-101", "SC-82")
@on_virtual_time
async def test_a_mirror_that_refuses_a_refund_does_not_hold_up_its_outcome(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST)
    attempt = (await inside.refund()).attempt
    inside.trouble.add("mirror.*", *[Trouble(away=True, error=lambda: RuntimeError("a column is too narrow"))] * 20)
    await inside.wait(200)
    assert await inside.timer() == {"succeeded": 1, "failed": 0, "left": 0}
    assert (await inside.state(attempt), (await inside.told(attempt))[-1]) == ("succeeded", ("outcome", "succeeded", None))


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_hundreds_of_young_attempts_hide_no_old_one(inside: Inside, kind: Kind) -> None:
    inside.wire.add(REFUNDS, *LOST)
    old = (await inside.refund()).attempt
    document = await inside.document(old)
    await inside.wait(300)
    now = inside.clock.now()
    young = document | {"created": now, "updated": now, "last_sent": now, "first_sent": now, "looks": {}}
    for number in range(250):
        await inside.stores.records.insert("attempts", f"att_{number:026}", young | {"state": ("started", "unknown")[number % 2]})
        await inside.stores.records.insert("attempts", f"att_z{number:025}", young | {"state": ("started", "unknown")[number % 2]})
    assert await inside.timer() == {"succeeded": 1, "failed": 0, "left": 500}
    assert await inside.state(old) == "succeeded"


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_while_stripe_is_away_an_attempt_is_asked_about_less_and_less_often_and_found_soon_after(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *[FAULTS["not arrived"]] * 10_000)
    attempt = (await inside.refund()).attempt
    looked: list[float] = []
    for _ in range(2 * 24 * 60):
        before = len(inside.standin.requests)
        await inside.wait(60)
        await inside.timer()
        if len(inside.standin.requests) > before:
            looked.append(inside.clock.now())
    pauses = [later - earlier for earlier, later in itertools.pairwise(looked)]
    assert all(later >= earlier - 61 for earlier, later in itertools.pairwise(pauses)), "each pause is as long as the last, or longer"
    assert max(pauses) <= 3_700 and len(looked) < 60
    inside.wire.clear()
    for _ in range(61):
        await inside.wait(60)
        await inside.timer()
    assert (await inside.state(attempt), inside.refunds) == ("succeeded", 1)


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_a_timer_of_a_version_that_does_not_know_an_operation_leaves_its_attempts_alone(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST)
    attempt = (await inside.refund()).attempt
    older = {name: operation for name, operation in BY_NAME.items() if name != "create_refund"}
    for _ in range(20):
        await inside.wait(60)
        assert (await inside.timer(older))["left"] == 1
    assert (await inside.state(attempt), inside.refunds) == ("unknown", 1)
    assert (await inside.refund()).code == "possible_duplicate"
    assert await inside.state(attempt) == "succeeded", "which asked Stripe"


@pytest.mark.requirement("SC-69", "SC-104")
@on_virtual_time
async def test_two_timers_at_once_settle_an_attempt_once(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST)
    attempt = (await inside.refund()).attempt
    await inside.wait(200)
    over = [inside.instance(f"timer {number}") for number in range(4)]
    inside.wire.add(LOOKS, *[Fault(slow=3)] * 4)
    counts = await asyncio.gather(*(inside.timer(over=each) for each in over))
    assert sum(each["succeeded"] for each in counts) == 1 == len(inside.standin.asked("GET", "/v1/refunds"))
    assert (await inside.told(attempt)).count(("outcome", "succeeded", None)) == 1


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_callers_who_ask_often_do_not_keep_the_timer_away(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *[Fault(door=answers.failed(500))] * 60)
    first = await inside.refund()
    for _ in range(12):
        await inside.wait(5)
        assert (await inside.refund(by="billing_clerk")).attempt == first.attempt
    await inside.wait(140)
    await inside.timer()
    assert await inside.state(first.attempt) == "unknown"
    for _ in range(12):
        await inside.refund(by="billing_clerk")
    inside.wire.clear()
    await inside.wait(240)
    await inside.timer()
    assert await inside.state(first.attempt) == "succeeded"


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_the_time_of_the_next_look_that_a_caller_is_told_is_yet_to_come(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST).add(LOOKS, *[Fault(door=answers.failed(500))] * 60)
    first = await inside.refund()
    assert first.error is not None and first.error.attempt_facts is not None
    assert (first.error.attempt_facts.asked_next or 0) > inside.clock.now()

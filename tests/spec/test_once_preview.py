"""A preview says what the call then does: act, replay or refuse, with the same code and the same attempt; and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.road.answers import declined
from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.spec.conftest import Billy
from tests.spec.inside import REFUNDS, Inside, Told, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

K = {"idempotency_key": "order 1"}
RUNNING: list["asyncio.Future[Told]"] = []  # held, so that they go on

type Before = Callable[[Inside], Awaitable[Any]]


async def nothing(inside: Inside) -> None:
    """Nobody asked before."""


async def done(inside: Inside) -> str:
    return (await inside.refund(**K)).attempt


async def done_long_ago(inside: Inside) -> None:
    await done(inside)
    await inside.wait(700)


def failed_with(*faults: Fault) -> Before:
    async def before(inside: Inside) -> None:
        inside.wire.add(REFUNDS, *faults)
        await inside.refund(**K)
        inside.wire.clear()

    return before


def of_status(status: str, later: str | None = None) -> Before:
    async def before(inside: Inside) -> None:
        inside.standin.books.refund_status = lambda: status
        told = await inside.refund(**K)
        inside.standin.books.refund_status = lambda: "succeeded"
        if later is not None:
            refund = inside.standin.books.refund_becomes(told.body["result"]["id"], later)
            await inside.shown("refund", refund)

    return before


def lost(fault: str, wait: float = 5) -> Before:
    async def before(inside: Inside) -> None:
        inside.wire.add(REFUNDS, *[FAULTS[fault]] * 3)
        await inside.refund(**K)
        inside.wire.clear()
        await inside.wait(wait)

    return before


async def restored(inside: Inside) -> None:
    await done(inside)
    await inside.restore("attempts", "claims")


async def under_way(inside: Inside) -> None:
    inside.wire.add(REFUNDS, Fault(during=15))
    RUNNING.append(asyncio.ensure_future(inside.refund(**K)))
    await inside.wait(2)


async def never_sent(inside: Inside) -> None:
    """The call died between its record and its act, and its lease is over."""
    inside.trouble.add("records.insert attempts", Trouble(after=100))
    await inside.refund(**K)
    await inside.wait(60)


async def claimed_a_moment_ago(inside: Inside) -> None:
    inside.trouble.add("records.insert attempts", Trouble(away=True)).add("records.get attempts", *[Trouble(away=True)] * 3)
    await inside.refund()
    inside.trouble.clear()


def of_charge(**facts: Any) -> Before:
    async def before(inside: Inside) -> None:
        inside.standin.books.get("charge", "ch_1").update(facts)

    return before


async def disputed(inside: Inside) -> None:
    inside.standin.books.dispute("ch_1")


@dataclass(frozen=True, slots=True)
class Case:
    before: Before
    would: str
    code: str | None = None
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    by: str = "owner"


SILENCE, LOST = "not arrived", "acted, lost"
CASES = {
    "nothing before": Case(nothing, "act"),
    "nothing before, keyed": Case(nothing, "act", given=K),
    "above the cap": Case(nothing, "refuse", "not_allowed", {"amount": 10_001, "charge": "ch_2"}, "billing_clerk"),
    "below the cap": Case(nothing, "act", None, {"amount": 10_000, "charge": "ch_2"}, "billing_clerk"),
    "more than is left": Case(nothing, "error", "invalid_request", {"amount": 5_001}),
    "no such charge": Case(nothing, "error", "not_found", {"charge": "ch_9"}),
    "another currency": Case(nothing, "error", "invalid_request", {"currency": "eur"}),
    "disputed": Case(disputed, "error", "conflict"),
    "uncaptured": Case(of_charge(captured=False, amount_captured=0), "error", "conflict"),
    "done, the same key": Case(done, "replay", given=K),
    "done, the same key for another amount": Case(done, "refuse", "conflict", K | {"amount": 100}),
    "done, no key": Case(done, "refuse", "possible_duplicate"),
    "done, another key": Case(done, "refuse", "possible_duplicate", {"idempotency_key": "order 2"}),
    "done, by somebody else": Case(done, "refuse", "possible_duplicate", K, "billing_clerk"),
    "done, named": Case(done, "act", given={"repeat_of": "done"}),
    "done, another one named": Case(done, "refuse", "possible_duplicate", {"repeat_of": "att_" + "0" * 26}),
    "done long ago, no key": Case(done_long_ago, "act"),
    "done long ago, the same key": Case(done_long_ago, "replay", given=K),
    "declined, the same key": Case(failed_with(Fault(door=declined())), "refuse", "declined", K),
    "declined, no key": Case(failed_with(Fault(door=declined())), "act"),
    "turned away, the same key": Case(failed_with(FAULTS["429"]), "act", given=K),
    "turned away, the same key for another amount": Case(failed_with(FAULTS["429"]), "refuse", "conflict", K | {"amount": 100}),
    "turned away, no key": Case(failed_with(FAULTS["429"]), "act"),
    "failed at once, the same key": Case(of_status("failed"), "refuse", "stripe_error", K),
    "failed at once, no key": Case(of_status("failed"), "act"),
    "pending, the same key": Case(of_status("pending"), "replay", given=K),
    "pending, no key": Case(of_status("pending"), "refuse", "possible_duplicate"),
    "came back, the same key": Case(of_status("succeeded", "failed"), "replay", given=K),
    "came back, no key": Case(of_status("succeeded", "failed"), "act"),
    "nobody knows and it was done, the same key": Case(lost(LOST), "replay", given=K),
    "nobody knows and it was done, no key": Case(lost(LOST), "refuse", "possible_duplicate"),
    "nobody knows and it was not done, no key": Case(lost(SILENCE), "refuse", "possible_duplicate"),
    "nobody knows and it was not done, the same key": Case(lost(SILENCE), "act", given=K),
    "long silence and it was not done, the same key": Case(lost(SILENCE, 300), "refuse", "unavailable", K),
    "long silence and it was not done, no key": Case(lost(SILENCE, 300), "act"),
    "long silence and it was done, no key": Case(lost(LOST, 300), "refuse", "possible_duplicate"),
    "records restored, the same key": Case(restored, "replay", given=K),
    "records restored, the same key for another amount": Case(restored, "refuse", "conflict", K | {"amount": 100}),
    "under way, the same key": Case(under_way, "refuse", "unavailable", K),
    "under way, no key": Case(under_way, "refuse", "possible_duplicate"),
    "never sent, the same key": Case(never_sent, "act", given=K),
    "never sent, no key": Case(never_sent, "act"),
    "claimed a moment ago": Case(claimed_a_moment_ago, "refuse", "possible_duplicate"),
}


def of_preview(told: Told) -> tuple[str, str | None, str | None]:
    """What a preview says: the kind of answer, its code, and the attempt that it speaks of."""
    if told.error is not None:
        return "error", told.error.code, told.error.attempt
    return told.body["would"], told.body.get("code"), told.body.get("attempt")


def of_call(told: Told, would: str) -> tuple[str, str | None, str | None]:
    if told.error is not None:
        return "error" if would == "error" else "refuse", told.error.code, told.error.attempt
    return ("replay", None, told.attempt) if told.body.get("replayed") else ("act", None, None)


@pytest.mark.requirement("SC-71", "SC-103")
@pytest.mark.parametrize("name", CASES)
@on_virtual_time
async def test_a_preview_says_what_the_call_then_does(inside: Inside, name: str) -> None:
    case = CASES[name]
    inside.standin.books.charge(50_000, id="ch_2")
    first = await case.before(inside)
    given: dict[str, Any] = {"amount": 1_000, "charge": "ch_1"} | case.given
    if given.get("repeat_of") == "done":
        given["repeat_of"] = first
    records = {name: await inside.stores.records.find(name, limit=100) for name in ("attempts", "claims")}
    preview = await inside.refund(by=case.by, dry_run=True, **given)
    assert {name: await inside.stores.records.find(name, limit=100) for name in records} == records, "it changes nothing"
    call = await inside.refund(by=case.by, **given)
    assert of_call(call, case.would) == (case.would, case.code, call.error.attempt if call.error else of_call(call, "")[2])
    assert of_preview(preview) == of_call(call, case.would)
    if case.would == "act":
        assert preview.body["view"]["undo"] == "This cannot be taken back." and preview.body["view"]["facts"]["amount"] == given["amount"]


@pytest.mark.slow
@pytest.mark.requirement("SC-71")
async def test_a_preview_on_every_surface_knows_the_key_the_guard_and_what_whoever_approves_must_see(both: Billy) -> None:
    charge = both.stripe.charge(5_250)["id"]
    first = (await both.call("owner", "create_refund", charge=charge, amount=700, idempotency_key="k")).body["attempt"]
    for _ in range(200):  # Stripe tells the fee some seconds after the payment
        if both.stripe.call("GET", f"/v1/charges/{charge}")["balance_transaction"]:
            break
        await asyncio.sleep(0.1)
    asked = {"charge": charge, "dry_run": True}
    same = (await both.call("owner", "create_refund", **asked, amount=700, idempotency_key="k")).body
    unkeyed = (await both.call("owner", "create_refund", **asked, amount=700)).body
    other = (await both.call("owner", "create_refund", **asked, amount=100, idempotency_key="k")).body
    new = (await both.call("owner", "create_refund", **asked, amount=100)).body
    assert (same["would"], same["attempt"], same["result"]["amount"]) == ("replay", first, 700)
    assert (unkeyed["would"], unkeyed["code"], unkeyed["attempt"]) == ("refuse", "possible_duplicate", first)
    assert (other["would"], other["code"], other["attempt"]) == ("refuse", "conflict", first)
    assert (new["would"], new["view"]["changes"]) == ("act", [{"what": "refunded", "before": "7.00 USD", "after": "8.00 USD"}])
    assert "fee of" in new["view"]["costs"] and new["view"]["undo"] == "This cannot be taken back."
    assert len(both.stripe.refunds(charge)) == 1

"""Two versions of the code over one store: neither takes the other's call for another one, and neither moves anything again."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import Field

from shared.operations.create_refund import create_refund
from shared.road.calls import Call, Settled
from shared.road.catalogue import BY_NAME
from shared.road.operation import Write
from tests.road.faults import FAULTS
from tests.spec.inside import CHARGE, REFUNDS, Inside, on_virtual_time

LOST = [FAULTS["acted, lost"]] * 3


class OneMoreArgument(create_refund.input):  # type: ignore[misc, name-defined]
    instructions_email: str | None = Field(None, description="What a later version takes besides.")
    tell_customer: bool = Field(False, description="The same, with a default.")


async def one_more_fact(call: Call) -> Settled:
    settled = await create_refund.settle(call)
    return replace(settled, arguments=settled.arguments | {"channel": "original", "tell_customer": False})


VERSIONS: dict[str, Write] = {
    "one more argument": replace(create_refund, input=OneMoreArgument),
    "one more settled fact": replace(create_refund, settle=one_more_fact),
    "both": replace(create_refund, input=OneMoreArgument, settle=one_more_fact),
}
ORDERS = pytest.mark.parametrize("rolled_back", [False, True], ids=["deployed", "rolled back"])
NEWER = pytest.mark.parametrize("newer", VERSIONS)


@pytest.mark.requirement("SC-71", "SC-32")
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
@ORDERS
@NEWER
@on_virtual_time
async def test_a_repeat_in_another_version_returns_the_first_result(inside: Inside, newer: str, rolled_back: bool, lost: bool) -> None:
    first, second = (create_refund, VERSIONS[newer])[:: -1 if rolled_back else 1]
    asked: dict[str, Any] = {"charge": CHARGE, "amount": 1_000, "idempotency_key": "order 1"}
    if lost:
        inside.wire.add(REFUNDS, *LOST)
    told = await inside.call(first, **asked)
    again = await inside.call(second, **asked)
    would = await inside.call(second, dry_run=True, **asked)
    assert (again.error, again.attempt, inside.refunds) == (None, told.attempt, 1)
    assert (would.body["would"], would.attempt) == ("replay", told.attempt)


@pytest.mark.requirement("SC-71")
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
@ORDERS
@NEWER
@on_virtual_time
async def test_the_same_movement_in_another_version_is_the_same_movement(inside: Inside, newer: str, rolled_back: bool, lost: bool) -> None:
    first, second = (create_refund, VERSIONS[newer])[:: -1 if rolled_back else 1]
    if lost:
        inside.wire.add(REFUNDS, *LOST)
    told = await inside.call(first, charge=CHARGE, amount=1_000)
    await inside.wait(1)
    again = await inside.call(second, charge=CHARGE, amount=1_000, by="billing_clerk")
    assert (again.code, again.attempt, inside.refunds) == ("possible_duplicate", told.attempt, 1)


@ORDERS
@NEWER
@on_virtual_time
async def test_each_versions_timer_settles_what_the_other_left(inside: Inside, newer: str, rolled_back: bool) -> None:
    first, second = (create_refund, VERSIONS[newer])[:: -1 if rolled_back else 1]
    inside.wire.add(REFUNDS, *LOST)
    told = await inside.call(first, charge=CHARGE, amount=1_000)
    await inside.wait(200)
    assert await inside.timer(BY_NAME | {"create_refund": second}) == {"succeeded": 1, "failed": 0, "left": 0}
    assert (await inside.state(told.attempt), inside.refunds) == ("succeeded", 1)


@on_virtual_time
async def test_a_record_that_a_newer_version_settled_otherwise_is_left_to_that_version(inside: Inside) -> None:
    inside.wire.add(REFUNDS, *LOST)
    first = await inside.refund(idempotency_key="order 1")
    settled = (await inside.document(first.attempt))["settled"]
    await inside.write("attempts", first.attempt, settled=settled | {"payer": "acct_1"})
    await inside.wait(200)
    for again in (await inside.refund(idempotency_key="order 1"), await inside.refund()):
        assert (again.code, again.attempt, "another version" in again.words) == ("unavailable", first.attempt, True)
    assert (await inside.timer())["left"] == 1
    assert (await inside.state(first.attempt), inside.refunds) == ("unknown", 1)


# What version 0.1.0 wrote.


def old_digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def written_by_the_old_version(
    inside: Inside, state: str, *, amount: int = 1_000, claim: bool = True, **facts: Any
) -> tuple[str, dict[str, Any]]:
    """The attempt of a call with the key `order 1`, and its claim, as 0.1.0 left them; and the call's arguments."""
    from shared.road.identity import attempt_id

    owner, now = inside.people["owner"], inside.clock.now()
    id = attempt_id(owner, "create_refund", "order 1")
    settled = {"charge": CHARGE, "amount": amount, "currency": "usd"}
    document = {
        "operation": "create_refund",
        "actor": owner.id,
        "actor_name": owner.name,
        "role": owner.role,
        "state": state,
        "request": old_digest({"charge": CHARGE, "amount": amount}),
        "settled": {"arguments": settled, "summary": f"Refund charge {CHARGE}.", "amount": amount, "currency": "usd"},
        "correlation_id": None,
        "created": now,
        "updated": now,
    }
    await inside.stores.records.insert("attempts", id, document | facts)
    if claim:
        await inside.stores.records.insert("claims", old_digest(["create_refund", settled]), {"attempt": id, "at": now})
    return id, {"charge": CHARGE, "amount": amount, "idempotency_key": "order 1"}


def at_stripe(inside: Inside, attempt: str) -> dict[str, Any]:
    """The refund that the old version made."""
    return inside.standin.books.refund({"charge": CHARGE, "amount": 1_000, "metadata": {"billy_attempt": attempt}})


@pytest.mark.requirement("SC-71", "SC-32")
@pytest.mark.parametrize("state", ["started", "unknown"])
@on_virtual_time
async def test_what_the_old_version_left_open_is_found_by_the_repeat(inside: Inside, state: str) -> None:
    attempt, asked = await written_by_the_old_version(inside, state)
    made = at_stripe(inside, attempt)
    await inside.wait(5)
    again = await inside.call("create_refund", **asked)
    assert (again.error, again.attempt, again.body["result"]["id"], inside.refunds) == (None, attempt, made["id"], 0)


@pytest.mark.parametrize("state", ["started", "unknown"])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@on_virtual_time
async def test_what_the_old_version_left_open_is_settled_by_the_timer(inside: Inside, state: str, done: bool) -> None:
    attempt, _ = await written_by_the_old_version(inside, state)
    if done:
        at_stripe(inside, attempt)
    assert (await inside.timer())["left"] == 1
    await inside.wait(200)
    ended = "succeeded" if done else "failed"
    assert (await inside.timer())[ended] == 1
    assert await inside.told(attempt) == [("outcome", ended, None)]


@pytest.mark.requirement("SC-71")
@pytest.mark.parametrize(
    "state, wait, code",
    [("succeeded", 60, "possible_duplicate"), ("succeeded", 660, None), ("started", 60, "possible_duplicate"), ("failed", 60, None)],
)
@on_virtual_time
async def test_a_claim_of_the_old_version_holds_as_long_as_one_of_this(inside: Inside, state: str, wait: int, code: str | None) -> None:
    attempt, _ = await written_by_the_old_version(inside, state, result={"id": "re_1"})
    await inside.wait(wait)
    told = await inside.refund()
    assert (told.code, inside.refunds) == (code, 0 if code else 1)
    assert code is None or told.attempt == attempt


@pytest.mark.requirement("SC-32")
@on_virtual_time
async def test_a_success_of_the_old_version_is_replayed(inside: Inside) -> None:
    attempt, asked = await written_by_the_old_version(inside, "succeeded", result={"id": "re_9", "amount": 1_000})
    again = await inside.call("create_refund", **asked)
    assert (again.body["replayed"], again.attempt, again.body["result"]) == (True, attempt, {"id": "re_9", "amount": 1_000})
    other = await inside.call("create_refund", **(asked | {"amount": 999}))
    assert (other.code, other.attempt) == ("conflict", attempt)


@pytest.mark.parametrize("retryable", [True, False])
@on_virtual_time
async def test_a_failure_of_the_old_version_is_made_again_only_where_it_said_that_it_may(inside: Inside, retryable: bool) -> None:
    error = {"code": "rate_limited", "detail": "Stripe takes no more requests for the moment.", "next": "Try again later.", "stripe": None}
    attempt, asked = await written_by_the_old_version(inside, "failed", error=error | {"retryable": retryable})
    again = await inside.call("create_refund", **asked)
    assert (again.attempt, again.code, inside.refunds) == (attempt, None if retryable else "rate_limited", int(retryable))


@pytest.mark.requirement("SC-71")
@on_virtual_time
async def test_the_old_version_finds_what_it_reads_in_what_this_one_writes(inside: Inside) -> None:
    """It is rolled back in the middle of everything: its names keep their meaning, and its claim is taken too."""
    done = await inside.refund(reason="duplicate", idempotency_key="order 1")
    document = await inside.document(done.attempt)
    assert set(document["settled"]) == {"arguments", "summary", "amount", "currency"}
    assert (document["state"], document["result"]["amount"], document["actor"]) == ("succeeded", 1_000, inside.people["owner"].id)
    assert {"operation", "request", "created", "updated", "role", "actor_name"} <= set(document)
    claim = await inside.stores.records.get("claims", old_digest(["create_refund", document["settled"]["arguments"]]))
    assert claim is not None and claim.document["attempt"] == done.attempt and isinstance(claim.document["at"], float)

"""What holds for every write, of the catalogue and made up: twice at once with one key is once, and no store that fails makes it two."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.road.catalogue import BY_NAME
from shared.road.declared import Found
from shared.road.operation import Write
from tests.road import answers
from tests.road.faults import FAULTS, Fault
from tests.road.faulty import Trouble
from tests.road.stores import KINDS, Kind
from tests.spec.inside import CHARGE, LOOKS, REFUNDS, Inside, on_virtual_time, within
from tests.spec.made_up import LETTERS, MADE_UP

WRITES: dict[str, Any] = {name: each for name, each in (BY_NAME | MADE_UP).items() if isinstance(each, Write)}
ALL = {**BY_NAME, **WRITES}
K = "order 1"
SHUT = Fault(door=answers.forbidden("rak_refund_read"))


@dataclass(frozen=True, slots=True)
class Case:
    """`arguments` prepares, and answers what the call is made with; `effects` counts what was done."""

    arguments: Callable[[Inside], Awaitable[dict[str, Any]]]
    effects: Callable[[Inside], Awaitable[int]]


async def _no_arguments(inside: Inside) -> dict[str, Any]:
    return {}


async def _refund(inside: Inside) -> dict[str, Any]:
    return {"charge": CHARGE, "amount": 1_000}


async def _refunds(inside: Inside) -> int:
    return inside.refunds


async def _key(inside: Inside) -> dict[str, Any]:
    return {"name": "desk", "role": "read_only"}


async def _keys(inside: Inside) -> int:
    return len([each for each in await inside.stores.records.find("keys") if each.document["name"] == "desk"])


async def _other(inside: Inside) -> dict[str, Any]:
    return {"id": (await inside.person("other")).id}


async def _revoked(inside: Inside) -> int:
    found = [each for each in await inside.stores.records.find("keys") if each.document["name"] == "other"]
    return sum(each.document["revoked"] is not None for each in found)


async def _open_attempt(inside: Inside) -> dict[str, Any]:
    inside.wire.add(REFUNDS, *[FAULTS["not arrived"]] * 3)
    attempt = (await inside.refund()).attempt
    inside.wire.add(LOOKS, *[SHUT] * 1_000)
    await inside.wait(200)
    return {"id": attempt, "outcome": "not_done", "reason": "the bank says so"}


async def _ended(inside: Inside) -> int:
    found = await inside.stores.records.find("attempts", {"operation": "create_refund"})
    return sum(step.startswith("ended by a person") for each in found for _, step in each.document["steps"])


async def _runs(inside: Inside) -> int:
    return len(await inside.stores.records.find("sync"))


async def _account(inside: Inside) -> dict[str, Any]:
    return {"account": "acct_elsewhere"}


async def _moves(inside: Inside) -> int:
    return len([each for each in await inside.stores.records.find("deployment") if each.document.get("moving_to") == "acct_elsewhere"])


async def _name(inside: Inside) -> dict[str, Any]:
    LETTERS.clear()
    return {"name": "Ann"}


async def _customers(inside: Inside) -> int:
    return len(inside.standin.books.every("customer"))


async def _letters(inside: Inside) -> int:
    return len(LETTERS)


CASES = {
    "create_refund": Case(_refund, _refunds),
    "create_key": Case(_key, _keys),
    "revoke_key": Case(_other, _revoked),
    "end_attempt": Case(_open_attempt, _ended),
    "start_sync": Case(_no_arguments, _runs),
    "move_account": Case(_account, _moves),
    "make_welcome": Case(_name, _customers),
    "make_guest": Case(_name, _customers),
    "post_letter": Case(_name, _letters),
}
EVERY = pytest.mark.parametrize("name", WRITES)


def test_every_write_is_held_to_this() -> None:
    assert set(CASES) == set(WRITES)


async def of(inside: Inside, name: str) -> list[dict[str, Any]]:
    """The attempts of an operation."""
    return [each.document | {"id": each.id} for each in await inside.stores.records.find("attempts", {"operation": name})]


@pytest.mark.requirement("SC-69", "SC-32")
@pytest.mark.parametrize("kind", KINDS)
@EVERY
@on_virtual_time
async def test_a_write_twice_at_once_with_one_key_is_done_once(inside: Inside, name: str, kind: Kind) -> None:
    asked = await CASES[name].arguments(inside) | {"idempotency_key": K}
    pauses = (number % 5 / 100 for number in range(10_000))
    inside.way = lambda: Trouble(before=next(pauses), after=next(pauses))
    over = [inside.context, inside.instance("second"), inside.instance("third")]
    told = await asyncio.gather(*(inside.call(WRITES[name], over=over[number % 3], **asked) for number in range(6)))
    (attempt,) = await of(inside, name)
    assert {each.attempt for each in told} == {attempt["id"]} and attempt["state"] == "succeeded"
    assert {each.code for each in told} <= {None, "unavailable"} and [each.code for each in told].count(None) >= 1
    assert [each.body.get("replayed") for each in told if each.error is None].count(None) == 1
    again = await inside.call(WRITES[name], **asked)
    assert (again.body["replayed"], again.attempt, again.body["result"]) == (True, attempt["id"], attempt["result"])
    assert await CASES[name].effects(inside) == 1


@pytest.mark.requirement("SC-100")
@EVERY
@on_virtual_time
async def test_a_write_whose_lease_is_gone_does_nothing(inside: Inside, name: str) -> None:
    asked = await CASES[name].arguments(inside)
    inside.trouble.add("audit.append", Trouble(after=10))
    slow = asyncio.ensure_future(inside.call(WRITES[name], **asked))
    await inside.wait(5)
    (attempt,) = await of(inside, name)
    await inside.write("attempts", attempt["id"], lease={"token": "another", "until": inside.clock.now() + 60})
    told = await slow
    assert (told.code, told.attempt, await CASES[name].effects(inside)) == ("unavailable", attempt["id"], 0)


@pytest.mark.requirement("SC-100")
@EVERY
@on_virtual_time
async def test_a_write_whose_caller_lost_the_right_to_it_meanwhile_does_nothing(inside: Inside, name: str) -> None:
    asked = await CASES[name].arguments(inside)
    inside.trouble.add("audit.append", Trouble(after=10))
    slow = asyncio.ensure_future(inside.call(WRITES[name], **asked))
    await inside.wait(5)
    await inside.change_key("owner", role="read_only")
    told = await slow
    assert (told.code, await CASES[name].effects(inside)) == ("not_allowed", 0)


broken = lambda: RuntimeError("a driver's own words")  # noqa: E731
TROUBLES = {
    "is away": Trouble(away=True),
    "loses its answer": Trouble(lost=True),
    "breaks": Trouble(away=True, error=broken),
    "breaks after it wrote": Trouble(lost=True, error=broken),
}


@pytest.mark.requirement("SC-69", "SC-70", "SC-82", "SC-83")
@pytest.mark.parametrize("trouble", TROUBLES)
@EVERY
def test_a_store_that_fails_at_any_one_call_makes_of_a_write_one_or_none_and_the_record_says_which(
    home: Path, name: str, trouble: str
) -> None:
    calls = 0

    async def counted(inside: Inside) -> None:
        nonlocal calls
        asked = await CASES[name].arguments(inside)
        inside.way = lambda: _count()
        assert (await inside.call(WRITES[name], idempotency_key=K, **asked)).error is None

    def _count() -> Trouble:
        nonlocal calls
        calls += 1
        return Trouble()

    within(home, counted)
    assert calls > 5, "it goes along the road"
    for number in range(calls):
        within(home, lambda inside, number=number: _with_one_failure(inside, name, TROUBLES[trouble], number))


async def _with_one_failure(inside: Inside, name: str, trouble: Trouble, number: int) -> None:
    case, operation = CASES[name], WRITES[name]
    asked = await case.arguments(inside) | {"idempotency_key": K}
    left = iter([Trouble()] * number + [trouble])
    inside.way = lambda: next(left, Trouble())
    told = await inside.call(operation, **asked)
    done = await case.effects(inside)
    where = f"call {number} of a store: {told.code}"
    assert done <= 1, where
    if told.error is None:
        assert done == 1, where
    elif done == 1:
        assert told.attempt and "Nothing was done" not in told.words, where
    await inside.rest(ALL, heal=name != "end_attempt")
    attempts = await of(inside, name)
    assert await case.effects(inside) <= 1, where
    if not attempts:
        assert (done, await case.effects(inside)) == (0, 0), where
    elif operation.found is Found.NOT_AT_ALL and attempts[0]["state"] == "unknown":
        assert attempts[0]["looks"]["person"] is not None, where
    else:
        assert (attempts[0]["state"] == "succeeded") == (await case.effects(inside) == 1), (where, attempts[0]["steps"])
        rows = [row for row in await inside.rows(attempt=attempts[0]["id"]) if row["decision"] == "outcome"]
        assert rows and rows[-1]["state"] == attempts[0]["state"], (where, "the row that was missing is there by now")
    again = await inside.call(operation, **asked)
    assert await case.effects(inside) == 1 or again.error is not None, where


@pytest.mark.requirement("SC-69", "SC-98")
@pytest.mark.parametrize("by", ["the timer", "the repeat"])
@pytest.mark.parametrize("name", ["make_welcome", "make_guest"])
@on_virtual_time
async def test_what_is_found_by_replaying_or_by_metadata_ends_as_it_was(inside: Inside, name: str, by: str) -> None:
    inside.wire.add("POST /v1/customers", *[FAULTS["acted, lost"]] * 3)
    first = await inside.call(WRITES[name], name="Ann", idempotency_key=K)
    assert await inside.state(first.attempt) == "unknown"
    if by == "the timer":
        await inside.wait(200)
        assert await inside.timer(ALL) == {"succeeded": 1, "failed": 0, "left": 0}
    else:
        assert (await inside.call(WRITES[name], name="Ann", idempotency_key=K)).error is None
    again = await inside.call(WRITES[name], name="Ann", idempotency_key=K)
    assert (again.body["replayed"], again.body["result"], await _customers(inside)) == (True, {"id": "cus_0001"}, 1)


@pytest.mark.requirement("SC-69", "SC-101")
@on_virtual_time
async def test_what_can_only_be_replayed_is_not_replayed_once_stripe_may_have_forgotten_it(inside: Inside) -> None:
    inside.wire.add("POST /v1/customers", *[FAULTS["acted, lost"]] * 3)
    first = await inside.call(WRITES["make_welcome"], name="Ann", idempotency_key=K)
    await inside.wait(25 * 3_600)
    inside.standin.prune()
    assert (await inside.timer(ALL))["left"] == 1
    again = await inside.call(WRITES["make_welcome"], name="Ann", idempotency_key=K)
    assert (again.attempt, "not known" in again.words) == (first.attempt, True)
    shown = (await inside.call("get_attempt", id=first.attempt)).body
    assert (shown["state"], shown["needs_a_person"], await _customers(inside)) == ("unknown", True, 1)


@pytest.mark.requirement("SC-100", "SC-69")
@on_virtual_time
async def test_what_is_replayed_is_replayed_in_the_name_of_who_asked_and_only_while_they_may(inside: Inside) -> None:
    inside.wire.add("POST /v1/customers", *[FAULTS["not arrived"]] * 3)
    first = await inside.call(WRITES["make_welcome"], by="billing_clerk", name="Ann", idempotency_key=K)
    await inside.change_key("billing_clerk", revoked=1)
    await inside.wait(200)
    assert (await inside.timer(ALL))["left"] == 1
    assert (await inside.state(first.attempt), await _customers(inside)) == ("unknown", 0)
    await inside.change_key("billing_clerk", revoked=None)
    await inside.wait(3_700)
    assert (await inside.timer(ALL))["succeeded"] == 1
    assert [row["actor_name"] for row in await inside.rows(attempt=first.attempt) if row["decision"] == "allowed"] == ["billing_clerk"] * 2


@pytest.mark.requirement("SC-101")
@on_virtual_time
async def test_what_nobody_can_tell_waits_for_a_person(inside: Inside) -> None:
    LETTERS.clear()
    inside.trouble.add("records.replace attempts", Trouble(), *[Trouble(away=True)] * 20)
    first = await inside.call(WRITES["post_letter"], name="Ann", idempotency_key=K)
    assert (first.code, "was done" in first.words, LETTERS) == ("unavailable", True, [first.attempt])
    inside.trouble.clear()
    await inside.wait(1_000)
    await inside.timer(ALL)
    again = await inside.call(WRITES["post_letter"], name="Ann", idempotency_key=K)
    assert (again.attempt, "not known" in again.words or "Nothing can tell" in again.words, len(LETTERS)) == (first.attempt, True, 1)
    ended = await inside.call("end_attempt", id=first.attempt, outcome="done", reason="the letter arrived")
    assert (ended.body["result"]["state"], (await inside.call(WRITES["post_letter"], name="Ann", idempotency_key=K)).error) == (
        "succeeded",
        None,
    )
    assert len(LETTERS) == 1


@pytest.mark.requirement("SC-102")
@pytest.mark.parametrize("state", ["failed", "unknown", "started"])
@on_virtual_time
async def test_what_a_made_up_write_makes_outweighs_its_record_too(inside: Inside, state: str) -> None:
    inside.wire.add("POST /v1/customers", *[FAULTS["acted, lost"]] * 3)
    first = await inside.call(WRITES["make_guest"], name="Ann", idempotency_key=K)
    await inside.write("attempts", first.attempt, state=state, lease=None)
    await inside.shown("customer", inside.standin.books.get("customer", "cus_0001"), ALL)
    assert (await inside.state(first.attempt), (await inside.document(first.attempt))["result"]) == ("succeeded", {"id": "cus_0001"})

"""Faults planted into the road, each one that somebody could make: the search must find every one of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from shared.context import Context
from shared.road import attempt, attempts, claims
from shared.road.attempt import Attempt, By, State
from shared.road.attempts import Changed
from shared.road.claims import Wanted
from shared.road.fence import Gate
from shared.road.timing import GUARD
from shared.stores.protocols import Exists, Record


@contextmanager
def guard_by_age() -> Iterator[None]:
    """A claim counts for ten minutes, whatever became of its attempt."""

    async def judge(context: Context, held: Record, wanted: Wanted) -> list[str]:
        if held.document["attempt"] != wanted.attempt and context.seam.now() - held.document["at"] < GUARD:
            raise claims.refusals.claim_unreadable()
        return []

    with patch.object(claims, "_judge", judge):
        yield


@contextmanager
def act_before_record() -> Iterator[None]:
    """The attempt is written down once it is known how it ended."""
    kept: dict[str, Attempt] = {}
    start, change = attempts.start, attempts.change

    async def later(context: Context, new: Any) -> Attempt | None:
        if await attempts.find(context, new.id) is not None:
            return None
        return kept.setdefault(new.id, new.attempt(context.seam.now()))

    async def recorded(context: Context, wanted: Attempt, by: By, to: State | None, turn: Any, step: str, **facts: Any) -> Changed:
        if wanted.id in kept and step == "sending":
            kept[wanted.id] = replace(wanted, sent=wanted.sent + 1)
            return Changed(kept[wanted.id], True, wanted.state)
        if wanted.id in kept:
            first = kept.pop(wanted.id)
            with suppress(Exists):
                wanted = attempts.read(await context.records.insert(attempts.COLLECTION, first.id, attempts.write(first)))
        return await change(context, wanted, by, to, turn, step, **facts)

    with patch.object(attempts, "start", later), patch.object(attempts, "change", recorded):
        assert start
        yield


@contextmanager
def repeat_makes_failed() -> Iterator[None]:
    """A no to the last request is taken for a no to all of them."""
    may = attempt.MAY | {(State.UNKNOWN, By.CALL): attempt.MAY[State.UNKNOWN, By.CALL] | {State.FAILED}}
    last = property(lambda gate: gate.noes > 0 or gate.tries == 0)
    with patch.object(Gate, "said_no", last), patch.object(attempts, "MAY", may):
        yield


@contextmanager
def lease_not_read_again() -> Iterator[None]:
    """Whoever once had the lease sends, however late."""

    async def begin(gate: Gate) -> None:
        await gate._written_down()

    with patch.object(Gate, "begin", begin), patch.object(Gate, "left", lambda gate: 1e6):
        yield


@contextmanager
def row_of_what_was_meant() -> Iterator[None]:
    """The row says what the call wanted to record, whoever recorded something else before."""
    change = attempts.change

    async def meant(context: Context, wanted: Attempt, by: By, to: State | None, turn: Any, step: str, **facts: Any) -> Changed:
        stands = await change(context, wanted, by, to, turn, step, **facts)
        if by is not By.CALL or to not in (State.SUCCEEDED, State.FAILED, State.UNKNOWN):
            return stands
        return Changed(
            replace(stands.attempt, state=to, error=stands.attempt.error or {"code": "unavailable", "detail": ""}), True, stands.before
        )

    with patch.object(attempts, "change", meant):
        yield


@contextmanager
def any_answer_is_an_answer() -> Iterator[None]:
    """A status below 500 is a no, whoever said it."""
    from shared.gateway import failures

    def told(status: int, headers: Any, document: Any) -> failures.Told:
        return failures.Told.DONE if status < 300 else failures.Told.NO if status < 500 else failures.Told.NOTHING

    with patch.object(failures, "told", told):
        yield


@contextmanager
def no_guard_after_a_success() -> Iterator[None]:
    """Who asks again, with a key of his own or without, may move what somebody else just moved."""

    def guard(context: Context, holder: Attempt, wanted: Wanted) -> None:
        if holder.open:
            raise claims.refusals.duplicate(holder)

    with patch.object(claims, "_guard", guard):
        yield


PLANTED: dict[str, Callable[[], AbstractContextManager[None]]] = {
    planted.__name__: planted
    for planted in (
        guard_by_age,
        act_before_record,
        repeat_makes_failed,
        lease_not_read_again,
        row_of_what_was_meant,
        any_answer_is_an_answer,
        no_guard_after_a_success,
    )
}

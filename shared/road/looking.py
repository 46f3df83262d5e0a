"""What became of an attempt that nobody saw the end of: asked of Stripe or of Billy's own records, by one at a time, and never guessed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.road import attempts, refusals
from shared.road.attempt import Attempt, By, Looks, State
from shared.road.attempts import Changed
from shared.road.calls import FAILED_OUTCOMES, Done, Look
from shared.road.following import quietly, tell
from shared.road.operation import Operation, Write
from shared.road.timing import JOINED, LONGEST_PAUSE, LOOK, PAUSE
from shared.stores import protocols
from shared.telemetry.invocation import crashed

NO_WAY = "no_way_to_ask"  # in place of an error's code: the operation declares none, or this version does not know it

type Count = Callable[[Attempt], Attempt]


def _as_it_is(attempt: Attempt) -> Attempt:
    return attempt


@dataclass(frozen=True, slots=True)
class Looked:
    """How the attempt stands now, whether it was this look that found its end, and what stood in the way of finding it."""

    attempt: Attempt
    ended: bool = False
    error: BillyError | None = None


async def _looked(context: Context, changed: Changed, done: Done | None = None) -> Looked:
    """Who found the end tells of it; a row that cannot be written now is appended by the timer."""
    if changed.made:
        found = "stripe" if done is not None and done.did is not None else None
        after = [done.after()] if done is not None and done.after is not None else []
        await quietly(tell(context, changed.attempt, found=found), *after)
    return Looked(changed.attempt, ended=changed.made)


def is_grace_over(attempt: Attempt, now: float) -> bool:
    """Whether no request of the attempt can be under way any more, nor be sent by whoever holds it."""
    return not attempt.is_held(now) and now >= attempt.grace_ends


def is_joined(attempt: Attempt, now: float) -> bool:
    """Whether Stripe still joins a request under the attempt's id with the first one."""
    return attempt.first_sent is None or now - attempt.first_sent < JOINED


async def look(context: Context, operation: Operation | None, attempt: Attempt) -> Looked:
    """Finds out what became of an open attempt, and records what is certain. One looks at a time; the others are told how it stands.

    `operation` is the attempt's own; None where this version does not know it.
    """
    now = context.seam.now()
    if not attempt.open or attempt.is_at_work(now):
        return Looked(attempt)
    if attempt.sent == 0:  # and whoever was to send comes too late: the lease is over, and the compare-and-set proves it
        error = refusals.kept(refusals.NOT_SENT, retryable=True)
        return await _looked(context, await _end(context, attempt, State.FAILED, error=error, step="nothing was sent"))
    token = context.seam.token(9)

    def begin(attempt: Attempt) -> Attempt | None:
        now = context.seam.now()
        if attempt.is_at_work(now):
            return None
        return replace(attempt, looks=replace(attempt.looks, by=token, until=now + LOOK + 5))

    attempt = await attempts.advance(context, attempt, By.LOOK, None, begin, "asking", only_this=True)
    if attempt.looks.by != token:
        return Looked(attempt)
    done, error = await _asked(context, operation, attempt)
    if error is not None:
        return Looked(await note(context, attempt, NO_WAY if _way(operation) is None else error.code), error=error)
    if done is not None:
        return await _looked(context, await succeed(context, attempt, done, By.LOOK, "found"), done)
    if is_grace_over(attempt, context.seam.now()):
        error = refusals.kept(refusals.NOT_DONE, retryable=False)
        return await _looked(context, await _end(context, attempt, State.FAILED, error=error, step="not done"))
    return Looked(await note(context, attempt, None))


async def foresee(context: Context, operation: Operation, attempt: Attempt) -> Looked:
    """What a look would find and record now, without recording it: for a preview."""
    now = context.seam.now()
    if not attempt.open or attempt.is_at_work(now):
        return Looked(attempt)
    if attempt.sent == 0:
        error = refusals.kept(refusals.NOT_SENT, retryable=True)
        return Looked(replace(attempt, state=State.FAILED, error=error))
    done, failure = await _asked(context, operation, attempt)
    if done is not None:
        came_back = done.outcome in FAILED_OUTCOMES
        error = refusals.kept(refusals.undone(str(done.outcome)), retryable=False) if came_back else None
        state = State.FAILED if came_back else State.SUCCEEDED
        return Looked(replace(attempt, state=state, error=error, result=done.kept, outcome=done.outcome, ended=now))
    if failure is None and is_grace_over(attempt, now):
        return Looked(replace(attempt, state=State.FAILED, error=refusals.kept(refusals.NOT_DONE, retryable=False)))
    return Looked(attempt, error=failure)


def _way(operation: Operation | None) -> Callable[[Look], Awaitable[Done | None]] | None:
    """How it can be asked what became of an operation's attempts, if at all."""
    return operation.became if isinstance(operation, Write) else None


async def _asked(context: Context, operation: Operation | None, attempt: Attempt) -> tuple[Done | None, BillyError | None]:
    """What was found of an attempt, and what stood in the way of finding it."""
    became = _way(operation)
    if became is None:
        return None, refusals.no_way(attempt.id)
    try:
        async with asyncio.timeout(LOOK):
            return await became(Look(context, attempt.id, attempt.settled.arguments, attempt.created)), None
    except Exception as failure:
        return None, _named(failure, attempt, context)


async def succeed(context: Context, attempt: Attempt, done: Done, by: By, step: str, *, counted: Count = _as_it_is) -> Changed:
    """Records what was done, or found done: a success with Stripe's own outcome, or a failure where the money did not stay moved."""
    if done.outcome in FAILED_OUTCOMES and attempt.state is not State.SUCCEEDED:
        error = refusals.kept(refusals.undone(str(done.outcome)), retryable=False)
        by = By.SHOWN if by is By.CALL else by  # a whole answer that says so is no repeat's failure
        return await _end(context, attempt, State.FAILED, by=by, done=done, error=error, step=step, counted=counted)
    return await _end(context, attempt, State.SUCCEEDED, by=by, done=done, step=step, counted=counted)


async def _end(
    context: Context,
    attempt: Attempt,
    to: State,
    *,
    step: str,
    by: By = By.LOOK,
    done: Done | None = None,
    error: dict[str, Any] | None = None,
    counted: Count = _as_it_is,
) -> Changed:
    def turn(current: Attempt) -> Attempt | None:
        if to is State.FAILED and by is By.LOOK and current.record.version != attempt.record.version:
            return None  # what was found out is stale
        if current.state is to:
            return None  # somebody else has told of that end
        if current.outcome in FAILED_OUTCOMES:
            return None  # nothing comes back from there, whatever an older answer or event says
        current = replace(counted(current), error=error, lease=None, looks=replace(current.looks, until=0.0))
        return current if done is None else replace(current, result=done.kept, outcome=done.outcome)

    return await attempts.change(context, attempt, by, to, turn, step)


def _named(failure: Exception, attempt: Attempt, context: Context) -> BillyError:
    if isinstance(failure, BillyError):
        return failure
    if isinstance(failure, TimeoutError):
        return BillyError("unavailable", "It took too long to find out what became of this attempt.")
    return crashed(failure, f"became of {attempt.operation}", context.seam)


async def note(context: Context, attempt: Attempt, code: str | None) -> Attempt:
    """Keeps what stood in the way, and when it is asked again: right when the grace is over, then after as long as it has been over.

    The pause follows time and not the number of looks, so that callers who ask often do not keep the timer away.
    """

    def turn(current: Attempt) -> Attempt | None:
        if not current.open or current.looks.by != attempt.looks.by:
            return None
        now = context.seam.now()
        grace = current.grace_ends
        again = min(now + PAUSE, grace) if now < grace else now + min(max(PAUSE, now - grace), LONGEST_PAUSE)
        looks = Looks(current.looks.count + 1, again, code, person=current.looks.person)
        return replace(current, looks=looks)

    return await attempts.advance(context, attempt, By.LOOK, State.UNKNOWN, turn, f"not found out: {code or 'not yet'}")


async def note_unreadable(context: Context, record: protocols.Record, code: str) -> None:
    """The same for a record that this version cannot read: nothing but the looks is touched. Best effort."""
    kept, now = record.document.get("looks"), context.seam.now()
    looks: dict[str, Any] = dict(kept) if isinstance(kept, Mapping) else {}  # pyright: ignore[reportUnknownArgumentType]
    count = looks["count"] if isinstance(looks.get("count"), int) else 0
    looks |= {"count": count + 1, "next": now + min(PAUSE * 2 ** min(count, 10), LONGEST_PAUSE), "error": code}
    try:
        await context.records.replace(attempts.COLLECTION, record, record.document | {"looks": looks})
    except (protocols.Changed, BillyError):
        return

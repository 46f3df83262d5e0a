"""The second half of the road, for writes: what the call comes to is matched once; an act is recorded before and after."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared.errors import BillyError
from shared.road import attempts, looking, refusals, trail
from shared.road.about import facts
from shared.road.asked import Asked, Preview, Repeat, Settle, Start
from shared.road.attempt import Attempt, By, State
from shared.road.attempts import Changed
from shared.road.calls import Act, Answer, Call, Done
from shared.road.declared import Found
from shared.road.fence import Gate, require_permission
from shared.road.following import outcome, quietly
from shared.road.operation import Write
from shared.road.preparing import held, prepare, revive
from shared.road.shown import came_late
from shared.road.timing import CALL, ROOM
from shared.road.trail import Decided, Row
from shared.telemetry.invocation import crashed

RECORDING = (0.0, 0.2, 0.6)  # seconds before each try of writing a success down
NOT_YET = {
    "pending": "Stripe has taken this on and has not moved the money yet: do not say that it is done. get_attempt shows how it ends.",
    "requires_action": "The customer has to act before the money moves: do not say that it is done. get_attempt shows how it ends.",
}
AT_STRIPE = (Found.BY_METADATA, Found.BY_REPLAY)  # where a no is kept, as Stripe keeps it for the key; a no of our own is asked anew
RETRYABLE = frozenset({"rate_limited", "unavailable", "unauthenticated"})  # nothing was done, and the same attempt may be made again


async def write(operation: Write, call: Call) -> Answer:
    """The answer of a write: `succeeded` with its attempt and result, or a preview. Raises `BillyError`."""
    asked = Asked.of(operation, call, call.context.seam.now() + CALL)
    try:
        async with asyncio.timeout(CALL - ROOM):
            prepared = await prepare(asked)
    except (BillyError, TimeoutError) as failure:
        error = failure if isinstance(failure, BillyError) else refusals.too_long()
        await trail.append(call.context, _row(asked, trail.decided(error), code=error.code, attempt=error.attempt))
        raise error from None
    match prepared:
        case Preview(body, arguments, attempt):
            row = Row.of(
                call,
                operation.name,
                Decided.PREVIEW,
                arguments=arguments,
                attempt=attempt,
                dry_run=True,
                code=body.get("code"),
                **facts(operation, arguments),
            )
            await trail.append(call.context, row)
            return Answer(body)
        case Repeat(attempt):
            return await _repeat(asked, attempt)
        case Settle(attempt):
            return await _settle(asked, attempt)
        case Start(attempt, again):
            return await act(asked, attempt, again=again)


async def _repeat(asked: Asked, attempt: Attempt) -> Answer:
    """The answer of an attempt that has ended: its first result, or the error it was recorded with."""
    error = refusals.of_failed(attempt) if attempt.state is State.FAILED else None
    row = _row(asked, Decided.ALLOWED, attempt=attempt.id, replayed=True, code=error.code if error else None, also=attempt.result)
    await trail.append(asked.context, row)
    if error is not None:
        raise error
    return Answer(_succeeded(attempt, attempt.result) | {"replayed": True})


async def _settle(asked: Asked, attempt: Attempt) -> Answer:
    """A repeat of an open attempt: first it is found out what became of it; then it may send it again under its own id."""
    try:
        attempt = await _sendable(asked, attempt)
    except BillyError as error:
        await trail.append(asked.context, _row(asked, trail.decided(error), code=error.code, attempt=error.attempt or attempt.id))
        raise
    return await act(asked, attempt, again=True) if attempt.open else await _repeat(asked, attempt)


async def _sendable(asked: Asked, attempt: Attempt) -> Attempt:
    """The attempt with this call's lease, or as it ended. Raises where it may not be sent again now."""
    if attempt.is_at_work(asked.context.seam.now()):
        raise refusals.under_way(attempt)
    if attempt.sent > 0:
        looked = await looking.look(asked.context, asked.operation, attempt)
        attempt = looked.attempt
        if not attempt.open and not refusals.is_retryable(attempt):
            return attempt
        if looked.error is not None and asked.operation.found is not Found.BY_REPLAY:
            raise refusals.not_known(attempt, looked.error)
        if attempt.open and not looking.is_joined(attempt, asked.context.seam.now()):
            raise refusals.not_known(attempt)
    if attempt.state is State.FAILED:
        return await revive(asked, attempt)
    require_permission(asked.operation, asked.call.actor.role, attempt.settled, attempt.id)
    return await held(asked, attempt, None, "sent again")


async def act(asked: Asked, attempt: Attempt, *, again: bool) -> Answer:
    """Acts once, holding the attempt's lease, and answers what the record says then. Raises `BillyError`."""
    context, settled = asked.context, attempt.settled
    gate = Gate(context, asked.operation, asked.call.actor, attempt, asked.until - ROOM, asked.wanted)
    doing = Act(context, asked.call.actor, settled, attempt.id, gate)
    try:
        await trail.append(context, _begins(asked, doing, again=again, told=again and await _is_told(asked, attempt)))
        async with asyncio.timeout(max(gate.left(), 0.0)):
            done = await asked.operation.act(doing)
    except BillyError as error:
        return await _failed(asked, gate, error)
    except TimeoutError:
        return await _failed(asked, gate, refusals.too_long())
    except Exception as crash:
        return await _failed(asked, gate, crashed(crash, asked.operation.name, context.seam))
    stands = await _recorded(gate, done)
    after = [done.after()] if done.after else []
    if stands.made and stands.before is State.FAILED:
        after.append(came_late(context, stands.attempt))
    ended = await _told(asked, stands, None, *after)
    if ended is not None:
        raise ended
    return Answer(_succeeded(stands.attempt, done.result), done.wakes)


async def _recorded(gate: Gate, done: Done) -> Changed:
    """The attempt once its success is written down, tried a few times: what was done is done, and only its record may be missing."""
    for pause in RECORDING:
        if pause:
            await asyncio.sleep(pause)
        with suppress(Exception):
            return await looking.succeed(gate.context, gate.attempt, done, By.CALL, "done", counted=gate.counted)
    raise refusals.not_recorded(gate.attempt.id)


async def _failed(asked: Asked, gate: Gate, error: BillyError) -> Answer:
    """Records how an act failed, and answers what stands: somebody else may have found out meanwhile that it succeeded.

    It failed only where each request of the attempt was answered by a no, also those of earlier acts. Otherwise nobody knows.
    """
    context = asked.context
    error.outcome_unknown = error.outcome_unknown or gate.tries > gate.noes  # also of a crash, and of what took too long
    to = State.FAILED if gate.said_no else State.UNKNOWN
    again = gate.tries == 0 or error.code in RETRYABLE or asked.operation.found not in AT_STRIPE
    kept = refusals.kept(error, retryable=again) if gate.said_no else None

    def turn(current: Attempt) -> Attempt | None:
        return replace(gate.counted(current), lease=None, error=kept or current.error) if gate.holds(current) else None

    try:
        stands = await attempts.change(context, gate.attempt, By.CALL, to, turn, f"{to}: {error.code}")
    except Exception:  # the attempt stays as it is, and the timer settles it
        error.attempt = gate.attempt.id
        raise error if gate.tries == 0 else refusals.not_known(gate.attempt, error) from None
    ended = await _told(asked, stands, error)
    if ended is None:
        return Answer(_succeeded(stands.attempt, stands.attempt.result))
    raise ended


async def _told(asked: Asked, stands: Changed, error: BillyError | None, *after: Awaitable[Any]) -> BillyError | None:
    """Leaves the row of how it ended, if it was this call that ended it, beside what else follows; and answers the error for who asked."""
    ended = _ending(stands, error)
    told = {"code": ended.code, "reference": ended.reference} if ended else {}
    row = [trail.append(asked.context, outcome(asked.call, stands.attempt, **told))] if stands.made else []
    await quietly(*row, *after)
    return ended


def _ending(stands: Changed, error: BillyError | None) -> BillyError | None:
    """The error that an attempt's record amounts to for who asked; None for a success. `error` is what this call itself met."""
    attempt = stands.attempt
    if attempt.state is State.SUCCEEDED:
        return None
    if attempt.open:
        return refusals.not_known(attempt, error)
    if error is None or not stands.made:
        return refusals.of_failed(attempt)
    if error.attempt in (None, attempt.id):  # or another one stands in its way
        error.attempt, error.attempt_facts = attempt.id, error.attempt_facts or attempt.facts
    return error


async def _is_told(asked: Asked, attempt: Attempt) -> bool:
    """Whether a row with the attempt's amount is kept: certainly where something was sent, for the row came before that."""
    if attempt.sent > 0 or attempt.settled.amount is None:
        return True
    return await trail.has_row(asked.context, attempt.id, lambda row: "amount" in row)


def _begins(asked: Asked, doing: Act, *, again: bool, told: bool) -> Row:
    """The row before an act. The amount stands in the first one of an attempt alone, so that sums over rows count it once."""
    settled = doing.settled
    return Row.of(
        doing,
        asked.operation.name,
        Decided.ALLOWED,
        arguments=settled.arguments,
        attempt=doing.attempt,
        again=again or None,
        amount=None if told else settled.amount,
        currency=None if told else settled.currency,
        **facts(asked.operation, settled.arguments, doing.attempt),
    )


def _row(asked: Asked, decision: Decided, *, also: Any = None, **more: Any) -> Row:
    of = facts(asked.operation, asked.given)
    return Row.of(asked.call, asked.operation.name, decision, arguments=asked.given, also=also, **(of | more))


def _succeeded(attempt: Attempt, result: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "succeeded", "attempt": attempt.id, "result": result}
    if attempt.outcome is None:
        return body
    return body | {"outcome": attempt.outcome, "next": NOT_YET.get(attempt.outcome, "Read result.status: it is not what was asked for.")}

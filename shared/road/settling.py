"""The timer's work: attempts whose outcome nobody saw are found out, oldest first and each by itself; what is owed after an end is made good."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError
from shared.people.keys import role_now
from shared.road import attempts, claims, looking, refusals, trail, writing
from shared.road.asked import Asked
from shared.road.attempt import OPEN, Attempt, By
from shared.road.calls import Call
from shared.road.declared import Found
from shared.road.following import tell
from shared.road.operation import Operation, Write
from shared.road.preparing import held
from shared.road.timing import CALL, GUARD, PATIENCE
from shared.road.trail import Decided
from shared.stores.protocols import Record
from shared.telemetry.correlation import read_id
from shared.telemetry.invocation import crashed, within
from shared.telemetry.lines import say

AT_WORK = 60.0  # seconds after an end, or a change of its outcome, in which who recorded it may still be telling of it
NEEDS_PERSON = "billy.attempt_needs_a_person"
FAILED_LATER = "billy.settling_failed"


async def settle_attempts(context: Context, operations: Mapping[str, Operation]) -> dict[str, int]:
    """Settles what is open and older than its grace. Answers how many ended how, by what their records say."""
    counts = {"succeeded": 0, "failed": 0, "left": 0}
    for record in await _open(context):
        with within(read_id(record.document.get("correlation_id"))):  # so that its end is found where its beginning is
            counts[await _settled(context, operations, record)] += 1
    for record in await attempts.every(context, {"due": "yes"}):
        await _made_good(context, record)
    return counts


async def _open(context: Context) -> list[Record]:
    """Every open attempt, oldest first."""
    found = [record for state in OPEN for record in await attempts.every(context, {"state": state.value})]
    return sorted(found, key=lambda record: _number(record.document.get("created")))


async def _settled(context: Context, operations: Mapping[str, Operation], record: Record) -> str:
    """`succeeded`, `failed` or `left`. One that cannot be settled is named and stands in nobody's way."""
    looks = record.document.get("looks")
    if _number(looks.get("next") if isinstance(looks, Mapping) else None) > context.seam.now():  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return "left"
    try:
        return await _settle(context, operations, attempts.read(record))
    except BillyError as error:
        await _named(context, record, error)
    except Exception as crash:
        await _named(context, record, crashed(crash, "settle_attempts", context.seam))
    return "left"


def _number(value: Any) -> float:
    """A number of a record that may be spoilt."""
    return float(value) if isinstance(value, int | float) else 0.0


async def _settle(context: Context, operations: Mapping[str, Operation], attempt: Attempt) -> str:
    now = context.seam.now()
    if attempt.is_held(now) or (attempt.sent > 0 and not looking.is_grace_over(attempt, now)):
        return "left"
    operation = operations.get(attempt.operation)
    if isinstance(operation, Write) and operation.found is Found.BY_REPLAY and attempt.sent and looking.is_joined(attempt, now):
        return await _replayed(context, operation, attempt)
    looked = await looking.look(context, operation, attempt)
    stands = looked.attempt
    if stands.open:
        await _call_a_person(context, looked)
        return "left"
    return stands.state.value


async def _replayed(context: Context, operation: Write, attempt: Attempt) -> str:
    """Sends it again under its own id, in the name of who asked, if they may still do it: Stripe joins the two."""
    asker = attempt.asker
    actor = Actor(asker.id, asker.name, asker.role, "system" if asker.id == "system" else "key", Origin("timer"), asker.lineage)
    role = await role_now(context, actor)
    if role is None:
        raise refusals.revoked(attempt.id)
    call = Call(context, replace(actor, role=role), None)
    asked = Asked(call, operation, attempt.asked, attempt.id, None, attempt.id, context.seam.now() + CALL)
    await writing.act(asked, await held(asked, attempt, None, "replayed"), again=True)
    stands = await attempts.find(context, attempt.id)
    return stands.state.value if stands and not stands.open else "left"


async def _call_a_person(context: Context, looked: looking.Looked) -> None:
    """Says once, in the log, that only a person can end an attempt: nothing can be asked, or nobody was answered for long."""
    attempt, error = looked.attempt, looked.error
    now = context.seam.now()
    waited = now - (attempt.unknown_since or attempt.created)
    if error is None or attempt.looks.person is not None or waited < PATIENCE or not _is_for_good(attempt, error):
        return

    def told(current: Attempt) -> Attempt | None:
        return replace(current, looks=replace(current.looks, person=now)) if current.looks.person is None else None

    await attempts.advance(context, attempt, By.LOOK, None, told, "somebody was told")
    say(logging.WARNING, NEEDS_PERSON, attempt=attempt.id, operation=attempt.operation, code=error.code, seconds=int(waited))


def _is_for_good(attempt: Attempt, error: BillyError) -> bool:
    """Whether asking again will hardly be answered otherwise: there is no way, or Stripe understood and refused."""
    if attempt.looks.error == looking.NO_WAY:
        return True
    return error.code in ("not_found", "invalid_request", "not_allowed") or (
        error.stripe is not None and error.stripe.type == "invalid_request_error"
    )


async def _named(context: Context, record: Record, error: BillyError) -> None:
    """Keeps on the record what stood in the way, as far as it can be written, and says it: with growing pauses."""
    say(logging.WARNING, FAILED_LATER, attempt=record.id, code=error.code, reference=error.reference)
    try:
        attempt = attempts.read(record)
        await looking.note(context, attempt, error.code)
    except Exception:
        await looking.note_unreadable(context, record, error.code)


async def _made_good(context: Context, record: Record) -> None:
    """Appends the outcome's row where it is missing, and lets the claims go once the guard is over. Then nothing is owed any more."""
    try:
        attempt, now = attempts.read(record), context.seam.now()
        if attempt.open or attempt.ended is None or now - max(attempt.ended, attempt.updated) < AT_WORK or attempt.looks.next > now:
            return
        if not await _is_told(context, attempt):
            mine = await attempts.change(context, attempt, By.LOOK, None, _at_it(now), "its row is looked for", only_this=True)
            if not mine.made or await _is_told(context, attempt := mine.attempt):
                return
            await tell(context, attempt)
        over = (attempt.ended or now) + GUARD if attempt.moved and attempt.movement else now
        if over <= now:
            for id in attempt.movement:
                await claims.let_go(context, id, attempt.id)

        def turn(current: Attempt) -> Attempt:
            return replace(current, due=over > now, looks=replace(current.looks, next=over))

        await attempts.advance(
            context, attempt, By.LOOK, None, turn, "its claims are free" if over <= now else "its row is there", only_this=True
        )
    except Exception as failure:
        say(logging.WARNING, FAILED_LATER, attempt=record.id, error=type(failure).__name__)


def _at_it(now: float) -> attempts.Turn:
    """Keeps other timers away for a minute, so that one of them tells."""
    return lambda current: replace(current, looks=replace(current.looks, next=now + AT_WORK))


async def _is_told(context: Context, attempt: Attempt) -> bool:
    """Whether a row tells of the end that the record has."""
    end = (Decided.OUTCOME, attempt.state, attempt.outcome)
    return await trail.has_row(context, attempt.id, lambda row: (row["decision"], row.get("state"), row.get("outcome")) == end)

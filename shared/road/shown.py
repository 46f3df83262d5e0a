"""What Stripe shows by itself, in an event or a list, outweighs what was recorded: it corrects an attempt, is a row, and wakes somebody where it must.

Metadata can be typed by anybody in Stripe's dashboard, so an object counts for an attempt only where it fits what the attempt settled.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.actor import system
from shared.context import ATTEMPT_METADATA, Context
from shared.errors import BillyError
from shared.road import attempts, claims, looking, trail
from shared.road.attempt import Attempt, By, State, Unreadable
from shared.road.calls import FAILED_OUTCOMES, Call, Done
from shared.road.following import tell
from shared.road.identity import ATTEMPT
from shared.road.operation import Operation, Write
from shared.road.trail import Decided, Row
from shared.stores.changes import insert_once
from shared.stores.protocols import Exists
from shared.telemetry.lines import say

DISAGREES = "billy.stripe_disagrees"
STRAYS = "strays"  # what was told already of objects that no attempt of ours accounts for
ORDER = {"requires_action": 0, "pending": 1, None: 2, "succeeded": 2, "failed": 3, "canceled": 3}  # events come in any order
STRIPE = system("stripe")


async def witness(context: Context, kind: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Holds objects of a kind, those that carry an attempt's id, against their attempts. Raises what a store raises, so that they are brought again."""
    from shared.road.catalogue import BY_NAME  # which knows every operation, and they the road

    await hold_against(context, kind, values, BY_NAME)


async def hold_against(context: Context, kind: str, values: Sequence[Mapping[str, Any]], operations: Mapping[str, Operation]) -> None:
    """The same over a catalogue."""
    for value in values:
        metadata: Mapping[str, Any] = value.get("metadata") or {}
        id = metadata.get(ATTEMPT_METADATA)
        if not isinstance(id, str) or not re.fullmatch(ATTEMPT, id):
            continue
        try:
            attempt, missing = await attempts.find(context, id), "no attempt of that id is recorded here"
        except Unreadable:
            attempt, missing = None, "the record of that attempt was written by another version"
        makers = [each for each in operations.values() if isinstance(each, Write) and each.makes == kind and each.shown is not None]
        maker = next((each for each in makers if attempt is None or each.name == attempt.operation), makers[0] if makers else None)
        if maker is None or maker.shown is None:
            continue
        done = maker.shown(value)
        if attempt is None:
            await _stray(context, maker, id, value, done, missing)
        elif difference := _difference(attempt, value, done, maker):
            await _stray(context, maker, id, value, done, difference)
        else:
            await _corrected(context, attempt, done)


def _difference(attempt: Attempt, value: Mapping[str, Any], done: Done, operation: Write) -> str | None:
    """In words, what does not fit; None where the object is what the attempt settled."""
    if attempt.operation != operation.name:
        return f"the attempt was to {attempt.operation}, which makes none of this"
    known = (attempt.result or {}).get("id")
    if attempt.state is State.SUCCEEDED and known is not None and known != value.get("id"):
        return f"the attempt made {known}, and another object carries its id"
    if done.did is None:
        return None
    for name in operation.declared.movement:
        recorded, seen = attempt.settled.arguments.get(name), done.did.arguments.get(name)
        if recorded != seen:
            return f"{name}: {recorded} was settled, {seen} is at Stripe"
    return None


async def _corrected(context: Context, attempt: Attempt, done: Done) -> None:
    before, was = attempt.state, attempt.outcome
    if before is State.SUCCEEDED:
        changed = await _outcome_changed(context, attempt, done)
    elif before is State.FAILED and done.outcome in FAILED_OUTCOMES:
        return
    else:
        changed = await looking.succeed(context, attempt, done, By.SHOWN, "shown by Stripe")
    if not changed.made:
        return
    stands = changed.attempt
    if before is State.FAILED:
        await came_late(context, stands)
    elif stands.outcome in FAILED_OUTCOMES and was not in FAILED_OUTCOMES:
        _alarm(stands, before)
    await tell(context, stands, STRIPE, found="stripe")


async def came_late(context: Context, attempt: Attempt) -> None:
    """A success of what was recorded as failed: its guard stands again, and somebody is told."""
    _alarm(attempt, State.FAILED)
    await claims.stand_again(context, attempt)


def _alarm(attempt: Attempt, recorded: State) -> None:
    shown = attempt.outcome or "succeeded"
    say(logging.WARNING, DISAGREES, attempt=attempt.id, operation=attempt.operation, recorded=recorded.value, shown=shown)


async def _outcome_changed(context: Context, attempt: Attempt, done: Done) -> attempts.Changed:
    """What became of a success since: its state stays, its outcome tells. An older event changes nothing, but outweighs a person's word."""

    def turn(current: Attempt) -> Attempt | None:
        if "said" not in (current.result or {}) and ORDER.get(done.outcome, 0) <= ORDER.get(current.outcome, 0):
            return None
        return replace(current, outcome=done.outcome, result=done.kept, due=True)

    return await attempts.change(context, attempt, By.SHOWN, State.SUCCEEDED, turn, f"outcome: {done.outcome or 'succeeded'}")


async def _stray(context: Context, maker: Write, attempt: str, value: Mapping[str, Any], done: Done, why: str) -> None:
    """Told once for an object: a row and an alarm. The row comes first, so that a crash between the two tells twice rather than never."""
    id = f"{attempt}:{value.get('id')}"
    if await context.records.get(STRAYS, id) is not None:
        return
    told = Row.of(Call(context, STRIPE, None), maker.name, Decided.OUTCOME, also=done.result, attempt=attempt, found="stripe", notes=(why,))
    await trail.append(context, told)
    say(logging.WARNING, DISAGREES, attempt=attempt, operation=maker.name, recorded="not fitting", shown=done.outcome or "succeeded")
    try:
        await insert_once(context.records, STRAYS, id, {"at": context.seam.now(), "why": why})
    except (Exists, BillyError):
        return

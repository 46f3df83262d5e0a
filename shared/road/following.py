"""What goes on beside something else, and what follows an act: it may be late or fail, and never renames an outcome."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from shared.actor import Actor, system
from shared.context import Context
from shared.road import trail
from shared.road.attempt import Attempt, State
from shared.road.calls import Call
from shared.road.timing import FOLLOWS
from shared.road.trail import Decided, Row
from shared.telemetry.lines import say

TIMER = system("timer")


async def side_by_side(*steps: Awaitable[Any]) -> list[Any]:
    """What the steps answer. Raises what the first one that failed raised, when all have ended: nothing goes on behind the caller's back."""
    ended = await asyncio.gather(*steps, return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return ended


async def quietly(*steps: Awaitable[Any]) -> None:
    """What follows an act, side by side, for a few seconds, without a word of failure to the caller. The timer mends what is missing."""
    ended = await asyncio.gather(*(asyncio.wait_for(step, FOLLOWS) for step in steps), return_exceptions=True)
    for each in ended:
        if isinstance(each, Exception):
            say(logging.WARNING, "billy.follow_failed", error=type(each).__name__)
        elif isinstance(each, BaseException):
            raise each


def outcome(call: Call, attempt: Attempt, **facts: Any) -> Row:
    """The row of how an attempt stands, made of what its record says."""
    return Row.of(
        call,
        attempt.operation,
        Decided.OUTCOME,
        arguments=attempt.settled.arguments,
        also=attempt.result,
        attempt=attempt.id,
        state=attempt.state.value,
        outcome=attempt.outcome,
        **(attempt.told | facts),
    )


async def tell(context: Context, attempt: Attempt, actor: Actor = TIMER, **facts: Any) -> None:
    """Appends that row, where it was not its own call that ended the attempt."""
    code = (attempt.error or {}).get("code") if attempt.state is State.FAILED else None
    facts |= {"code": code, "settled_later": True, "correlation": attempt.correlation_id}
    await trail.append(context, outcome(Call(context, actor, None), attempt, **facts))

"""Claims: while an attempt on a movement may be moving it, nobody else moves it; and for ten minutes after it did, nobody repeats it unasked.

A claim is a record named by the movement's digest, which names the attempt that holds it. It has no age: the attempt's state decides. It is
the one place where those who want the same movement meet. Whoever takes it over does so on the version that was read before the holder was
judged; and whoever is about to send writes it anew first. So of the two one comes first, and the other's compare-and-set fails: a holder
that came to life is not overlooked, and one that was overtaken sends nothing. A claim whose attempt never came frees in seconds; it still
names those before it that moved, whose guard stands.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.road import attempts, refusals
from shared.road.attempt import Attempt
from shared.road.following import side_by_side
from shared.road.timing import GUARD, NEVER_CAME
from shared.stores.changes import insert_once, replace_once
from shared.stores.protocols import Changed, Exists, Record

COLLECTION = "claims"
TRIES = 5  # of taking a claim that others change at the same moment
MOVERS = 8  # attempts that moved this and are still named

type Asking = Callable[[Attempt], Awaitable[Attempt]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants to move: the attempt's id, the earlier attempt that is repeated on purpose, and how to find out what became of another one."""

    attempt: str
    repeat_of: str | None
    became: Asking


async def take(context: Context, movement: tuple[str, ...], wanted: Wanted) -> None:
    """Takes the claim of a movement. Raises `possible_duplicate` naming the attempt that holds it, and `unavailable` where that cannot be seen.

    Those of older forms are taken at the fence: whoever runs a version that knows them alone has taken his by then.
    """
    for id in movement[:1]:
        if not await _is_fresh(context, id, wanted.attempt):
            await _take_over(context, id, wanted)


async def hindrance(context: Context, movement: tuple[str, ...], wanted: Wanted) -> BillyError | None:
    """What `take` would raise, without taking anything: for a preview."""
    for id in movement:
        held = await context.records.get(COLLECTION, id)
        try:
            if held is not None:
                await _judge(context, held, wanted)
        except BillyError as error:
            return error
    return None


async def hold(context: Context, movement: tuple[str, ...], wanted: Wanted) -> bool:
    """Whether the claim names the attempt, written anew right before it sends: nobody takes over what was read before.

    Raises `possible_duplicate` where another attempt has moved this, or may be moving it, by a claim of an older form.
    """

    async def older(id: str) -> bool:
        if not await _is_fresh(context, id, wanted.attempt):
            await _take_over(context, id, wanted)
        return True

    return all(await side_by_side(*(_hold(context, id, wanted) for id in movement[:1]), *(older(id) for id in movement[1:])))


async def stand_again(context: Context, attempt: Attempt) -> None:
    """The guard of an attempt that moved after all, also where another one holds its claim by now. Best effort."""
    for id in attempt.movement:
        try:
            await _stand_again(context, id, attempt.id)
        except (Changed, BillyError):
            continue


async def _stand_again(context: Context, id: str, attempt: str) -> None:
    if await _is_fresh(context, id, attempt):
        return
    held = await context.records.get(COLLECTION, id)
    if held is None:
        return
    if held.document["attempt"] == attempt:
        await replace_once(context.records, COLLECTION, held, _claim(context, attempt, _movers(held)))
    else:
        await replace_once(context.records, COLLECTION, held, held.document | {"moved": [attempt, *_movers(held)][:MOVERS], "ended": None})


async def let_go(context: Context, id: str, attempt: str) -> None:
    """Says that an attempt is done with a claim, so that its record ends in time. Best effort: what stands is decided by the attempt's state."""
    try:
        held = await context.records.get(COLLECTION, id)
        if held is not None and held.document["attempt"] == attempt and not held.document.get("ended"):
            await context.records.replace(COLLECTION, held, held.document | {"ended": context.seam.now()})
    except (Changed, BillyError):
        return


async def _is_fresh(context: Context, id: str, attempt: str) -> bool:
    """Whether nobody had the claim, and it is taken now."""
    try:
        await insert_once(context.records, COLLECTION, id, _claim(context, attempt))
    except Exists:
        return False
    return True


async def _take_over(context: Context, id: str, wanted: Wanted) -> None:
    for _ in range(TRIES):
        held = await context.records.get(COLLECTION, id)
        if held is None:  # it is there, or was a moment ago: who cannot read it knows nothing
            if await _is_fresh(context, id, wanted.attempt):
                return
            continue
        if held.document["attempt"] == wanted.attempt and not held.document.get("ended"):
            await _judge_movers(context, _movers(held), wanted)
            return  # its own, of an earlier call or of one beside it: `hold` writes it anew
        moved = await _judge(context, held, wanted)
        try:
            await replace_once(context.records, COLLECTION, held, _claim(context, wanted.attempt, moved))
        except Changed:
            continue
        return
    raise refusals.claim_unreadable()


async def _hold(context: Context, id: str, wanted: Wanted) -> bool:
    for _ in range(TRIES):
        held = await context.records.get(COLLECTION, id)
        if held is None or held.document["attempt"] != wanted.attempt:
            return False
        await _judge_movers(context, _movers(held), wanted)
        try:
            await replace_once(context.records, COLLECTION, held, _claim(context, wanted.attempt, _movers(held)))
        except Changed:  # perhaps by a call with the same key
            continue
        return True
    return False


async def _judge(context: Context, held: Record, wanted: Wanted) -> list[str]:
    """Those that moved this before, where nobody holds the claim any more, or it is one's own.

    Raises while the attempt that holds it may be moving, and for ten minutes after it, or one before it, moved.
    """
    document, movers = held.document, _movers(held)
    if document["attempt"] == wanted.attempt:
        await _judge_movers(context, movers, wanted)
        return movers
    holder = await attempts.find(context, str(document["attempt"]))
    if holder is None:
        age = context.seam.now() - float(document["at"])
        if not document.get("ended") and age < NEVER_CAME:
            raise refusals.being_recorded(str(document["attempt"]), max(1, ceil(NEVER_CAME - age)))
    elif holder.open:
        holder = await wanted.became(holder)
    if holder is not None and (holder.open or holder.moved):
        _guard(context, holder, wanted)
        return [holder.id, *movers][:MOVERS]
    await _judge_movers(context, movers, wanted)
    return movers


async def _judge_movers(context: Context, movers: list[str], wanted: Wanted) -> None:
    """The last one that moved, and whose money stayed moved, guards; those before it are its own affair."""
    for each in movers:
        mover = await attempts.find(context, each) if each != wanted.attempt else None
        if mover is not None and (mover.open or mover.moved):
            return _guard(context, mover, wanted)


def _guard(context: Context, holder: Attempt, wanted: Wanted) -> None:
    if holder.open:
        raise refusals.duplicate(holder)
    if holder.moved and holder.id != wanted.repeat_of:
        age = context.seam.now() - (holder.ended or holder.updated)
        if wanted.repeat_of is not None or age < GUARD:
            raise refusals.duplicate(holder, wanted.repeat_of)


def _movers(held: Record) -> list[str]:
    return [str(each) for each in held.document.get("moved") or ()]


def _claim(context: Context, attempt: str, moved: list[str] | None = None) -> dict[str, Any]:
    return {"attempt": attempt, "at": context.seam.now(), "moved": moved or []}

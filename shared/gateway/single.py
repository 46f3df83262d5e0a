"""Objects that are settled one by one: where one of them fails, the others go on, and it is asked for again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import batched
from typing import Any

from shared.errors import BillyError
from shared.gateway.apply import as_listed, gone, settle
from shared.gateway.client import ListPage, writes_from_page
from shared.gateway.kinds import Kind, is_id, write_from_object
from shared.gateway.progress import Document
from shared.gateway.runs import Lost
from shared.gateway.work import Work
from shared.stores.protocols import Applied, Write
from shared.telemetry.invocation import crashed

MOST_LEFT = 1_000  # objects of a kind that wait to be asked for one by one; more are no longer single ones
OUTAGE = 5  # objects of which not one can be settled: then it is not the objects
AT_ONCE = 5


async def write_page(work: Work, facts: Kind, pages: Sequence[ListPage]) -> tuple[int, list[str]]:
    """Writes pages into the mirror, and tells how many objects they held, and the ids of those for which that failed."""
    values = [(value, page.stamp) for page in pages for value in page.values]
    odd: list[str] = []
    try:
        writes = [write for page in pages for write in writes_from_page(facts, page)]
        done = list(zip(writes, await work.context.mirror.apply(writes), strict=True))
    except BillyError:  # the store is away
        raise
    except Exception:  # of one object, or of several: each for itself
        done, odd = await _each(work, facts, values)
    doubtful = {write.id: write for write, applied in done if applied in DOUBTFUL}

    async def in_doubt(id: str) -> Applied:
        if is_id(id, facts.name):
            return await settle(work.context, work.stripe, facts.name, id, gone(facts.name, id, doubtful[id].stamp))
        return await as_listed(work.context, doubtful[id])  # it cannot be asked for: what Stripe lists is there

    return len(values), odd + await settled(work, facts, list(doubtful), in_doubt)


DOUBTFUL = (Applied.TIE, Applied.CONFLICT, Applied.GONE)  # Stripe listed it, so a tombstone is in doubt too


async def settled(work: Work, facts: Kind, ids: Sequence[str], settle: Callable[[str], Awaitable[object]]) -> list[str]:
    """Settles objects, and answers the ids of those for which that failed. Raises what is no single object's failure."""
    failed: list[str] = []
    for some in batched(ids, AT_ONCE, strict=False):
        ended = await asyncio.gather(*(settle(id) for id in some), return_exceptions=True)
        errors = {id: each for id, each in zip(some, ended, strict=True) if isinstance(each, BaseException)}
        for id, error in errors.items():
            if not isinstance(error, Exception) or isinstance(error, Lost) or is_everybodys(error) or len(errors) >= OUTAGE:
                raise error
            _remember(work, facts, error)
            failed.append(id)
    return failed


async def settle_left(work: Work, facts: Kind, left: Sequence[str]) -> bool:
    """Asks for what earlier slices have left. Whether it was all asked for when time is up."""
    for some in batched(left, AT_ONCE, strict=False):
        if work.time_is_up():
            return False
        failed = await settled(work, facts, some, lambda id: _ask(work, facts, id))
        over = set(some) - set(failed)
        await work.lease.change(
            facts.name, lambda document, over=over: document | {"left": [id for id in document["left"] if id not in over]}
        )
    return True


def leave(document: Document, failed: Sequence[str]) -> list[str]:
    """The ids that a kind's document leaves for later, with more of them. Raises where they are too many for single ones."""
    left = list(dict.fromkeys([*(document.get("left") or ()), *failed]))
    if len(left) > MOST_LEFT:
        raise BillyError("stripe_error", "Too many objects of this kind cannot be read one by one.", next="It is tried again by itself.")
    return left


def is_everybodys(error: BaseException) -> bool:
    """Whether a failure is not one object's: the rate, or the key."""
    return isinstance(error, BillyError) and (error.code == "rate_limited" or (error.code == "unavailable" and error.stripe is not None))


async def _each(work: Work, facts: Kind, values: Sequence[tuple[dict[str, Any], int]]) -> tuple[list[tuple[Write, Applied]], list[str]]:
    done: list[tuple[Write, Applied]] = []
    odd: list[str] = []
    for value, stamp in values:
        try:
            write = write_from_object(facts.name, value, stamp)
            done += zip([write], await work.context.mirror.apply([write]), strict=True)
        except BillyError:
            raise
        except Exception as crash:
            _remember(work, facts, crash)
            odd.append(str(value["id"]))
    return done, odd


def _remember(work: Work, facts: Kind, error: Exception) -> None:
    if facts.name not in work.failures:
        told = error if isinstance(error, BillyError) else crashed(error, f"sync {facts.name}", work.context.seam)
        work.failures[facts.name] = told


async def _ask(work: Work, facts: Kind, id: str) -> Applied:
    stored = await work.context.mirror.get(facts.name, id)
    if not is_id(id, facts.name):  # it can be listed but not asked for
        return Applied.STALE
    return await settle(work.context, work.stripe, facts.name, id, gone(facts.name, id, stored.stamp if stored else 0))

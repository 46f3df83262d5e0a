"""Events that cannot be applied are set aside, so that the others go on, and tried again by themselves."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import progress, runs
from shared.gateway.apply import apply_event, is_recorded
from shared.gateway.client import StripeGateway
from shared.gateway.follows import touched
from shared.gateway.kinds import KINDS, as_object
from shared.gateway.progress import FEED, Document, kind_id, told
from shared.telemetry.invocation import crashed

MOST = 200  # events that are set aside; of what is more, the kind is read anew by a whole run
OUTAGE = 20  # objects with events of which not one can be applied: then it is not the events
AT_ONCE = 20  # tried again in one reading


async def apply_or_set_aside(context: Context, events: Sequence[Mapping[str, Any]], waiting: Mapping[str, Any]) -> int:
    """Applies the events that are new here and not set aside, and tells how many that were.

    Those that cannot be applied are set aside. Raises where all of many fail alike.
    """
    recorded = await asyncio.gather(*(is_recorded(context, str(event["id"])) for event in events))
    new = [event for event, known in zip(events, recorded, strict=True) if not known and event["id"] not in waiting]
    ended = await asyncio.gather(*(apply_event(context, event, via="catch_up") for event in new), return_exceptions=True)
    failed: list[tuple[Mapping[str, Any], Exception]] = []
    for event, each in zip(new, ended, strict=True):
        if isinstance(each, Exception):
            failed.append((event, each))
        elif isinstance(each, BaseException):
            raise each
    if len(failed) == len(new) and len({_about(event) for event, _ in failed}) >= OUTAGE:
        raise failed[0][1]
    if failed:
        await _set_aside(context, [(event, _told(context, error)) for event, error in failed])
    return len(new) - len(failed)


async def try_again(context: Context, stripe: StripeGateway, waiting: Mapping[str, Document]) -> None:
    """Tries again what is set aside and whose time has come. What Stripe keeps no more is left to a whole run."""
    now = context.seam.now()
    due = [id for id, entry in waiting.items() if runs.is_due(entry, now)][:AT_ONCE]
    if not due:
        return
    ended = await asyncio.gather(*(_again(context, stripe, id) for id in due), return_exceptions=True)
    over, failed = set[str](), dict[str, Document]()
    for id, each in zip(due, ended, strict=True):
        if isinstance(each, BaseException) and not isinstance(each, Exception):
            raise each
        if isinstance(each, Exception):
            failed[id] = _told(context, each)
        elif each:
            over.add(id)
        else:
            await _wants_a_run(context, waiting[id])
            over.add(id)

    def turn(feed: Document) -> Document:
        there: dict[str, Document] = feed.get("aside") or {}
        left = {id: entry for id, entry in there.items() if id not in over}
        for id, error in failed.items():
            tries = int(left.get(id, {}).get("tries", 1)) + 1
            left[id] = left.get(id, {}) | {"error": error, "tries": tries, "again_at": now + runs.pause(tries)}
        return feed | {"aside": left}

    changed = await progress.change(context, FEED, turn)
    await _mark(context, (changed or {}).get("aside") or {})


async def _again(context: Context, stripe: StripeGateway, id: str) -> bool:
    """Whether the event is applied now; False where Stripe has it no more. Raises what stands in the way."""
    if await is_recorded(context, id):
        return True
    try:
        event = await stripe.pace.patiently(lambda: stripe.retrieve_event(id))
    except BillyError as error:
        if error.code != "not_found":
            raise
        return False
    await apply_event(context, event, via="catch_up")
    return True


async def _set_aside(context: Context, failed: Sequence[tuple[Mapping[str, Any], Document]]) -> None:
    now = context.seam.now()
    entries: dict[str, Document] = {
        str(event["id"]): {"kind": _kind(event), "kinds": _kinds(event), "since": int(now), "tries": 1, "again_at": now, "error": error}
        for event, error in failed
    }

    def turn(feed: Document) -> Document:
        before: dict[str, Document] = feed.get("aside") or {}
        return feed | {"aside": before | dict(list(entries.items())[: max(0, MOST - len(before))])}

    changed = await progress.change(context, FEED, turn)
    kept: dict[str, Document] = (changed or {}).get("aside") or {}
    await _mark(context, kept)
    for id, entry in entries.items():
        if id not in kept:
            await _wants_a_run(context, entry)


async def _mark(context: Context, kept: Mapping[str, Document]) -> None:
    """Each kind knows how many of its events are set aside: while there is one, it is not complete."""
    for name in KINDS:
        count = sum(name in _of(entry) for entry in kept.values())

        def turn(document: Document, count: int = count) -> Document | None:
            return document | {"aside": count} if document and document.get("aside", 0) != count else None

        await progress.change(context, kind_id(name), turn)


async def _wants_a_run(context: Context, entry: Document) -> None:
    """What an event told is lost: the kind is complete once a run has read it again."""
    now = context.seam.now()

    def turn(document: Document) -> Document | None:
        return progress.failing(document, entry["error"], now) | {"complete": False} if document.get("complete") else None

    for kind in _of(entry):
        await progress.change(context, kind_id(kind), turn)


def _of(entry: Document) -> list[str]:
    """The kinds of which an event that is set aside tells: its own, and those that it changes besides."""
    return entry.get("kinds") or ([entry["kind"]] if entry["kind"] in KINDS else [])


def _kinds(event: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([name for name in (_kind(event),) if name in KINDS] + [kind for kind, _, _ in touched(event)]))


def _about(event: Mapping[str, Any]) -> str:
    return str(as_object(as_object(event.get("data")).get("object")).get("id"))


def _kind(event: Mapping[str, Any]) -> str:
    name = as_object(as_object(event.get("data")).get("object")).get("object")
    return name if isinstance(name, str) and name in KINDS else "other"


def _told(context: Context, error: Exception) -> Document:
    return told(error if isinstance(error, BillyError) else crashed(error, "apply_event", context.seam))

"""What is known of the mirror's completeness: the documents of the `sync` collection, each changed by compare-and-set."""

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
from shared.errors import BillyError
from shared.stores import changes
from shared.stores.protocols import Record, Records

COLLECTION = "sync"
RUN = "run"  # the backfill under way, or the last one
FEED = "feed"  # up to which event the feed was read
PULSE = "pulse"  # when the last event came
PULSE_EVERY = 5  # seconds: a busy feed does not write its pulse with each event

Document = dict[str, Any]

_noted: WeakKeyDictionary[Records, float] = WeakKeyDictionary()  # when this process noted or saw the pulse


def kind_id(kind: str) -> str:
    """The record of one kind: `complete`, `as_of`, and how far the run has come (`run`, `lease`, `taken`, `cursors`, `objects`, `pages`, `done`).

    What fails is told in `error` and `failing_since` until it passes, whatever run or reading is under way; `aside` counts what could not be
    applied one by one, and while there is something the kind is not complete.
    """
    return f"kind:{kind}"


def told(error: BillyError, **facts: str) -> Document:
    """An error as a document keeps it: fixed words and enumerated values only."""
    reference = {"reference": error.reference} if error.reference else {}
    return {"code": error.code, "detail": error.detail, "next": error.next} | reference | facts


def failing(document: Document, error: Document, now: float) -> Document:
    """The document with what fails and since when: an error that comes again keeps its beginning."""
    return document | {"error": error, "failing_since": document.get("failing_since") or int(now)}


PASSED: Document = {"error": None, "failing_since": None}


async def read(context: Context, id: str) -> Record | None:
    return await context.records.get(COLLECTION, id)


async def document(context: Context, id: str) -> Document:
    """The record's document; empty where there is none yet."""
    record = await read(context, id)
    return record.document if record else {}


async def change(context: Context, id: str, turn: Callable[[Document], Mapping[str, Any] | None]) -> Document | None:
    """Replaces a document by what `turn` makes of it, as `stores.changes` does. None from `turn` leaves it, and answers None."""
    changed = await changes.change(context.records, COLLECTION, id, turn)
    return changed.document if changed else None


async def lacks(context: Context, kind: str, error: Document) -> None:
    """A permission for a kind went away in mid-life: from now on it is not known complete, until a run has read it again."""
    now = context.seam.now()

    def turn(document: Document) -> Document | None:
        if not document.get("complete"):
            return None if document.get("error") or not document else failing(document, error, now)
        return failing(document, error, now) | {"complete": False}

    await change(context, kind_id(kind), turn)


async def note_event(context: Context, created: int) -> None:
    """Notes that an event came, at most every few seconds."""
    now = context.seam.now()
    if 0 <= now - _noted.get(context.records, 0.0) < PULSE_EVERY:
        return  # not even read: one record is one partition, and 5,000 readings a second are all that it gives

    def turn(pulse: Document) -> Document | None:
        if 0 <= now - float(pulse.get("at", 0)) < PULSE_EVERY:  # a clock that was set back keeps nobody silent
            return None
        return {"at": now, "created": max(created, int(pulse.get("created", 0)))}

    await change(context, PULSE, turn)
    _noted[context.records] = now

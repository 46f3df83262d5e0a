"""What is known of the mirror's completeness: the documents of the `sync` collection, each changed by compare-and-set."""

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
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
    """The record of one kind: `complete`, `as_of`, and how far the run has come (`run`, `lease`, `taken`, `cursors`, `objects`, `pages`, `done`, `error`)."""
    return f"kind:{kind}"


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


async def note_event(context: Context, created: int) -> None:
    """Notes that an event came, at most every few seconds."""
    now = context.seam.now()
    if 0 <= now - _noted.get(context.records, 0.0) < PULSE_EVERY:
        return  # not even read: one record is one partition, and 5,000 readings a second are all that it gives

    def turn(pulse: Document) -> Document | None:
        if now - float(pulse.get("at", 0)) < PULSE_EVERY:
            return None
        return {"at": now, "created": max(created, int(pulse.get("created", 0)))}

    await change(context, PULSE, turn)
    _noted[context.records] = now

"""The note of a key's last use: kept beside a call, so a store that will not keep it neither refuses the call nor holds it up."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
from shared.stores.protocols import Changed, Record, Records
from shared.telemetry.lines import SELDOM, say

PRECISION = 60  # seconds: a busy key is not written at every call
LONGEST = 0.15  # seconds of a call that a note may take
MOST = 10_000  # keys whose last note is remembered


@dataclass(slots=True)
class _Notes:
    """What this process has tried to note in one store: by record, and when it said that it could not."""

    tried: dict[str, float] = field(default_factory=dict[str, float])
    said: float | None = None


_writing: set[asyncio.Future[str | None]] = set()  # the event loop alone would let go of them
_notes: WeakKeyDictionary[Records, _Notes] = WeakKeyDictionary()


async def note_use(context: Context, collection: str, record: Record) -> None:
    """Notes that a key is used now, where the note is older than `PRECISION`. One call of a key tries it in that time. Raises nothing."""
    now, notes = context.seam.now(), _notes.setdefault(context.records, _Notes())
    if not _is_due(record.document, now) or 0 <= now - notes.tried.get(record.id, 0.0) < PRECISION:
        return
    if len(notes.tried) >= MOST:
        notes.tried.clear()
    notes.tried[record.id] = now
    writing = asyncio.ensure_future(_write(context.records, collection, record, int(now)))
    _writing.add(writing)
    writing.add_done_callback(_writing.discard)
    done, _ = await asyncio.wait({writing}, timeout=LONGEST)  # what takes longer goes on, and nobody waits for it
    failed = writing.result() if done else "late"
    if failed and (notes.said is None or not 0 <= now - notes.said < SELDOM):
        notes.said = now
        say(logging.WARNING, "billy.last_use_not_noted", error=failed)


async def _write(records: Records, collection: str, record: Record, now: int) -> str | None:
    """What went wrong, by its class. Raises nothing."""
    try:
        await records.replace(collection, record, record.document | {"last_used": now})
    except Changed:  # by another instance's note, or by a revocation, which stays
        return None
    except Exception as failure:
        return type(failure).__name__
    return None


def _is_due(document: dict[str, Any], now: float) -> bool:
    return now - int(document["last_used"] or 0) >= PRECISION

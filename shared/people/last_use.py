"""The note of a key's last use: kept beside a call, so a store that will not keep it neither refuses the call nor holds it up."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
from shared.stores.changes import change
from shared.stores.protocols import Record, Records
from shared.telemetry.lines import SELDOM, say

PRECISION = 60  # seconds: a busy key is not written at every call
LONGEST = 0.15  # seconds of a call that a note may take
MOST = 10_000  # keys whose last note is remembered


@dataclass(slots=True)
class _Notes:
    """What this process has tried to note in one store: by record, and when it said that it could not."""

    tried: dict[str, float] = field(default_factory=dict[str, float])
    said: float | None = None


_notes: WeakKeyDictionary[Records, _Notes] = WeakKeyDictionary()


async def note_use(context: Context, collection: str, record: Record) -> None:
    """Notes that a key is used now, where the note is older than `PRECISION`. One call of a key tries it in that time. Raises nothing."""
    now, notes = context.seam.now(), _notes.setdefault(context.records, _Notes())
    if not _is_due(record.document, now) or 0 <= now - notes.tried.get(record.id, 0.0) < PRECISION:
        return
    if len(notes.tried) >= MOST:
        notes.tried.clear()
    notes.tried[record.id] = now

    def used(document: dict[str, Any]) -> dict[str, Any] | None:
        return document | {"last_used": int(now)} if document.get("revoked") is None and _is_due(document, now) else None

    try:
        async with asyncio.timeout(LONGEST):
            await change(context.records, collection, record.id, used, known=record)
    except Exception as failure:
        if notes.said is None or not 0 <= now - notes.said < SELDOM:
            notes.said = now
            say(logging.WARNING, "billy.last_use_not_noted", error=type(failure).__name__)


def _is_due(document: dict[str, Any], now: float) -> bool:
    return now - int(document["last_used"] or 0) >= PRECISION

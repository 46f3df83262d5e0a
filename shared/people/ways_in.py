"""That one way in always stays: owners' keys leave through one record, so that two who take each other's away come one after the other."""

from math import inf
from typing import Any

from shared.context import Context
from shared.people.keys import every_key, works
from shared.people.taken import is_taken
from shared.stores.changes import insert_once, replace_once
from shared.stores.protocols import Changed, Exists, Record

UNDER_WAY = 180  # seconds for which a revocation that began may not have been written yet
WAYS_IN = ("deployment", "ways_in")  # the record of who leaves


async def is_last_way_in(context: Context, leaving: set[str]) -> bool:
    """Whether no lasting owner's key would work once these keys are gone. A key that ends stands in for one that lasts no longer itself."""
    notes = await context.records.get(*WAYS_IN)
    return await _is_last(context, await every_key(context), notes, leaving)


async def leave(context: Context, leaving: set[str]) -> bool:
    """Notes that keys leave, and answers True; False where they are the last way in."""
    collection, id = WAYS_IN
    while True:
        notes = await context.records.get(collection, id)
        keys = await every_key(context)  # read after the notes, so that whoever they name no more does not work any more either
        if not any(each.document["role"] == "owner" for each in keys if each.document["key_id"] in leaving):
            return True
        if await _is_last(context, keys, notes, leaving):
            return False
        wanted = {"leaving": _leaving(context, notes) | dict.fromkeys(sorted(leaving), context.seam.now())}
        try:
            if notes is None:
                await insert_once(context.records, collection, id, wanted)
            else:
                await replace_once(context.records, collection, notes, wanted)
        except (Changed, Exists):
            continue
        return True


async def _is_last(context: Context, keys: list[Record], notes: Record | None, leaving: set[str]) -> bool:
    """Nobody else's key counts that somebody takes away at this moment, nor one that ends before those that leave or that the audit log
    says was taken away."""
    now, gone = context.seam.now(), _leaving(context, notes)
    owners = {
        str(each.document["key_id"]): _until(each.document)
        for each in keys
        if each.document["role"] == "owner" and works(each.document, now)
    }
    if not any(each.document["role"] == "owner" for each in keys if each.document["key_id"] in leaving):
        return False
    needed = max((owners[id] for id in leaving if id in owners), default=0.0)
    lasting = [id for id, until in owners.items() if until >= needed and id not in leaving and id not in gone]
    for id in lasting:
        if not await is_taken(context, id):
            return False
    return True


def _leaving(context: Context, notes: Record | None) -> dict[str, float]:
    """Keys that somebody began to take away a moment ago. What is older has been done, or failed and left the key as it was."""
    noted: dict[str, float] = notes.document.get("leaving", {}) if notes else {}
    return {id: at for id, at in noted.items() if context.seam.now() - at < UNDER_WAY}


def _until(document: dict[str, Any]) -> float:
    return inf if document["expires"] is None else float(document["expires"])

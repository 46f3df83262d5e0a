"""A copy of the records that is older than the audit log: found, told for a day, and mended as far as the log can.

The last row of a key that was given or taken away is held against that key's record. Where they disagree, and nobody is at work on it, the
records are not what they were: a restore, a loss, or a copy of before.
"""

from dataclasses import dataclass
from typing import Any

from shared.context import Context
from shared.people.keys import RESTORED, find_record
from shared.people.revoking import revoke_record
from shared.people.taken import RIGHT, TAKEN, agrees, newest
from shared.stores.changes import change

TOLD = 86_400  # seconds for which it is told after it was found
PAGE = 100  # rows
MOST = 2_000  # rows that are walked back


@dataclass(frozen=True, slots=True)
class Older:
    """Keys whose revocation the records had forgotten, and keys that they do not know; counts."""

    revived: int
    missing: int


async def is_older(context: Context) -> bool:
    """Whether the records are older than the audit log's last row of keys, or were found to be within the day."""
    note = await context.records.get(*RESTORED)
    found = note.document.get("found", 0) if note else 0
    return 0 <= context.seam.now() - found < TOLD or await _is_behind(context)


async def mend(context: Context) -> Older | None:
    """Takes away again what the audit log says was taken away, and tells what was found; None where nothing is wrong, for a day after it was."""
    note = await context.records.get(*RESTORED)
    before: dict[str, Any] = note.document if note else {}
    if before.get("mended", True) and not await _is_behind(context):
        is_told = 0 <= context.seam.now() - before.get("found", 0) < TOLD
        return Older(before.get("revived", 0), before.get("missing", 0)) if is_told else None
    older = await _walked(context)
    now = int(context.seam.now())

    def noted(document: dict[str, Any]) -> dict[str, Any] | None:
        recent = 0 <= now - document.get("found", 0) < TOLD
        revived = older.revived + (document.get("revived", 0) if recent else 0)  # what a use has found counts too
        wanted = {"found": document["found"] if recent else now, "mended": True, "revived": revived, "missing": older.missing}
        return None if wanted == document else wanted

    await change(context.records, *RESTORED, noted)
    note = await context.records.get(*RESTORED)
    return Older(note.document["revived"], older.missing) if note else older


async def _is_behind(context: Context) -> bool:
    row = await newest(context)
    if row is None or agrees(row, await find_record(context, row["object"])):
        return False
    attempt = await context.records.get("attempts", str(row.get("attempt")))
    return attempt is None or attempt.document.get("state") not in ("started", "unknown")  # else it is being written at this moment


async def _walked(context: Context) -> Older:
    """Goes back through the rows of keys until a whole page of them agrees with the records."""
    revived, missing, after, walked = 0, set[str](), None, 0
    while walked < MOST and (rows := await context.audit.list(limit=PAGE, after=after, where={"right": RIGHT})):
        wrong = 0
        for row in rows:
            record = await find_record(context, row["object"])
            if agrees(row, record):
                continue
            wrong += 1
            if record is None:
                missing.add(row["object"])
            elif row["decision"] == TAKEN:
                await revoke_record(context, record)
                revived += 1
        after, walked = rows[-1]["id"], walked + len(rows)
        if not wrong or len(rows) < PAGE:
            break
    return Older(revived, len(missing))

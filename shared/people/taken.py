"""What the audit log says was taken away, which no copy of the records gives back.

The log is asked at each use of a key where that costs nothing, and once in `context.believed` seconds by each process where it is a request.
"""

from typing import Any

from shared.context import Context
from shared.stores.protocols import Record

RIGHT = "key"  # the kind of right that rows about keys give and take
GIVEN, TAKEN = "given", "taken"  # their decisions


async def is_taken(context: Context, id: str) -> bool:
    """Whether the audit log says that the key was taken away."""
    now = context.seam.now()
    if 0 <= now - context.standing.get(id, float("-inf")) < context.believed:
        return False
    if await context.audit.list(limit=1, where={"taken": id}):
        context.standing.pop(id, None)
        return True
    context.standing[id] = now
    return False


async def newest(context: Context) -> dict[str, Any] | None:
    """The audit log's last row of a key that was given or taken away."""
    rows = await context.audit.list(limit=1, where={"right": RIGHT})
    return rows[0] if rows else None


def agrees(row: dict[str, Any], record: Record | None) -> bool:
    """Whether a key's record knows what such a row says."""
    return record is not None and (row["decision"] != TAKEN or record.document["revoked"] is not None)

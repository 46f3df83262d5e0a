"""How far a list can be trusted: whether the mirror holds everything of a kind, and as of when."""

from collections.abc import Mapping
from typing import Any

from shared.context import Context

COLLECTION = "sync"


async def of(context: Context, kind: str) -> tuple[bool, int | None]:
    """Whether the kind is complete, and the epoch second it was last known to be so (None before the first synchronisation)."""
    record = await context.records.get(COLLECTION, f"kind:{kind}")
    if record is None:
        return False, None
    return is_complete(record.document), record.document.get("as_of")


def is_complete(document: Mapping[str, Any]) -> bool:
    """Whether the record of a kind says that the mirror holds all of it: no event of it is set aside."""
    return bool(document.get("complete")) and not document.get("aside")

"""How far a list can be trusted: whether the mirror holds everything of a kind, and as of when."""

from shared.context import Context

COLLECTION = "sync"


async def of(context: Context, kind: str) -> tuple[bool, int | None]:
    """Whether the kind is complete, and the epoch second it was last known to be so (None before the first synchronisation)."""
    record = await context.records.get(COLLECTION, f"kind:{kind}")
    if record is None:
        return False, None
    return bool(record.document.get("complete")), record.document.get("as_of")

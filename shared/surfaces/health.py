"""Whether Billy can work: told to anybody who asks, so it holds no secret, no name and no amount."""

from typing import Any

from shared.context import Context
from shared.instants import iso
from shared.operations import freshness
from shared.people.restored import is_older
from shared.settings import VERSION

KINDS = ("customer", "charge", "subscription", "invoice", "refund")


async def health(context: Context) -> tuple[dict[str, Any], int]:
    """The answer and its HTTP status: 200 when the stores answer, 503 when they do not. `age` is in seconds."""
    answer: dict[str, Any] = {"ready": True, "version": VERSION, "store": context.settings.store}
    try:
        known = [await freshness.of(context, kind) for kind in KINDS]
    except Exception:
        unknown = {"mirror": {"complete": False, "as_of": None, "age": None}, "keys": {"older_than_audit": None}}
        return answer | {"ready": False, **unknown}, 503
    moments = [as_of for _, as_of in known if as_of is not None]
    oldest = min(moments) if len(moments) == len(KINDS) else None
    mirror = {
        "complete": all(complete for complete, _ in known),
        "as_of": iso(oldest) if oldest is not None else None,
        "age": max(0, int(context.seam.now() - oldest)) if oldest is not None else None,
    }
    return answer | {"mirror": mirror, "keys": {"older_than_audit": await _are_keys_older(context)}}, 200


async def _are_keys_older(context: Context) -> bool | None:
    """Whether the records are an older copy that had forgotten revocations or keys; None where that cannot be asked."""
    try:
        return await is_older(context)
    except Exception:
        return None

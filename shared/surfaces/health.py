"""Whether Billy can work: told to anybody who asks, so it holds no secret, no name and no amount."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
from shared.instants import iso
from shared.operations.sync import sync_state
from shared.people.restored import is_older
from shared.settings import VERSION
from shared.stores.protocols import Mirror

REMEMBERED = 2.0  # seconds for which anybody is told the same
KINDS = ("customer", "charge", "subscription", "invoice", "refund")


@dataclass(slots=True)
class _Memory:
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float = 0.0
    told: tuple[dict[str, Any], int] | None = None


_memories: WeakKeyDictionary[Mirror, _Memory] = WeakKeyDictionary()


async def remembered_health(context: Context) -> tuple[dict[str, Any], int]:
    """What `health` said at most two seconds ago: however many ask, without a key, the stores are asked once."""
    memory = _memories.setdefault(context.mirror, _Memory())
    async with memory.asking:
        now = context.seam.now()
        if memory.told is None or not 0 <= now - memory.at < REMEMBERED:
            memory.told, memory.at = await health(context), now
        return memory.told


async def health(context: Context) -> tuple[dict[str, Any], int]:
    """The answer and its HTTP status: 200 when the stores answer, 503 when they do not. `age` is in seconds."""
    answer: dict[str, Any] = {"ready": True, "version": VERSION, "store": context.settings.store}
    try:
        state = await sync_state(context)
    except Exception:
        mirror: dict[str, Any] = {"complete": False, "as_of": None, "age": None, "failing": [], "failing_since": None}
        return answer | {"ready": False, "mirror": mirror, "keys": {"older_than_audit": None}}, 503
    kinds, failing = state["kinds"], state["failing"]
    known: list[tuple[bool, int | None]] = [
        (kinds[kind]["complete"], kinds[kind]["as_of"]) if kind in kinds else (False, None) for kind in KINDS
    ]
    moments = [as_of for _, as_of in known if as_of is not None]
    since = min((each["since"] for each in failing if each["since"] is not None), default=None)
    oldest = min(moments) if len(moments) == len(KINDS) else None
    mirror = {
        "complete": all(complete for complete, _ in known),
        "as_of": iso(oldest) if oldest is not None else None,
        "age": max(0, int(context.seam.now() - oldest)) if oldest is not None else None,
        "failing": sorted({each["part"] for each in failing}),
        "failing_since": iso(since) if since is not None else None,
    }
    return answer | {"mirror": mirror, "keys": {"older_than_audit": await _are_keys_older(context)}}, 200


async def _are_keys_older(context: Context) -> bool | None:
    """Whether the records are an older copy that had forgotten revocations or keys; None where that cannot be asked."""
    try:
        return await is_older(context)
    except Exception:
        return None

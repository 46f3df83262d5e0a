"""Whether Billy can work: told to anybody who asks, so it holds no secret, no name of a person and no amount.

A setting or a secret that is wrong is named with what it takes, and one that opens a guard with what it opens; the values are nowhere.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from shared.context import Context
from shared.entered import SECRETS, read_secret
from shared.errors import BillyError
from shared.instants import iso
from shared.operations.sync import sync_state
from shared.people.keys import COLLECTION
from shared.people.restored import is_older
from shared.settings import VERSION, Told, weakened
from shared.stores.protocols import Mirror, Records

REMEMBERED = 2.0  # seconds for which anybody is told the same
KINDS = ("customer", "charge", "subscription", "invoice", "refund")
SETTING_OF = {"stripe-api-key": "stripe_api_key", "stripe-webhook-secrets": "stripe_webhook_secret"}  # which take a secret's place
FIRST_KEY = "first-owner-key"
UNKNOWN: dict[str, Any] = {"complete": False, "as_of": None, "age": None, "failing": [], "failing_since": None}

_with_keys: WeakSet[Records] = WeakSet()  # where a first key is not looked for any more


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
            memory.told = await health(context)
            memory.at = context.seam.now()  # who waited for a slow answer is told it too
        return memory.told


async def health(context: Context) -> tuple[dict[str, Any], int]:
    """The answer and its HTTP status: 200 when Billy can work, 503 when it cannot. `age` is in seconds."""
    answer: dict[str, Any] = {"ready": True, "version": VERSION, "store": context.settings.store}
    if opened := weakened(context.settings):
        answer["weakened"] = [{"name": each.name, "opens": each.says} for each in opened]
    try:
        state = await sync_state(context)
        wrong = await _wrong_secrets(context)
    except Exception as failure:
        return answer | unready(failure), 503
    kinds, failing = state["kinds"], state["failing"]
    known: list[tuple[bool, int | None]] = [
        (kinds[kind]["complete"], kinds[kind]["as_of"]) if kind in kinds else (False, None) for kind in KINDS
    ]
    moments = [as_of for _, as_of in known if as_of is not None]
    since = min((each["since"] for each in failing if each["since"] is not None), default=None)
    oldest = min(moments) if len(moments) == len(KINDS) else None
    answer["mirror"] = {
        "complete": all(complete for complete, _ in known),
        "as_of": iso(oldest) if oldest is not None else None,
        "age": max(0, int(context.seam.now() - oldest)) if oldest is not None else None,
        "failing": sorted({each["part"] for each in failing}),
        "failing_since": iso(since) if since is not None else None,
    }
    answer["keys"] = {"older_than_audit": await _are_keys_older(context)}
    return (answer | {"ready": False, "wrong": _shown(wrong)}, 503) if wrong else (answer, 200)


async def _are_keys_older(context: Context) -> bool | None:
    """Whether the records are an older copy that had forgotten revocations or keys; None where that cannot be asked."""
    try:
        return await is_older(context)
    except Exception:
        return None


def unready(failure: Exception, wrong: Sequence[Told] = ()) -> dict[str, Any]:
    """The answer where Billy did not start, or has lost its stores: `wrong` are the settings that are to blame."""
    answer: dict[str, Any] = {"ready": False, "version": VERSION, "mirror": UNKNOWN, "keys": {"older_than_audit": None}}
    if wrong:
        answer["wrong"] = _shown(wrong)
    elif isinstance(failure, BillyError):
        said = {"detail": failure.detail, "next": failure.next, "retry_after": failure.retry_after, "reference": failure.reference}
        answer |= {name: value for name, value in said.items() if value is not None}
    return answer


def _shown(wrong: Sequence[Told]) -> list[dict[str, str]]:
    return [{"name": each.name, "takes": each.says} for each in wrong]


async def _wrong_secrets(context: Context) -> list[Told]:
    """The stored secrets that are not what is needed. Raises what lastingly keeps them from being read; an outage passes."""
    wrong: list[Told] = []
    for name, reader in SECRETS.items():
        if getattr(context.settings, SETTING_OF.get(name, ""), "") or (name == FIRST_KEY and await _has_keys(context)):
            continue
        try:
            stored = await context.secrets.get(name)
        except BillyError as failure:
            if failure.retry_after is None:
                raise
            continue
        try:
            if stored and stored.strip():
                read_secret(name, stored)
        except BillyError:
            wrong.append(Told(name, reader.takes))
    return wrong


async def _has_keys(context: Context) -> bool:
    if context.records not in _with_keys and await context.records.find(COLLECTION, limit=1):
        _with_keys.add(context.records)
    return context.records in _with_keys

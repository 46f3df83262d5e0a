"""The records of API keys: which work now, and whose they are. What the audit log says was taken away works no more, whatever they say."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from shared.actor import Actor
from shared.context import Context
from shared.credentials import cleared
from shared.errors import BillyError
from shared.instants import twins
from shared.people.last_use import note_use
from shared.people.taken import is_taken
from shared.stores.changes import change, insert_once
from shared.stores.protocols import Exists, Record

COLLECTION = "keys"
PREFIX = "billy_"
ID = r"^key_[0-9a-z]{26}$"
RESTORED = ("deployment", "restored")  # the record of a copy that was found to be older than the audit log

type Document = dict[str, Any]


async def make_key(
    context: Context,
    name: str,
    role: str,
    expires: int | None,
    maker: str,
    raw: str | None = None,
    *,
    id: str | None = None,
    lineage: str | None = None,
) -> Document:
    """Keeps a new key's digest and answers the key with its facts. `raw` is a key that somebody else drew by chance.

    `id` and `lineage` are given where the key's id follows from an attempt's, and where it takes another one's place.
    """
    raw = raw or PREFIX + context.seam.token(32)
    id = id or context.seam.id("key")
    document = {
        "key_id": id,
        "name": name,
        "role": role,
        "lineage": lineage or id,
        "created": int(context.seam.now()),
        "created_by": maker,
        "expires": expires,
        "revoked": None,
        "last_used": None,
    }
    try:
        await insert_once(context.records, COLLECTION, key_digest(raw), document)
    except Exists:  # 256 bits of chance came twice
        raise BillyError("internal", "The key could not be made.", next="Call again.") from None
    return shown(document) | {"key": raw}


class KeyState(StrEnum):
    """How a key that is known stands."""

    WORKS = "works"
    REVOKED = "revoked"
    EXPIRED = "expired"


async def find_key(context: Context, raw: str) -> Document | None:
    """The document of a key that works now, or None."""
    document, state = await look_up(context, raw)
    return document if state is KeyState.WORKS else None


async def look_up(context: Context, raw: str) -> tuple[Document | None, KeyState | None]:
    """The document of a key and how it stands, or two times None; notes its use. No record is cached, so a revocation holds at once."""
    record = await context.records.get(COLLECTION, key_digest(raw))
    if record is None:
        return None, None
    state = state_of(record.document, context.seam.now())
    if state is KeyState.WORKS:
        if await _is_revived(context, record):
            return record.document, KeyState.REVOKED
        await note_use(context, COLLECTION, record)
    return record.document, state


async def _is_revived(context: Context, record: Record) -> bool:
    """Whether only an older copy of the records says that the key works. That is mended, and noted for the alarm."""
    if not await is_taken(context, str(record.document["key_id"])):
        return False
    now = int(context.seam.now())
    try:
        await change(
            context.records, COLLECTION, record.id, lambda document: document | {"revoked": document["revoked"] or now}, known=record
        )
        await change(context.records, *RESTORED, _found_one_more(now))
    except Exception:  # it is turned away all the same
        return True
    return True


def _found_one_more(now: int) -> Callable[[Document], Document]:
    return lambda document: document | {"found": now, "mended": False, "revived": document.get("revived", 0) + 1}


def state_of(document: Document, now: float) -> KeyState:
    """How a key stands by its record."""
    if document["revoked"] is not None:
        return KeyState.REVOKED
    return KeyState.WORKS if document["expires"] is None or document["expires"] > int(now) else KeyState.EXPIRED


def works(document: Document, now: float) -> bool:
    """Whether a key may be used now."""
    return state_of(document, now) is KeyState.WORKS


def lineage_of(document: Document) -> str:
    """The identity that a key shares with those it came from; keys of version 0.1.0 are their own."""
    return document.get("lineage") or document["key_id"]


async def role_now(context: Context, actor: Actor) -> str | None:
    """What an actor may do now, or None where the key does not work any more. Billy itself always works."""
    if actor.kind == "system":
        return actor.role
    record = await context.records.get(COLLECTION, actor.record) if actor.record else await find_record(context, actor.id)
    if record is None or not works(record.document, context.seam.now()) or await is_taken(context, actor.id):
        return None
    return str(record.document["role"])


async def find_record(context: Context, id: str) -> Record | None:
    """The record of a key by its id (`key_…`); one that works, where a lost answer has left two."""
    found = await records_of(context, id)
    return next((each for each in found if each.document["revoked"] is None), found[0] if found else None)


async def records_of(context: Context, id: str) -> list[Record]:
    """Each holds the digest of a key with that id: an insert whose answer was lost, and the one after it. Only one key was ever shown."""
    return await context.records.find(COLLECTION, {"key_id": id}, limit=10)


async def every_key(context: Context) -> list[Record]:
    records: list[Record] = []
    while True:
        page = await context.records.find(COLLECTION, limit=100, after=records[-1].id if records else None)
        records += page
        if len(page) < 100:
            return records


def key_digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


def shown(document: Document) -> Document:
    """A key as people see it: never the key, nor what it is recognised by."""
    return {
        "id": document["key_id"],
        "name": cleared(document["name"]),
        "role": document["role"],
        "lineage": lineage_of(document),
        "created_by": document["created_by"],
        **twins({name: document[name] for name in ("created", "expires", "revoked", "last_used")}),
    }

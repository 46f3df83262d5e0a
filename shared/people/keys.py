"""The records of API keys: which work now, whose they are, and that one way in always stays."""

import hashlib
from math import inf
from typing import Any

from shared.actor import Actor
from shared.context import Context
from shared.credentials import cleared
from shared.errors import BillyError
from shared.instants import twins
from shared.stores.changes import change, insert_once, replace_once
from shared.stores.protocols import Changed, Exists, Record

COLLECTION = "keys"
PREFIX = "billy_"
ID = r"^key_[0-9a-z]{26}$"
LAST_USE_PRECISION = 60  # seconds: a busy key is not written at every call
LASTING = 86_400  # seconds for which an owner's key must work to count as a way in
UNDER_WAY = 180  # seconds for which a revocation that began may not have been written yet
WAYS_IN = ("deployment", "ways_in")  # the record through which owners' keys are taken away one after the other

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


async def find_key(context: Context, raw: str) -> Document | None:
    """The document of a key that works now, or None; notes its use. Nothing is cached, so a revocation holds at once."""
    record = await context.records.get(COLLECTION, key_digest(raw))
    now = context.seam.now()
    if record is None or not works(record.document, now):
        return None
    if now - int(record.document["last_used"] or 0) < LAST_USE_PRECISION:
        return record.document

    def used(document: Document) -> Document | None:
        return document | {"last_used": int(now)} if works(document, now) else None

    try:
        noted = await change(context.records, COLLECTION, record.id, used, known=record)
    except Exception:  # that a use cannot be noted turns nobody away
        return record.document
    return noted.document if noted else None  # somebody revoked it meanwhile


def works(document: Document, now: float) -> bool:
    """Whether a key may be used now."""
    return document["revoked"] is None and (document["expires"] is None or document["expires"] > int(now))


def lineage_of(document: Document) -> str:
    """The identity that a key shares with those it came from; keys of version 0.1.0 are their own."""
    return document.get("lineage") or document["key_id"]


async def role_now(context: Context, actor: Actor) -> str | None:
    """What an actor may do now, or None where the key does not work any more. Billy itself always works."""
    if actor.kind == "system":
        return actor.role
    record = await context.records.get(COLLECTION, actor.record) if actor.record else await find_record(context, actor.id)
    return str(record.document["role"]) if record and works(record.document, context.seam.now()) else None


async def find_record(context: Context, id: str) -> Record | None:
    """The record of a key by its id (`key_…`); one that works, where a lost answer has left two."""
    found = await _records_of(context, id)
    return next((each for each in found if each.document["revoked"] is None), found[0] if found else None)


async def _records_of(context: Context, id: str) -> list[Record]:
    """Each holds the digest of a key with that id: an insert whose answer was lost, and the one after it. Only one key was ever shown."""
    return await context.records.find(COLLECTION, {"key_id": id}, limit=10)


async def every_key(context: Context) -> list[Record]:
    records: list[Record] = []
    while True:
        page = await context.records.find(COLLECTION, limit=100, after=records[-1].id if records else None)
        records += page
        if len(page) < 100:
            return records


async def revoke(context: Context, record: Record) -> Document | None:
    """The key's document once it is revoked, or None where it would be the last way in.

    Owners' keys are taken away through one record, so that two who revoke each other at once come one after the other.
    """
    id = str(record.document["key_id"])
    if record.document["role"] == "owner" and not await _another_way_in(context, id):
        return None
    now = int(context.seam.now())

    def revoked(document: Document) -> Document | None:
        return None if document["revoked"] is not None else document | {"revoked": now}

    for each in await _records_of(context, id):
        await change(context.records, COLLECTION, each.id, revoked, known=each)
    there = await context.records.get(COLLECTION, record.id)
    return there.document if there else record.document


async def is_last_way_in(context: Context, record: Record) -> bool:
    """Whether no owner's key would work once this one is gone."""
    if record.document["role"] != "owner":
        return False
    notes = await context.records.get(*WAYS_IN)
    return not _others(context, await every_key(context), notes, str(record.document["key_id"]))


async def _another_way_in(context: Context, leaving: str) -> bool:
    """Notes that a key leaves, unless no other owner's key would work then."""
    collection, id = WAYS_IN
    while True:
        notes = await context.records.get(collection, id)
        keys = await every_key(context)  # read after the notes, so that whoever they name no more does not work any more either
        if not _others(context, keys, notes, leaving):
            return False
        wanted = {"leaving": _leaving(context, notes) | {leaving: context.seam.now()}}
        try:
            if notes is None:
                await insert_once(context.records, collection, id, wanted)
            else:
                await replace_once(context.records, collection, notes, wanted)
        except (Changed, Exists):
            continue
        return True


def _others(context: Context, keys: list[Record], notes: Record | None, leaving: str) -> set[str]:
    """Owners' keys that are ways in once one leaves, and that nobody else takes away at this moment."""
    now, gone = context.seam.now(), _leaving(context, notes)
    owners = {
        str(each.document["key_id"]): each.document for each in keys if each.document["role"] == "owner" and works(each.document, now)
    }
    until = _until(owners[leaving]) if leaving in owners else 0.0
    lasting = min(until, now + LASTING)  # a key that ends within the day is no way in, unless the leaving one ends sooner
    return {id for id, each in owners.items() if id != leaving and id not in gone and _until(each) >= lasting}


def _leaving(context: Context, notes: Record | None) -> dict[str, float]:
    """Keys that somebody began to take away a moment ago. What is older has been done, or failed and left the key as it was."""
    noted: dict[str, float] = notes.document.get("leaving", {}) if notes else {}
    return {id: at for id, at in noted.items() if context.seam.now() - at < UNDER_WAY}


def _until(document: Document) -> float:
    return inf if document["expires"] is None else float(document["expires"])


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

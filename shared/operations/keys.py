"""API keys: a role, an expiry, shown once, revoked at once."""

import hashlib
from typing import Any, Literal

from pydantic import Field

from shared.context import Context
from shared.errors import BillyError
from shared.operations.lists import Moment, moment
from shared.operations.operation import Call, Input, Output, Settled, WriteInput, operation
from shared.operations.refunds import Written
from shared.operations.untrusted import clean
from shared.operations.views import iso
from shared.stores.protocols import Changed, Exists, Record

COLLECTION = "keys"
PREFIX = "billy_"
LAST_USE_PRECISION = 60  # seconds: a busy key is not written at every call

Role = Literal["owner", "billing_manager", "billing_clerk", "read_only"]


class CreateKeyInput(WriteInput):
    name: str = Field(min_length=1, max_length=80, description="What people call the key, such as the agent that uses it.")
    role: Role = Field(description="What the key may do.")
    expires_at: Moment | None = Field(
        None, description="When it stops working: a date such as 2026-12-31 or a date-time. Without it the key does not expire."
    )


class ListKeysInput(Input):
    """All keys, also revoked and expired ones."""


class RevokeKeyInput(WriteInput):
    id: str = Field(pattern=r"^key_[0-9a-z]{26}$", description="The key's id, which begins with key_; not the key itself.")


class Keys(Output):
    """Every key that was made, newest first; never the keys themselves."""

    data: list[dict[str, Any]]


async def settle_key(call: Call) -> Settled:
    """The key that would be made. Raises `invalid_request` for a name that cannot be read and an expiry in the past."""
    asked: CreateKeyInput = call.input
    name = clean(asked.name, 80)
    if not name:
        raise BillyError("invalid_request", "The name holds nothing that can be read.", next="Give the key a name that people recognise.")
    expires = moment(asked.expires_at, end=True) if asked.expires_at else None
    if expires is not None and expires <= call.context.seam.now():
        raise BillyError("invalid_request", "The expiry lies in the past.", next="Give a later expires_at.")
    return Settled({"name": name, "role": asked.role, "expires": expires}, f"Make an API key with the role {asked.role}.")


@operation(
    "POST /api/keys",
    permission="manage_keys",
    tags=("keys",),
    input=CreateKeyInput,
    output=Written,
    writes=True,
    agents=False,
    shown_once=("key",),
    idempotent=False,
    settle=settle_key,
)
async def create_key(call: Call) -> dict[str, Any]:
    """Make an API key with a role. The key itself is in this answer and nowhere else: only its SHA-256 is kept."""
    assert call.settled is not None
    settled = call.settled.arguments
    return await make_key(call.context, settled["name"], settled["role"], settled["expires"], call.actor.id)


async def make_key(context: Context, name: str, role: str, expires: int | None, maker: str, raw: str | None = None) -> dict[str, Any]:
    """Keeps a new key's digest and answers the key with its facts. `raw` is a key that somebody else drew by chance."""
    raw = raw or PREFIX + context.seam.token(32)
    now = int(context.seam.now())
    document = {
        "key_id": context.seam.id("key"),
        "name": name,
        "role": role,
        "created": now,
        "created_by": maker,
        "expires": expires,
        "revoked": None,
        "last_used": None,
    }
    try:
        await context.records.insert(COLLECTION, key_digest(raw), document)
    except Exists:  # 256 bits of chance came twice
        raise BillyError("internal", "The key could not be made.", next="Call again.") from None
    return _shown(document) | {"key": raw}


@operation("GET /api/keys", permission="manage_keys", tags=("keys",), input=ListKeysInput, output=Keys, agents=False)
async def list_keys(call: Call) -> dict[str, Any]:
    """List API keys with role, maker, expiry, last use and revocation. The keys themselves are not kept."""
    records = await _all(call.context)
    shown = [_shown(record.document) for record in records]
    return {"data": sorted(shown, key=lambda each: str(each["id"]), reverse=True)}


async def settle_revocation(call: Call) -> Settled:
    """The key that would be revoked. Raises `not_found`, and `conflict` for the caller's own key, so that nobody locks everybody out."""
    if call.input.id == call.actor.id:
        raise BillyError(
            "conflict", "A key cannot revoke itself.", next="Make another key with the role owner, and revoke this one with it."
        )
    found = await _by_id(call.context, call.input.id)
    return Settled({"id": call.input.id}, f"Revoke the API key {found.document['key_id']}.")


@operation(
    "DELETE /api/keys/{id}",
    permission="manage_keys",
    tags=("keys",),
    input=RevokeKeyInput,
    output=Written,
    writes=True,
    destructive=True,
    agents=False,
    settle=settle_revocation,
)
async def revoke_key(call: Call) -> dict[str, Any]:
    """Revoke an API key by its id (key_…). It stops working with this answer. Revoking it twice changes nothing."""
    assert call.settled is not None
    while True:
        record = await _by_id(call.context, call.settled.arguments["id"])
        if record.document["revoked"] is not None:
            return _shown(record.document)
        try:
            document = record.document | {"revoked": int(call.context.seam.now())}
            await call.context.records.replace(COLLECTION, record, document)
            return _shown(document)
        except Changed:
            continue


async def _by_id(context: Context, id: str) -> Record:
    found = await context.records.find(COLLECTION, {"key_id": id}, limit=1)
    if not found:
        raise BillyError("not_found", "There is no key with this id.", next="List the keys.")
    return found[0]


async def find_key(context: Context, raw: str) -> dict[str, Any] | None:
    """The document of a key that works now, or None; notes its use. Nothing is cached, so a revocation holds at once."""
    record = await context.records.get(COLLECTION, key_digest(raw))
    if record is None or record.document["revoked"] is not None:
        return None
    now = int(context.seam.now())
    if record.document["expires"] is not None and record.document["expires"] <= now:
        return None
    if now - int(record.document["last_used"] or 0) >= LAST_USE_PRECISION:
        try:
            await context.records.replace(COLLECTION, record, record.document | {"last_used": now})
        except Changed:
            return await find_key(context, raw)  # somebody else noted a use, or revoked it
    return record.document


def key_digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


async def _all(context: Context) -> list[Record]:
    records: list[Record] = []
    while True:
        page = await context.records.find(COLLECTION, limit=100, after=records[-1].id if records else None)
        records += page
        if len(page) < 100:
            return records


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    times = {name: document[name] for name in ("created", "expires", "revoked", "last_used")}
    return {
        "id": document["key_id"],
        "name": document["name"],
        "role": document["role"],
        "created_by": document["created_by"],
        **times,
        **{f"{name}_iso": iso(value) if value else None for name, value in times.items()},
    }

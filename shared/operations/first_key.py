"""The first owner's key of a new deployment: drawn by the person who deploys, handed over through the secrets, taken once."""

import re
from typing import Any

from shared.actor import system
from shared.context import Context
from shared.errors import BillyError
from shared.instants import twins
from shared.operations.told import tell
from shared.people.keys import COLLECTION, PREFIX, make_key
from shared.people.taken import newest
from shared.road.calls import Call
from shared.road.trail import Decided, Row, append

SECRET = "first-owner-key"  # noqa: S105 - the secret's name
OPERATION = "create_key"
_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43,}")  # 256 bits at least


async def adopt_first_key(context: Context) -> bool:
    """Whether a key was made. Nothing happens once there is any key, also a revoked one, or was one by the audit log: this is no way back in.

    Raises `invalid_request` for a secret that is too short to be a key.
    """
    if await context.records.find(COLLECTION, limit=1):
        return False
    raw = await context.secrets.get(SECRET)
    if raw is None or await _was_there(context):
        return False
    if not _KEY.fullmatch(raw.strip()):
        raise BillyError("invalid_request", "The first owner's key is no key.", next="Draw one as docs/deploy.md says.")
    await make_owners_key(context, "First owner", raw.strip())
    return True


async def make_owners_key(context: Context, name: str, raw: str | None = None) -> dict[str, Any]:
    """An owner's key that no owner made, with its rows: the facts of it, and the key. `raw` is one that somebody else drew."""
    call, id = Call(context, system("setup"), None), context.seam.id("key")
    about = {"role": "owner", **twins({"expires": None})}
    await append(context, Row.of(call, OPERATION, Decided.ALLOWED, object=id, about=about))
    made = await make_key(context, name, "owner", None, "system", raw, id=id)
    await tell(call, OPERATION, Decided.GIVEN, made["id"], made)
    return made


async def _was_there(context: Context) -> bool:
    """Whether the audit log knows a key. Version 0.1.0 told only that one was allowed to be made, without its id."""
    if await newest(context) is not None:
        return True
    allowed = await context.audit.list(limit=20, where={"operation": OPERATION, "decision": Decided.ALLOWED.value})
    return any("object" not in row for row in allowed)

"""The first owner's key of a new deployment: drawn by the person who deploys, handed over through the secrets, taken once."""

from typing import Any

from shared.actor import system
from shared.context import Context
from shared.entered import read_secret
from shared.instants import twins
from shared.operations.told import tell
from shared.people.keys import COLLECTION, make_key
from shared.people.taken import newest
from shared.road.calls import Call
from shared.road.trail import Decided, Row, append

SECRET = "first-owner-key"  # noqa: S105 - the secret's name
OPERATION = "create_key"


async def adopt_first_key(context: Context) -> bool:
    """Whether a key was made. Nothing happens once there is any key, also a revoked one, or was one by the audit log: this is no way back in.

    Raises `unavailable` for a secret that is no key, by the rule by which a key is let in.
    """
    if await context.records.find(COLLECTION, limit=1):
        return False
    stored = await context.secrets.get(SECRET)
    if stored is None or await _was_there(context):
        return False
    await make_owners_key(context, "First owner", str(read_secret(SECRET, stored)))
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

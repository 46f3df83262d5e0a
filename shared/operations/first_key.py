"""The first owner's key of a new deployment: drawn by the person who deploys, handed over through the secrets, taken once."""

import re

from shared.actor import system
from shared.context import Context
from shared.errors import BillyError
from shared.people.keys import COLLECTION, PREFIX, make_key
from shared.road.calls import Call
from shared.road.trail import Decided, Row, append

SECRET = "first-owner-key"  # noqa: S105 - the secret's name
_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43,}")  # 256 bits at least


async def adopt_first_key(context: Context) -> bool:
    """Whether a key was made. Nothing happens once there is any key, also a revoked one: this is no way back in.

    Raises `invalid_request` for a secret that is too short to be a key.
    """
    if await context.records.find(COLLECTION, limit=1):
        return False
    raw = await context.secrets.get(SECRET)
    if raw is None:
        return False
    if not _KEY.fullmatch(raw.strip()):
        raise BillyError("invalid_request", "The first owner's key is no key.", next="Draw one as docs/deploy.md says.")
    await append(context, Row.of(Call(context, system("setup"), None), "create_key", Decided.ALLOWED))
    await make_key(context, "First owner", "owner", None, "system", raw.strip())
    return True

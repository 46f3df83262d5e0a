"""Who is calling: the bearer key becomes an actor. A key in any other place is no key."""

import re

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError
from shared.people.keys import find_key, key_digest, lineage_of

BEARER = re.compile(r"(?i:bearer) +(billy_[A-Za-z0-9_-]{43})")  # a scheme is written in any case, a key in its own


async def authenticate(context: Context, authorization: str | None, origin: Origin) -> Actor:
    """The actor of an `Authorization: Bearer billy_…` header. Raises `unauthenticated`, the same for every cause."""
    match = BEARER.fullmatch(authorization or "")
    found = await find_key(context, match.group(1)) if match else None
    if found is None:
        raise BillyError(
            "unauthenticated",
            "This call carries no key that works.",
            next="Send the header Authorization: Bearer billy_… with a key that is neither expired nor revoked.",
        )
    raw = key_digest(match.group(1)) if match else None
    return Actor(found["key_id"], found["name"], found["role"], "key", origin, lineage_of(found), raw)

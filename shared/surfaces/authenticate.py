"""Who is calling: the bearer key becomes an actor. A key in any other place is no key."""

import re

from shared.actor import Actor, Origin
from shared.context import Context
from shared.entered import OWN_KEY
from shared.errors import BillyError
from shared.people.keys import KeyState, key_digest, lineage_of, look_up

BEARER = re.compile(rf"(?i:bearer) +({OWN_KEY.pattern})", re.ASCII)  # a scheme is written in any case, a key in its own


async def authenticate(context: Context, authorization: str | None, origin: Origin) -> Actor:
    """The actor of an `Authorization: Bearer billy_…` header. Raises `unauthenticated`, the same for every cause.

    The error names a key that is known and does not work, for the audit row alone.
    """
    match = BEARER.fullmatch(authorization or "")
    raw = match.group(1) if match else None
    document, state = await look_up(context, raw) if raw else (None, None)
    actor = None
    if document is not None and raw is not None:
        actor = Actor(document["key_id"], document["name"], document["role"], "key", origin, lineage_of(document), key_digest(raw))
    if actor is None or state is not KeyState.WORKS:
        raise BillyError(
            "unauthenticated",
            "This call carries no key that works.",
            next="Send the header Authorization: Bearer billy_… with a key that is neither expired nor revoked.",
            caller=actor,
            key_state=state,
        )
    return actor

"""The rows by which the audit log itself knows which rights were given and taken away."""

from contextlib import suppress
from typing import Any

from shared.actor import system
from shared.context import Context
from shared.instants import twins
from shared.people.keys import every_key
from shared.people.taken import RIGHT, is_taken
from shared.road.calls import Act, Call
from shared.road.trail import Decided, Row, append
from shared.stores.protocols import Exists

DONE = ("deployment", "told")  # the record that says that it was done


async def tell(call: Call | Act, operation: str, decision: Decided, key: str, document: dict[str, Any]) -> None:
    """Appends the row of a key that was given (`GIVEN`) or is taken away (`TAKEN`). Raises `unavailable`."""
    about = {name: document[name] for name in ("role", "created_by") if document.get(name)} | twins({"expires": document.get("expires")})
    attempt = call.attempt if isinstance(call, Act) else None
    taken = key if decision is Decided.TAKEN else None
    await append(call.context, Row.of(call, operation, decision, object=key, about=about, right=RIGHT, taken=taken, attempt=attempt))


async def tell_earlier(context: Context) -> None:
    """The revocations that version 0.1.0 told the records alone, told to the audit log once, so that no older copy forgets them."""
    if await context.records.get(*DONE) is not None:
        return
    call = Call(context, system("timer"), None)
    for record in await every_key(context):
        id = str(record.document["key_id"])
        if record.document["revoked"] is not None and not await is_taken(context, id):
            await tell(call, "revoke_key", Decided.TAKEN, id, record.document)
    with suppress(Exists):
        await context.records.insert(*DONE, {"at": int(context.seam.now())})

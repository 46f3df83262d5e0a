"""API keys as people see them: role, maker, expiry, last use; never the key."""

from typing import Any

from shared.people.keys import every_key, shown
from shared.road.calls import Call
from shared.road.operation import Filtered, Input, read


class ListKeysInput(Input):
    """All keys, also revoked and expired ones."""


class Keys(Filtered):
    """Every key that was made, newest first; never the keys themselves."""

    data: list[dict[str, Any]]


@read("GET /api/keys", permission="manage_keys", tags=("keys",), input=ListKeysInput, output=Keys, agents=False)
async def list_keys(call: Call) -> dict[str, Any]:
    """List API keys with role, maker, expiry, last use and revocation. The keys themselves are not kept."""
    keys = [shown(record.document) for record in await every_key(call.context)]
    return {"data": sorted(keys, key=lambda each: str(each["id"]), reverse=True)}

"""The record of what a deployment is of: the account and the mode of Stripe's that its first key had."""

from typing import Any

from shared.stores import changes
from shared.stores.protocols import Records

COLLECTION = "deployment"
PINNED = "mode"


async def pinned_to(records: Records) -> dict[str, Any]:
    """`account` that a deployment works with, `moving_to` where a move is announced; empty before the first key is used."""
    record = await records.get(COLLECTION, PINNED)
    return record.document if record else {}


async def announce(records: Records, account: str, now: float) -> None:
    """From now on a key of that account is taken: with its first use, what was kept of the other account leaves the mirror."""

    def turn(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"moving_to": None if account == document.get("account") else account, "moved_at": int(now)}

    await changes.change(records, COLLECTION, PINNED, turn)

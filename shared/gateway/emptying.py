"""What a mirror holds of an account that was left makes place, before anything is read of the new one."""

from shared.gateway.kinds import KINDS, tombstone
from shared.gateway.work import Work
from shared.stores import changes
from shared.stores.deployment import COLLECTION, PINNED, pinned_to
from shared.stores.protocols import NEAR

TOGETHER = 500  # objects in one step


async def emptied(work: Work) -> bool:
    """Whether nothing is left of the other account when time is up. No object is asked for: none of them is of this account."""
    records, mirror = work.context.records, work.context.mirror
    pinned = await pinned_to(records)
    if pinned.get("emptied", True):
        return True
    # Not the moment of the announcement: until the key changed, all went on with the old one. Fixed once, whatever slice goes on.
    now = int(work.context.seam.now()) + NEAR
    await changes.change(
        records, COLLECTION, PINNED, lambda document: document | {"emptying_at": now} if document.get("emptying_at") is None else None
    )
    moved = int((await pinned_to(records))["emptying_at"])
    for kind in KINDS:
        after: int | None = None
        while True:
            if work.time_is_up():
                return False
            page = await mirror.unseen(kind, moved, TOGETHER, after)
            await mirror.apply([tombstone(kind, id, moved + NEAR + 1) for id in page.ids])
            after = page.position
            if after is None:
                break
    await changes.change(records, COLLECTION, PINNED, lambda document: document | {"emptied": True})
    return True

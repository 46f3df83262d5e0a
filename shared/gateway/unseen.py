"""What Stripe's lists did not name any more is read from Stripe one by one: so a deletion is found of which no event is left.

An object that a run read is known true at that moment. So whatever the mirror still holds with an older stamp when all
lists are read was not in them. The walk over a kind goes page by page of the mirror; what was settled has a new stamp
or a tombstone, so a walk that was cut off repeats none of it.
"""

from collections.abc import Sequence
from itertools import batched, count

from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.apply import gone, settle
from shared.gateway.kinds import Kind, is_id
from shared.gateway.progress import Document, kind_id
from shared.gateway.single import leave, settled
from shared.gateway.work import Work
from shared.stores.protocols import Query

WALKED = 1_000  # objects of the mirror looked at in one step
NOTED = 20  # steps after which it is noted how far the walk is
AT_ONCE = 5
MARGIN = 60  # seconds before a run's beginning within which the events of the feed tell a deletion


async def begun(work: Work, facts: Kind) -> Document | None:
    """How far the walk is before a run reads the first page: nowhere; None where there will be nothing to walk over."""
    if not facts.deletable or (await work.context.mirror.list(Query(facts.name, limit=1))).total == 0:
        return None
    return {"after": None, "reread": 0, "removed": 0}


async def reread(work: Work, facts: Kind) -> bool:
    """Whether all that the run did not see was asked for when time is up. What Stripe does not tell of one is left for later."""
    document = await progress.document(work.context, kind_id(facts.name))
    before, walk = document["started"] - MARGIN, dict(document["unseen"])
    if walk.get("over"):
        return True
    for step in count(1):
        page = await work.context.mirror.unseen(facts.name, before, WALKED, walk["after"])
        for some in batched(page.ids, AT_ONCE, strict=False):
            if work.time_is_up():
                await _note(work, facts, walk)
                return False
            walk["removed"] += await _removed(work, facts, some)
            walk["reread"] += len(some)
        walk["after"] = page.position
        if page.position is None:
            await _note(work, facts, walk | {"over": True})
            return True
        if work.time_is_up():
            await _note(work, facts, walk)
            return False
        if step % NOTED == 0:
            await _note(work, facts, walk)
    raise AssertionError("a walk has an end")


async def _note(work: Work, facts: Kind, walk: Document) -> None:
    now = int(work.context.seam.now())
    await work.lease.change(facts.name, lambda document: document | {"unseen": walk, "moved_at": now})


async def _removed(work: Work, facts: Kind, ids: Sequence[str]) -> int:
    """How many of them are deleted. Those of which Stripe tells nothing are left."""
    gone: set[str] = set()

    async def settle(id: str) -> None:
        if await _is_gone(work, facts, id):
            gone.add(id)

    if failed := await settled(work, facts, ids, settle):
        await work.lease.change(facts.name, lambda document: document | {"left": leave(document, failed)})
    return len(gone)


async def _is_gone(work: Work, facts: Kind, id: str) -> bool:
    """Writes what Stripe says of the object now, and tells whether it is deleted."""
    mirror = work.context.mirror
    stored = await mirror.get(facts.name, id)
    if stored is None or stored.deleted or not is_id(id, facts.name):
        return False
    try:
        await settle(work.context, work.stripe, facts.name, id, gone(facts.name, id, stored.stamp))
    except BillyError as error:
        if error.code != "invalid_request":  # one object that Stripe does not want to show holds up no other
            raise
    stored = await mirror.get(facts.name, id)
    return stored is not None and stored.deleted

"""Everything that Stripe holds, page by page into the mirror: resumable after every page, within Stripe's limits."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import feed, progress, runs, unseen
from shared.gateway.apply import settle_write, tell
from shared.gateway.client import ListPage, gateway, writes_from_page
from shared.gateway.failures import is_permission
from shared.gateway.kinds import KINDS, Kind
from shared.gateway.pace import Pace, Work
from shared.gateway.progress import Document, kind_id
from shared.stores.protocols import Applied, Write

PAGE = 100  # Stripe's largest page
AHEAD = 5  # pages read while others are written; they are written together
SPARE_CURSORS = 5  # ids of the last page that serve as cursor should the last one have been deleted


class _End:
    """No more pages in this slice."""


END = _End()
type _Read = ListPage | BillyError | _End


class Slice(StrEnum):
    """How a slice of the work ended."""

    MORE = "more"  # time is up; go on
    DONE = "done"
    STALLED = "stalled"  # the error is kept in the run; the next start or the timer goes on
    IDLE = "idle"  # nothing to do, or somebody else is at it


async def run_slice(context: Context, seconds: float) -> Slice:
    """Works on the active run for about so many seconds. What is done is kept page by page, so that a kill costs a page."""
    lease = await runs.Lease.take(context)
    if lease is None:
        return Slice.IDLE
    try:
        async with lease.held():
            finished = await _backfill(context, lease, seconds)
    except BillyError as error:
        return await _released(lease, Slice.STALLED, "stalled", last_error=runs.told(error))
    except runs.Lost:
        return Slice.IDLE
    if not finished:
        return await _released(lease, Slice.MORE, "running")
    return await _released(lease, Slice.DONE, "done", finished_at=context.seam.now(), last_error=await _first_error(context))


async def _released(lease: runs.Lease, outcome: Slice, state: str, **facts: object) -> Slice:
    try:
        await lease.release(state, **facts)
    except runs.Lost:
        return Slice.IDLE
    return outcome


async def _backfill(context: Context, lease: runs.Lease, seconds: float) -> bool:
    """Whether the run is finished."""
    stripe = await gateway(context)
    pace = Pace(context, context.settings.sync_requests_per_second)
    await feed.open_feed(context, stripe)
    finished = await _all_kinds(Work(context, stripe, lease, pace, context.seam.now() + seconds))
    if finished:
        await feed.catch_up(context)
    return finished


async def _all_kinds(work: Work) -> bool:
    """Whether all kinds are done. As many at once as the settings allow; the first that fails ends the slice."""
    waiting = [facts for facts in KINDS.values() if not (await _begun(work, facts)).get("done")]
    gate = asyncio.Semaphore(max(1, work.context.settings.sync_concurrency))

    async def one(facts: Kind) -> bool:
        async with gate:
            return not work.time_is_up() and await _kind(work, facts)

    failed: list[BaseException] = []
    tasks: list[asyncio.Task[bool]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(facts)) for facts in waiting]
    except* (BillyError, runs.Lost) as several:
        failed.extend(several.exceptions)
    if failed:
        raise failed[0]
    return all(task.result() for task in tasks)


async def _begun(work: Work, facts: Kind) -> Document:
    """The kind's document with this run's progress in it. What an earlier run completed stays complete meanwhile."""
    document = await progress.document(work.context, kind_id(facts.name))
    if document.get("run") == work.lease.run:
        return document
    fresh: Document = {"objects": 0, "pages": 0, "cursors": [], "started": None, "listed": False, "done": False, "error": None}
    fresh |= {"unseen": await unseen.begun(work, facts)}

    def turn(document: Document) -> Document | None:
        return None if document.get("run") == work.lease.run else work.lease.signed({"complete": False, "as_of": None} | document | fresh)

    await progress.change(work.context, kind_id(facts.name), turn)
    return await progress.document(work.context, kind_id(facts.name))


async def _kind(work: Work, facts: Kind) -> bool:
    """Whether the kind is done when time is up. What the key may not read is left out."""
    try:
        document = await work.lease.begin(facts.name)
        if not document.get("listed"):
            document = await _list(work, facts, document)
        return document["done"] or (bool(document.get("listed")) and await unseen.reread(work, facts))
    except BillyError as error:
        if not is_permission(error):
            raise
        await _skip(work, facts, error)
        return True


async def _list(work: Work, facts: Kind, document: Document) -> Document:
    """Reads the list as far as there is time. One task reads ahead while this one writes."""
    ready: asyncio.Queue[_Read] = asyncio.Queue(AHEAD)
    reading = asyncio.create_task(_read(work, facts, list(document["cursors"]), ready))
    end: _Read = END
    try:
        while True:
            each = await ready.get()
            pages: list[ListPage] = []
            while isinstance(each, ListPage):
                pages.append(each)
                if ready.empty():
                    break
                each = ready.get_nowait()
            if pages:
                await _write(work, facts, pages)
            if not isinstance(each, ListPage):
                end = each
                break
    finally:
        reading.cancel()
    if isinstance(end, BillyError):
        raise end
    return await progress.document(work.context, kind_id(facts.name))


async def _read(work: Work, facts: Kind, cursors: Sequence[str], ready: "asyncio.Queue[_Read]") -> None:
    """Puts page after page, and in the end `END` or the error that ended it."""
    spare = list(cursors)
    try:
        while not work.time_is_up():
            params: dict[str, str | int] = {"limit": PAGE}
            if spare:
                params["starting_after"] = spare[0]
            try:
                page = await work.pace.patiently(lambda params=params: work.stripe.list_page(facts.name, params))
            except BillyError as error:
                if spare and error.code == "not_found":  # the cursor was deleted: the object before it, or from the top
                    spare.pop(0)
                    continue
                raise
            if page.has_more and not page.values:
                raise BillyError("stripe_error", "Stripe's list broke off.", next="Start the synchronisation again.")
            await ready.put(page)
            if not page.has_more:
                break
            spare = _cursors(page)
    except BillyError as error:
        await ready.put(error)
    else:
        await ready.put(END)


async def _write(work: Work, facts: Kind, pages: Sequence[ListPage]) -> None:
    writes: list[Write] = []
    for page in pages:
        writes += writes_from_page(facts, page)
    for write, applied in zip(writes, await work.context.mirror.apply(writes), strict=True):
        if applied in (Applied.TIE, Applied.CONFLICT, Applied.GONE):  # Stripe listed it, so a tombstone is in doubt
            await settle_write(work.context, work.stripe, write)
    await tell(work.context, facts.name, [value for page in pages for value in page.values])
    last = pages[-1]

    def turn(document: Document) -> Document:
        started = document["started"] if document["started"] is not None else pages[0].stamp
        now = {
            "objects": document["objects"] + len(writes),
            "pages": document["pages"] + len(pages),
            "cursors": _cursors(last),
            "started": started,
        }
        if not last.has_more:  # everything made until the first page was read is here; what came later comes as events
            now |= {"listed": True, "complete": True, "as_of": max(started, document["as_of"] or 0)}
            now |= {"done": document.get("unseen") is None}
        return document | now

    await work.lease.change(facts.name, turn)


async def _skip(work: Work, facts: Kind, error: BillyError) -> None:
    left_out: Document = {"done": True, "complete": False, "error": runs.told(error) | {"permission": facts.permission}}
    await work.lease.change(facts.name, lambda document: document | left_out)


async def _first_error(context: Context) -> Document | None:
    for name in KINDS:
        error = (await progress.document(context, kind_id(name))).get("error")
        if error:
            return error
    return None


def _cursors(page: ListPage) -> list[str]:
    """The last ids of a page, the last one first."""
    return [str(value["id"]) for value in page.values[: -SPARE_CURSORS - 1 : -1]]

"""Everything that Stripe holds, kind by kind into the mirror: resumable after every page, and no kind waits for another that fails."""

import asyncio
from enum import StrEnum

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import feed, progress, runs, single, unseen
from shared.gateway.client import gateway
from shared.gateway.emptying import emptied
from shared.gateway.failures import is_permission
from shared.gateway.kinds import KINDS, Kind
from shared.gateway.listing import read_list
from shared.gateway.paging import LARGEST, smaller_than
from shared.gateway.progress import Document, kind_id, told
from shared.gateway.work import Work
from shared.telemetry.invocation import crashed


class Slice(StrEnum):
    """How a slice of the work ended."""

    MORE = "more"  # time is up; go on
    DONE = "done"
    STALLED = "stalled"  # all else is done; what failed goes on by itself after a pause, or with the next start
    IDLE = "idle"  # nothing to do, or somebody else is at it


class _End(StrEnum):
    """How a kind's part of a slice ended."""

    MORE = "more"
    DONE = "done"
    FAILED = "failed"  # its error is in its document


async def run_slice(context: Context, seconds: float) -> Slice:
    """Works on the active run for about so many seconds. What is done is kept page by page, so that a kill costs a page."""
    lease = await runs.Lease.take(context)
    if lease is None:
        return Slice.IDLE
    try:
        async with lease.held():
            ends = await _backfill(context, lease, seconds)
    except runs.Lost:
        return Slice.IDLE
    except BillyError as error:  # it is the whole run's: no key, or a store that is away
        return await _stalled(context, lease, error)
    except Exception as crash:
        return await _stalled(context, lease, crashed(crash, "run_slice", context.seam))
    if _End.MORE in ends.values():
        return await _released(lease, Slice.MORE, "running", **progress.PASSED, failures=0)
    if failed := [name for name, end in ends.items() if end is _End.FAILED]:
        again_at = min([float((await progress.document(context, kind_id(name))).get("again_at") or 0) for name in failed])
        return await _released(lease, Slice.STALLED, "stalled", **progress.PASSED, failures=0, again_at=again_at, rest_done=True)
    return await _released(lease, Slice.DONE, "done", **progress.PASSED, finished_at=context.seam.now())


async def regained(context: Context) -> bool:
    """Whether the key may now read a kind for which it lacked the permission: one request for each such kind."""
    stripe = await gateway(context)
    for name in KINDS:
        error: Document = (await progress.document(context, kind_id(name))).get("error") or {}
        if error.get("permission"):
            try:
                await stripe.pace.patiently(lambda name=name: stripe.list_page(name, {"limit": 1}))
            except BillyError:
                continue
            return True
    return False


async def _released(lease: runs.Lease, outcome: Slice, state: str, **facts: object) -> Slice:
    try:
        await lease.release(state, **facts)
    except runs.Lost:
        return Slice.IDLE
    return outcome


async def _stalled(context: Context, lease: runs.Lease, error: BillyError) -> Slice:
    run, now = await progress.document(context, progress.RUN), context.seam.now()
    failures = int(run.get("failures") or 0) + 1
    facts = progress.failing(run, told(error), now)
    known = {"error": facts["error"], "failing_since": facts["failing_since"], "failures": failures}
    return await _released(lease, Slice.STALLED, "stalled", **known, again_at=now + runs.pause(failures))


async def _backfill(context: Context, lease: runs.Lease, seconds: float) -> dict[str, _End]:
    """How each kind's part of the slice ended."""
    work = Work(context, await gateway(context), lease, asyncio.get_running_loop().time() + seconds)
    if not await emptied(work):
        return dict.fromkeys(KINDS, _End.MORE)
    begun = {name: await _begun(work, facts) for name, facts in KINDS.items()}
    await feed.open_feed(
        context, work.stripe, min((document["started"] for document in begun.values() if document["started"]), default=None)
    )
    ends = await _all_kinds(work, begun)
    if _End.MORE not in ends.values():
        await feed.catch_up(context)
    return ends


async def _all_kinds(work: Work, begun: dict[str, Document]) -> dict[str, _End]:
    """As many kinds at once as the settings allow, those that failed before last, so that they hold up none."""
    hurried, now = float((await progress.document(work.context, progress.RUN)).get("hurried_at") or 0), work.context.seam.now()
    waiting = [KINDS[name] for name, document in begun.items() if not document["done"]]
    waiting.sort(key=lambda facts: bool(begun[facts.name].get("error")))
    gate = asyncio.Semaphore(max(1, work.context.settings.sync_concurrency))

    async def one(facts: Kind) -> _End:
        async with gate:
            document = begun[facts.name]
            if not runs.is_due(document, now) and hurried < float(document.get("failed_at") or 0):
                return _End.FAILED
            return _End.MORE if work.time_is_up() else await _kind(work, facts)

    failed: list[BaseException] = []
    tasks: dict[str, asyncio.Task[_End]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {facts.name: group.create_task(one(facts)) for facts in waiting}
    except* Exception as several:  # what a kind could not even note: the lease is lost, or the store is away
        failed.extend(several.exceptions)
    if failed:
        raise failed[0]
    return dict.fromkeys(begun, _End.DONE) | {name: task.result() for name, task in tasks.items()}


async def _begun(work: Work, facts: Kind) -> Document:
    """The kind's document with this run's progress in it. What an earlier run completed stays complete meanwhile, and what fails stays told."""
    document = await progress.document(work.context, kind_id(facts.name))
    if document.get("run") == work.lease.run and "left" in document:
        return document
    fresh: Document = {"objects": 0, "pages": 0, "cursors": [], "started": None, "listed": False, "done": False}
    fresh |= {"size": None, "restarts": 0, "left": [], "odd": 0, "failures": 0, "again_at": None, "moved_at": None}
    fresh |= {"unseen": await unseen.begun(work, facts)}

    def turn(document: Document) -> Document | None:
        known: Document = {"complete": False, "as_of": None} | progress.PASSED
        goes_on = document.get("run") == work.lease.run  # perhaps begun by an older version, which kept less
        return work.lease.signed(known | fresh | document if goes_on else known | document | fresh)

    await progress.change(work.context, kind_id(facts.name), turn)
    return await progress.document(work.context, kind_id(facts.name))


async def _kind(work: Work, facts: Kind) -> _End:
    """One kind as far as there is time. What the key may not read is left out; whatever else fails is noted, and tried again after a pause."""
    try:
        document = await work.lease.begin(facts.name)
        if document["left"] and not await single.settle_left(work, facts, document["left"]):
            return _End.MORE
        if not document["listed"]:
            document = await read_list(work, facts, document)
        if not document["listed"] or (document["unseen"] is not None and not await unseen.reread(work, facts)):
            return _End.MORE
        if facts.name in work.failures:  # all others are settled
            raise work.failures[facts.name]
        await work.lease.change(facts.name, _ended)
        return _End.DONE
    except runs.Lost:
        raise
    except BillyError as error:
        return await (_skip(work, facts, error) if is_permission(error) else _failed(work, facts, error))
    except Exception as crash:
        return await _failed(work, facts, crashed(crash, f"sync {facts.name}", work.context.seam))


def _ended(document: Document) -> Document:
    """The kind is through with this run: complete, unless the list held what is no object."""
    if not document["odd"]:
        return document | progress.PASSED | {"done": True, "complete": True, "again_at": None}
    return document | {"done": True, "complete": False, "again_at": None}


async def _failed(work: Work, facts: Kind, error: BillyError) -> _End:
    now = work.context.seam.now()

    def turn(document: Document) -> Document:
        failures = int(document.get("failures") or 0) + 1
        smaller = smaller_than(document.get("size") or LARGEST, error) if failures == 1 else None
        waits: Document = {"failures": failures, "failed_at": now, "again_at": now + runs.pause(failures), "size": smaller}
        whole = bool(document["complete"]) and not document["left"]  # what earlier runs and events made complete stays so
        return progress.failing(document, told(error, kind=facts.name), now) | waits | {"complete": whole}

    await work.lease.change(facts.name, turn)
    return _End.FAILED


async def _skip(work: Work, facts: Kind, error: BillyError) -> _End:
    lacking, now = told(error, kind=facts.name, permission=facts.permission), work.context.seam.now()
    left_out: Document = {"done": True, "complete": False, "again_at": None}
    await work.lease.change(facts.name, lambda document: progress.failing(document, lacking, now) | left_out)
    return _End.DONE

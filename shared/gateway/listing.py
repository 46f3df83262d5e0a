"""One kind's list, page by page into the mirror: read ahead while others are written, in the largest size that can be read."""

import asyncio
from collections.abc import Sequence

from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.apply import tell
from shared.gateway.client import ListPage
from shared.gateway.kinds import Kind
from shared.gateway.paging import LARGEST, is_cursor_gone, readable
from shared.gateway.progress import Document, kind_id, told
from shared.gateway.single import leave, write_page
from shared.gateway.work import Work

PAGE = LARGEST
AHEAD = 5  # pages read while others are written; they are written together
SPARE_CURSORS = 5  # ids of the last page that serve as cursor should the last one have been deleted
RESTARTS = 3  # times that a run begins a list anew because all of these were deleted


class _TimeIsUp(Exception):
    """Between two sizes of a page."""


class _End:
    """No more pages in this slice."""


END = _End()
type _Read = tuple[ListPage, bool] | Exception | _End  # a page, and whether it is the first of the list


async def read_list(work: Work, facts: Kind, document: Document) -> Document:
    """Reads the list as far as there is time, and answers the kind's document. One task reads ahead while this one writes."""
    ready: asyncio.Queue[_Read] = asyncio.Queue(AHEAD)
    reading = asyncio.create_task(_read(work, facts, document, ready))
    end: _Read = END
    try:
        while True:
            each = await ready.get()
            pages: list[ListPage] = []
            first = False
            while isinstance(each, tuple):
                pages.append(each[0])
                first = first or each[1]
                if ready.empty():
                    break
                each = ready.get_nowait()
            if pages:
                await _write(work, facts, pages, first=first)
            if not isinstance(each, tuple):
                end = each
                break
    finally:
        reading.cancel()
    if isinstance(end, Exception):
        raise end
    return await progress.document(work.context, kind_id(facts.name))


async def _read(work: Work, facts: Kind, document: Document, ready: "asyncio.Queue[_Read]") -> None:
    """Puts page after page, and in the end `END` or the error that ended it."""
    spare, size, restarts = list(document["cursors"]), int(document.get("size") or PAGE), int(document.get("restarts") or 0)
    refused = bool(document.get("failures"))

    async def fell(smaller: int, error: BillyError) -> None:
        await _note_size(work, facts, smaller, error)
        if work.time_is_up():
            raise _TimeIsUp

    try:
        while not work.time_is_up():
            cursor: dict[str, str | int] = {"starting_after": spare[0]} if spare else {}

            async def ask(size: int, cursor: dict[str, str | int] = cursor) -> ListPage:
                return await work.stripe.pace.patiently(lambda: work.stripe.list_page(facts.name, {"limit": size} | cursor))

            try:
                page, size = await readable(ask, size, fell, before=spare, refused=refused)
            except BillyError as error:
                if not spare or not is_cursor_gone(error, "starting_after"):
                    raise
                spare.pop(0)  # it was deleted: the object before it, or from the top
                if not spare and restarts >= RESTARTS:
                    raise
                restarts += not spare
                continue
            await ready.put((page, not spare))
            refused = False
            if not page.has_more:
                break
            spare = _cursors(page)
    except _TimeIsUp:
        await ready.put(END)
    except Exception as error:
        await ready.put(error)
    else:
        await ready.put(END)


async def _note_size(work: Work, facts: Kind, size: int, error: BillyError) -> None:
    """A killed process does not begin with what cannot be read again; and whoever looks sees where it hangs."""
    now = work.context.seam.now()
    await work.lease.change(facts.name, lambda document: progress.failing(document, told(error, kind=facts.name), now) | {"size": size})


async def _write(work: Work, facts: Kind, pages: Sequence[ListPage], *, first: bool) -> None:
    count, left = await write_page(work, facts, pages)
    await tell(work.context, facts.name, [value for page in pages for value in page.values])
    last, now = pages[-1], int(work.context.seam.now())

    def turn(document: Document) -> Document:
        before = document | ({"objects": 0, "pages": 0, "restarts": document["restarts"] + 1} if first and document["pages"] else {})
        started = document["started"] if document["started"] is not None else pages[0].stamp
        moved: Document = {
            "objects": before["objects"] + count,
            "pages": before["pages"] + len(pages),
            "restarts": before["restarts"],
            "cursors": _cursors(last),
            "started": started,
            "left": leave(document, left),
            "odd": document["odd"] + sum(page.odd for page in pages),
            "failures": 0,
            "moved_at": now,
        }
        if not last.has_more:  # everything made until the first page was read is here; what came later comes as events
            moved |= {"listed": True, "complete": not (moved["odd"] or moved["left"]), "as_of": max(started, document["as_of"] or 0)}
        if moved["odd"]:
            return progress.failing(document | moved, told(ODD, kind=facts.name), now)
        return document | moved | ({} if moved["left"] else progress.PASSED)

    await work.lease.change(facts.name, turn)


ODD = BillyError("stripe_error", "Stripe's list holds entries that are no objects with an id.", next="The timer reads the list anew.")


def _cursors(page: ListPage) -> list[str]:
    """The last ids of a page, the last one first."""
    return [str(value["id"]) for value in page.values[: -SPARE_CURSORS - 1 : -1]]

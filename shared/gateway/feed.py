"""Stripe's own list of events, read on from where it was left: what webhooks lost, and the proof that nothing is missing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.aside import apply_or_set_aside, try_again
from shared.gateway.client import ListPage, StripeGateway, gateway
from shared.gateway.kinds import KINDS
from shared.gateway.oldest import oldest_since
from shared.gateway.paging import LARGEST, is_cursor_gone, readable
from shared.gateway.progress import FEED, Document, kind_id, told
from shared.telemetry.invocation import crashed

OVERLAP = 60  # seconds that are read once more, as an event may be listed later than one of the same second
PAGE = LARGEST
SECONDS = 45  # of one catch-up, which begins every minute; what is left then is read by the next one, from the last page on
NOTED = 20  # pages after which it is noted how far the reading is
LASTING = 6 * 3600  # seconds without the events after which a whole run finds what they would have told
DAY = 86_400
KEPT = 29 * DAY  # Stripe keeps events for thirty days; one is for clocks and for the reading itself


@dataclass(frozen=True, slots=True)
class Caught:
    """How many events were new here, whether more wait, whether the feed is older than Stripe keeps events, and what failed."""

    applied: int = 0
    more: bool = False
    broken: bool = False
    error: BillyError | None = None


async def open_feed(context: Context, stripe: StripeGateway, begun: int | None = None) -> None:
    """Notes, before the first page of a backfill, from where events are to be read after it. `begun`: the second of the run's first page,
    where there was one already."""
    if (await progress.document(context, FEED)).get("open"):
        return
    try:
        page = await stripe.pace.patiently(lambda: stripe.list_events({"limit": 1}))
    except BillyError as failure:
        error, now = told(failure), context.seam.now()
        await progress.change(context, FEED, lambda feed: progress.failing(feed, error, now) | {"open": False})
        return
    first = str(page.values[0]["id"]) if page.values and begun is None else None
    since = (page.stamp if begun is None else min(begun, page.stamp)) - OVERLAP
    start: Document = {"open": True, "event": first, "reading": None, "size": None, "since": since, "checked": page.stamp}
    await progress.change(context, FEED, lambda feed: None if feed.get("open") else feed | progress.PASSED | start)


async def catch_up(context: Context, seconds: float = SECONDS) -> Caught:
    """Applies the events since the last time that are not recorded yet, and moves the time up to which the mirror is known complete.

    Whatever fails is noted beside the position and told in the answer. Raises where even that cannot be noted.
    """
    feed = await progress.document(context, FEED)
    waiting: dict[str, Document] = feed.get("aside") or {}
    if not feed.get("open") and not waiting:
        return Caught()
    try:
        stripe = await gateway(context)
        if waiting:
            await try_again(context, stripe, waiting)
        return await _Reading(context, stripe, feed).read(asyncio.get_running_loop().time() + seconds) if feed.get("open") else Caught()
    except BillyError as failure:
        error = failure
    except Exception as crash:
        error = crashed(crash, "catch_up", context.seam)
    now = context.seam.now()
    await progress.change(context, FEED, lambda feed: progress.failing(feed, told(error), now))
    return Caught(error=error)


class _Reading:
    """One reading. `cursor` is the last event that was applied; `stable` one before which none can come any more."""

    def __init__(self, context: Context, stripe: StripeGateway, feed: Document) -> None:
        self._context, self._stripe = context, stripe
        self._checked, self._since = int(feed["checked"]), int(feed["since"])
        self._stable: str | None = feed.get("event")
        self._cursor: str | None = feed.get("reading") or self._stable
        self._size = int(feed.get("size") or PAGE)
        self._waiting: dict[str, Document] = feed.get("aside") or {}
        self._refused = feed.get("failing_since") is not None
        self._applied = self._noted = 0

    async def read(self, until: float) -> Caught:
        pages = 0
        while True:
            try:
                page = await self._next()
            except BillyError as error:
                if not self._cursor or not is_cursor_gone(error, "ending_before"):
                    raise
                if self._context.seam.now() - self._checked > DAY:
                    return await self._broken()
                # The account was quiet for so long that the last event itself is gone; what came since is still there.
                self._cursor, self._since, self._stable = None, self._checked - OVERLAP, None
                continue
            clock = page.stamp or max((_created(each) or 0 for each in page.values), default=0)
            if self._checked and clock - self._checked > KEPT:
                return await self._broken()
            self._applied += await apply_or_set_aside(self._context, page.values[::-1], self._waiting)
            settled = (str(each["id"]) for each in page.values if (_created(each) or clock) <= clock - OVERLAP)
            self._stable = next(settled, self._stable)
            if not page.has_more:
                await self._close(clock)
                return Caught(self._applied)
            self._cursor = str(page.values[0]["id"])
            pages += 1
            over = asyncio.get_running_loop().time() >= until
            if over or pages % NOTED == 0:
                await self._note(lambda feed: feed | progress.PASSED)
            if over:
                return Caught(self._applied, more=True)

    async def _next(self) -> ListPage:
        """The events after the cursor; without one, the oldest since a moment."""

        async def ask(size: int) -> ListPage:
            if self._cursor is None:
                return await oldest_since(self._stripe, self._since, size)
            params: dict[str, str | int] = {"limit": size, "ending_before": self._cursor}
            return await self._stripe.pace.patiently(lambda: self._stripe.list_events(params))

        async def fell(size: int, error: BillyError) -> None:
            now = self._context.seam.now()
            await self._note(lambda feed: progress.failing(feed, told(error), now) | {"size": size})

        page, self._size = await readable(ask, self._size, fell, before=[self._cursor] if self._cursor else [], refused=self._refused)
        if page.odd:
            await _doubt_all(self._context, BillyError("stripe_error", ODD, next=ANEW))
        return page

    async def _note(self, turn: Callable[[Document], Document], **facts: object) -> None:
        """Notes where the reading is: whoever goes on begins there."""
        found, self._noted = self._applied - self._noted, self._applied
        here: Document = {"event": self._stable, "reading": self._cursor, "since": self._since, **facts}
        await progress.change(self._context, FEED, lambda feed: turn(feed) | here | {"found": int(feed.get("found") or 0) + found})

    async def _close(self, clock: int) -> None:
        """The end of the list: what is complete is so as of now, but for what is set aside."""
        self._cursor = None
        checked = max(clock, self._checked)
        await self._note(lambda feed: feed | progress.PASSED, checked=checked, size=None)

        def turn(document: Document) -> Document | None:
            known = document.get("complete") and not document.get("aside")
            return document | {"as_of": max(checked, document.get("as_of") or 0)} if known else None

        await asyncio.gather(*(progress.change(self._context, kind_id(name), turn) for name in KINDS))

    async def _broken(self) -> Caught:
        """There may have been events that Stripe keeps no more: only a whole run finds what they told."""
        missed = BillyError("unavailable", "Events were missed that Stripe keeps no more.", next=ANEW)
        now = self._context.seam.now()
        await _doubt_all(self._context, missed)
        await progress.change(self._context, FEED, lambda feed: progress.failing(feed, told(missed), now) | {"open": False})
        return Caught(self._applied, broken=True)


ODD = "Stripe's list of events holds entries that are none."
ANEW = "The timer reads everything anew; start_sync does so at once."


async def _doubt_all(context: Context, error: BillyError) -> None:
    """No kind is known complete any more, until a run has read it again."""
    now = context.seam.now()

    def turn(document: Document) -> Document | None:
        return progress.failing(document, told(error), now) | {"complete": False} if document.get("complete") else None

    await asyncio.gather(*(progress.change(context, kind_id(name), turn) for name in KINDS))


def _created(event: dict[str, Any]) -> int | None:
    created = event.get("created")
    return created if created.__class__ is int else None


async def is_open(context: Context) -> bool:
    """Whether there is an event from which the feed can be read on."""
    return bool((await progress.document(context, FEED)).get("open"))


async def is_lasting(context: Context) -> bool:
    """Whether the list of events has not been read for so long that everything had better be read anew."""
    since = (await progress.document(context, FEED)).get("failing_since")
    return since is not None and context.seam.now() - float(since) > LASTING

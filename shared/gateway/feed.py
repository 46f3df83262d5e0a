"""Stripe's own list of events, read on from where it was left: what webhooks lost, and the proof that nothing is missing."""

import asyncio
from dataclasses import dataclass
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import progress, runs
from shared.gateway.apply import apply_event, is_recorded
from shared.gateway.client import ListPage, StripeGateway, gateway
from shared.gateway.kinds import KINDS
from shared.gateway.progress import FEED, Document, kind_id

OVERLAP = 60  # seconds that are read once more, as an event may be listed later than one of the same second
PAGE = 100
MOST_PAGES = 100  # of one catch-up; the rest is read by the next one
DAY = 86_400
KEPT = 29 * DAY  # Stripe keeps events for thirty days; one is for clocks and for the reading itself


@dataclass(frozen=True, slots=True)
class Caught:
    """How many events were new here, whether more wait, and whether the feed is older than Stripe keeps events."""

    applied: int = 0
    more: bool = False
    broken: bool = False


async def open_feed(context: Context, stripe: StripeGateway) -> None:
    """Notes, before the first page of a backfill, from where events are to be read after it."""
    if (await progress.document(context, FEED)).get("open"):
        return
    try:
        page = await stripe.list_events({"limit": 1})
    except BillyError as error:
        closed: Document = {"open": False, "error": runs.told(error)}
        await progress.change(context, FEED, lambda _: closed)
        return
    first = str(page.values[0]["id"]) if page.values else None
    start: Document = {"open": True, "event": first, "since": page.stamp - OVERLAP, "checked": page.stamp, "error": None}
    await progress.change(context, FEED, lambda feed: None if feed.get("open") else start)


async def catch_up(context: Context) -> Caught:
    """Applies the events since the last time that are not recorded yet, and moves the time up to which the mirror is known complete."""
    feed = await progress.document(context, FEED)
    if not feed.get("open"):
        return Caught()
    stripe = await gateway(context)
    checked = int(feed["checked"])
    cursor: str | None = feed.get("event")
    since, stable, applied = int(feed["since"]), cursor, 0
    for _ in range(MOST_PAGES):
        try:
            page = await _next(stripe, cursor, since)
        except BillyError as error:
            if not cursor or error.code != "not_found":
                raise
            if context.seam.now() - checked > DAY:
                return await _broken(context, applied)
            # The account was quiet for so long that the last event itself is gone; what came since is still there.
            cursor, since, stable = None, checked - OVERLAP, None
            continue
        if checked and page.stamp - checked > KEPT:
            return await _broken(context, applied)
        applied += sum(await asyncio.gather(*(_apply(context, event) for event in reversed(page.values))))
        stable = next((str(each["id"]) for each in page.values if int(each["created"]) <= page.stamp - OVERLAP), stable)
        if not page.has_more:
            await _close(context, stable, since, page.stamp)
            return Caught(applied)
        cursor = str(page.values[0]["id"])
    await progress.change(context, FEED, lambda feed: feed | {"event": stable})
    return Caught(applied, more=True)


async def _next(stripe: StripeGateway, cursor: str | None, since: int) -> ListPage:
    """The events after the cursor; without one, all since a moment (an account that had none yet has few)."""
    if cursor:
        return await stripe.list_events({"limit": PAGE, "ending_before": cursor})
    values: list[dict[str, Any]] = []
    params: dict[str, str | int] = {"limit": PAGE, "created[gte]": since}
    while True:
        page = await stripe.list_events(params)
        values += page.values
        if not page.has_more or not page.values:
            return ListPage(values, False, page.stamp)
        params["starting_after"] = str(page.values[-1]["id"])


async def _apply(context: Context, event: dict[str, Any]) -> bool:
    if await is_recorded(context, str(event["id"])):
        return False
    await apply_event(context, event, via="catch_up")
    return True


async def _broken(context: Context, applied: int) -> Caught:
    """There may have been events that Stripe keeps no more: only a whole run finds what they told."""
    missed = BillyError(
        "unavailable", "Events were missed that Stripe keeps no more.", next="The timer reads everything anew; start_sync does so at once."
    )
    await progress.change(context, FEED, lambda feed: feed | {"open": False, "error": runs.told(missed)})
    return Caught(applied, broken=True)


async def _close(context: Context, stable: str | None, since: int, stamp: int) -> None:
    await progress.change(context, FEED, lambda feed: feed | {"event": stable, "since": since, "checked": stamp})

    def turn(document: Document) -> Document | None:
        return document | {"as_of": max(stamp, document.get("as_of") or 0)} if document.get("complete") else None

    await asyncio.gather(*(progress.change(context, kind_id(name), turn) for name in KINDS))


async def is_open(context: Context) -> bool:
    """Whether there is an event from which the feed can be read on."""
    return bool((await progress.document(context, FEED)).get("open"))

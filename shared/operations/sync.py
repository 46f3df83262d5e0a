"""Synchronisation: starting it, and how far it is. The work itself is done by queue functions, through the gateway.

The documents of the `sync` collection are what both sides know: `run` (one backfill), `kind:…` (one for each mirrored kind),
`feed` (up to when Stripe's events were read) and `pulse` (when the last event came).
"""

from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.context import Context
from shared.instants import twins
from shared.operations.failing import failures
from shared.operations.freshness import COLLECTION, is_complete
from shared.road.calls import Call
from shared.road.operation import Input, Output, read
from shared.stores.changes import change
from shared.stores.deployment import pinned_to

QUEUE = "billy-sync"
RUN = "run"
ACTIVE = ("requested", "running", "stalled")


class GetSyncInput(Input):
    """Nothing to say."""


class SyncState(Output):
    """How far the mirror is. Times are epoch seconds, with ISO 8601 beside them."""

    running: bool = Field(description="Whether a synchronisation is under way or about to begin.")
    stalled: bool = Field(
        description="Whether it stopped at an error or stands still. What failed is tried again by itself, or with the next start; all else is done."
    )
    stalled_since: int | None = None
    stalled_since_iso: str | None = None
    run: str | None = Field(description="The id of the synchronisation under way, or of the last one.")
    started_at: int | None = None
    started_at_iso: str | None = None
    finished_at: int | None = None
    finished_at_iso: str | None = None
    kinds: dict[str, dict[str, Any]] = Field(
        description="For each kind: objects and pages read in this synchronisation and when the last of them was, whether it is done, whether the mirror holds all of it and as of when, and the error that stands in its way, with its beginning."
    )
    complete: bool = Field(description="Whether the mirror holds all of Stripe's objects of every kind.")
    left_out: list[str] = Field(description="What Stripe's lists leave out, so that `complete` does not mean it.")
    failing: list[dict[str, Any]] = Field(
        description="What fails until it passes: `part` (a kind, `events` for Stripe's list of them, or `run`), the error with what to do, and since when."
    )
    last_error: dict[str, Any] | None = Field(None, description="The first of `failing`.")
    mirror_age_seconds: int | None = Field(
        description="For how long the mirror has not been known to be complete; null before the first synchronisation."
    )
    last_event_at: int | None = Field(description="When the last event of Stripe's was applied.")
    last_event_at_iso: str | None = None
    caught_up_at: int | None = Field(description="Up to when Stripe's own list of events was read, which finds what webhooks lost.")
    caught_up_at_iso: str | None = None
    lag_seconds: int | None = Field(
        description="For how long Stripe's own list of events was not read to its end; null before it was opened."
    )
    events_by_catch_up: int = Field(
        description="How many events that list has brought which no webhook had. It grows where webhooks are lost."
    )
    events_set_aside: int = Field(
        description="How many events could not be applied yet. They are tried again by themselves, and hold up no other."
    )
    account: str | None = Field(description="The Stripe account that this deployment works with; null where its key may not read it.")
    moving_to: str | None = Field(
        None, description="The account to which a move is announced: it happens with the first use of a key of it."
    )


@read("GET /api/sync", permission="view_sync", tags=("sync",), input=GetSyncInput, output=SyncState)
async def get_sync(call: Call) -> dict[str, Any]:
    """Get how far the synchronisation with Stripe is, whether the mirror is complete, how old it is, when the last event came, and the last error."""
    return await sync_state(call.context)


async def request_run(context: Context, asked_by: str, id: str | None = None, *, anew: bool = True) -> dict[str, Any]:
    """The document of the run under way, or of a new one with that `id`. A message on the queue `billy-sync` sets it going.

    `anew`: of a run of which nothing is left but what keeps failing, a new one takes the place, since what is done may be long ago.
    """

    def turn(run: dict[str, Any]) -> dict[str, Any] | None:
        if run.get("state") in ACTIVE:  # a stalled one goes on where it stopped; where all else is done, there may be a new one
            if run["state"] != "stalled":
                return None
            if not (run.get("rest_done") and anew):
                return run | {"state": "requested", "again_at": None, "hurried_at": context.seam.now()}
        return {
            "run": id or context.seam.id("run"),
            "state": "requested",
            "asked_by": asked_by,
            "asked_at": int(context.seam.now()),
            "lease_until": 0,
        }

    while True:
        changed = await change(context.records, COLLECTION, RUN, turn) or await context.records.get(COLLECTION, RUN)
        if changed is not None:
            return changed.document


async def sync_state(context: Context) -> dict[str, Any]:
    """The state of synchronisation as `SyncState` describes it."""
    documents = {record.id: record.document for record in await context.records.find(COLLECTION, limit=100)}
    run, feed, pulse = (documents.get(id, {}) for id in (RUN, "feed", "pulse"))
    kinds = {id.removeprefix("kind:"): document for id, document in sorted(documents.items()) if id.startswith("kind:")}
    moments = [document["as_of"] for document in kinds.values() if document["as_of"] is not None]
    now, caught_up = context.seam.now(), feed.get("checked")
    pinned = await pinned_to(context.records)
    failing = failures(run, kinds, feed, now)
    stalled = run.get("state") == "stalled" or any(each.part == "run" for each in failing)
    times = {
        "started_at": run.get("started_at"),
        "finished_at": run.get("finished_at"),
        "stalled_since": min((each.since for each in failing if each.since is not None), default=None) if stalled else None,
        "last_event_at": pulse.get("at"),
        "caught_up_at": caught_up,
    }
    return {
        "running": run.get("state") in ("requested", "running"),
        "stalled": stalled,
        "run": run.get("run"),
        **twins(times),
        "kinds": {
            name: {field: document.get(field) for field in SHOWN} | {"complete": is_complete(document)} for name, document in kinds.items()
        },
        "complete": bool(kinds) and all(is_complete(document) for document in kinds.values()),
        "left_out": [] if pinned.get("livemode") else [TEST_CLOCKS],
        "failing": [each.shown() for each in failing],
        "last_error": failing[0].error if failing else None,
        "mirror_age_seconds": max(0, int(now - min(moments))) if moments and len(moments) == len(kinds) else None,
        "lag_seconds": max(0, int(now - caught_up)) if caught_up is not None else None,
        "events_by_catch_up": int(feed.get("found") or 0),
        "events_set_aside": len(feed.get("aside") or ()),
        "account": pinned.get("account"),
        "moving_to": pinned.get("moving_to"),
    }


TEST_CLOCKS = "Objects of Stripe's test clocks: they come by their events alone."
SHOWN = ("objects", "pages", "done", "complete", "as_of", "moved_at", "error", "failing_since")


class Wants(StrEnum):
    """What the mirror needs that nobody has begun."""

    NOTHING = "nothing"
    REST = "rest"  # a kind is not read to its end, or was never begun
    ANEW = "anew"  # what a finished run had read is not known complete any more


async def wants(context: Context) -> Wants:
    """What the kinds want. One that the key may not read wants nothing: it is asked for again with one request."""
    kinds: list[dict[str, Any]] = list((await sync_state(context))["kinds"].values())
    wanting = [kind for kind in kinds if not kind["complete"] and "permission" not in (kind["error"] or ())]
    if any(kind["done"] for kind in wanting):
        return Wants.ANEW
    return Wants.REST if wanting or not kinds else Wants.NOTHING

"""Synchronisation: starting it, and how far it is. The work itself is done by queue functions, through the gateway.

The documents of the `sync` collection are what both sides know: `run` (one backfill), `kind:…` (one for each mirrored kind),
`feed` (up to when Stripe's events were read) and `pulse` (when the last event came).
"""

from typing import Any

from pydantic import Field

from shared.context import Context
from shared.instants import twins
from shared.operations.freshness import COLLECTION
from shared.road.calls import Call
from shared.road.operation import Input, Output, read
from shared.stores.changes import change

QUEUE = "billy-sync"
RUN = "run"
ACTIVE = ("requested", "running", "stalled")


class GetSyncInput(Input):
    """Nothing to say."""


class SyncState(Output):
    """How far the mirror is. Times are epoch seconds, with ISO 8601 beside them."""

    running: bool = Field(description="Whether a synchronisation is under way or about to begin.")
    stalled: bool = Field(description="Whether it stopped at an error. It goes on by itself within a minute, or with the next start.")
    run: str | None = Field(description="The id of the synchronisation under way, or of the last one.")
    started_at: int | None = None
    started_at_iso: str | None = None
    finished_at: int | None = None
    finished_at_iso: str | None = None
    kinds: dict[str, dict[str, Any]] = Field(
        description="For each kind: objects and pages read in this synchronisation, whether it is done, whether the mirror holds all of it and as of when, and an error where it was left out."
    )
    complete: bool = Field(description="Whether the mirror holds all of Stripe's objects of every kind.")
    last_error: dict[str, Any] | None = None
    mirror_age_seconds: int | None = Field(
        description="For how long the mirror has not been known to be complete; null before the first synchronisation."
    )
    last_event_at: int | None = Field(description="When the last event of Stripe's was applied.")
    last_event_at_iso: str | None = None
    caught_up_at: int | None = Field(description="Up to when Stripe's own list of events was read, which finds what webhooks lost.")
    caught_up_at_iso: str | None = None


@read("GET /api/sync", permission="view_sync", tags=("sync",), input=GetSyncInput, output=SyncState)
async def get_sync(call: Call) -> dict[str, Any]:
    """Get how far the synchronisation with Stripe is, whether the mirror is complete, how old it is, when the last event came, and the last error."""
    return await sync_state(call.context)


async def request_run(context: Context, asked_by: str, id: str | None = None) -> dict[str, Any]:
    """The document of the run under way, or of a new one with that `id`. A message on the queue `billy-sync` sets it going."""

    def turn(run: dict[str, Any]) -> dict[str, Any] | None:
        if run.get("state") in ACTIVE:  # a stalled one goes on where it stopped, and what stopped it then is no longer news
            return None if run["state"] != "stalled" else run | {"state": "requested", "last_error": None}
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
    times = {
        "started_at": run.get("started_at"),
        "finished_at": run.get("finished_at"),
        "last_event_at": pulse.get("at"),
        "caught_up_at": feed.get("checked"),
    }
    errors = [error for error in (run.get("last_error"), feed.get("error")) if error]
    return {
        "running": run.get("state") in ("requested", "running"),
        "stalled": run.get("state") == "stalled",
        "run": run.get("run"),
        **twins(times),
        "kinds": {
            name: {field: document.get(field) for field in ("objects", "pages", "done", "complete", "as_of", "error")}
            for name, document in kinds.items()
        },
        "complete": bool(kinds) and all(document["complete"] for document in kinds.values()),
        "last_error": errors[0] if errors else None,
        "mirror_age_seconds": max(0, int(context.seam.now() - min(moments))) if moments and len(moments) == len(kinds) else None,
    }


async def is_wanting(context: Context) -> bool:
    """Whether a kind is not complete. One that the key may not read wants nothing until somebody starts a synchronisation."""
    kinds = (await sync_state(context))["kinds"]
    return not kinds or any(not kind["complete"] and not kind["error"] for kind in kinds.values())

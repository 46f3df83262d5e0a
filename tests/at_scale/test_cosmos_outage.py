"""Cosmos DB fails over: nothing is answered wrongly meanwhile, no money moves unrecorded, and everything is there afterwards."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.actor import Origin
from shared.errors import BillyError
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.webhook import apply_message
from shared.operations.sync import request_run
from shared.road.catalogue import BY_NAME
from shared.road.settling import settle_attempts
from shared.stores.cosmos_layout import RECORDS
from shared.surfaces import mcp
from shared.surfaces.health import health
from tests.spec.conftest import Billy
from tests.spec.test_webhooks import event
from tests.stores.cosmos_front import Asked, Front, Refusal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cosmos")]

READS = {
    "get_charge": {"id": "ch_1"},
    "list_charges": {},
    "list_customers": {"limit": 3},
    "get_stats": {},
    "search": {"q": "ann"},
    "get_sync": {},
}
TRIES = json.loads((Path(__file__).parents[2] / "host.json").read_text())["extensions"]["queues"]["maxDequeueCount"]


def down(front: Front, status: int = 503, **headers: str) -> None:
    """From now on the account answers nothing else."""
    front.rule = lambda _: Refusal(status, {name.replace("_", "-"): value for name, value in headers.items()})


async def raises_unavailable(billy: Billy, message: dict[str, Any]) -> None:
    with pytest.raises(BillyError) as failed:
        await apply_message(billy.context, message)
    assert failed.value.code == "unavailable"


@pytest.mark.parametrize("status", [503, 0], ids=["answers 503", "cuts the connection"])
async def test_every_read_says_that_the_store_is_away_and_when_to_come_back(billy: Billy, front: Front, status: int) -> None:
    await billy.rest("owner", "get_stats")
    down(front, status)
    for operation, arguments in READS.items():
        answered = await billy.rest("owner", operation, **arguments)
        assert (answered.error, answered.body["retry_after"]) == ("unavailable", 5), operation
    assert (await health(billy.context))[1] == 503
    front.heals()
    assert (await billy.rest("owner", "get_stats")).error is None
    assert (await health(billy.context))[1] == 200


async def test_an_agent_is_told_by_the_door_and_the_same_call_works_afterwards(billy: Billy, front: Front) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "billy_get_stats", "arguments": {}}}
    headers = {
        "host": "localhost:7071",
        "authorization": f"Bearer {billy.keys['owner']}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
    }
    request = mcp.Request(Origin("mcp", None, "at scale/1"), "POST", headers, {}, json.dumps(message).encode())
    down(front)
    told = await mcp.answer(request, billy.context)
    assert told.status == 503 and b"unavailable" in told.body, told
    front.heals()
    assert (await mcp.answer(request, billy.context)).status == 200


async def test_throttling_reaches_the_caller_with_the_accounts_own_time(billy: Billy, front: Front) -> None:
    down(front, 429, x_ms_retry_after_ms="8300")
    answered = await billy.rest("owner", "list_charges")
    assert (answered.error, answered.body["retry_after"]) == ("unavailable", 9)


async def test_a_refund_that_cannot_be_recorded_is_not_made(billy: Billy, front: Front) -> None:
    charge = billy.stripe.charge(1000)
    await billy.rest("owner", "get_stats")
    front.fails(RECORDS, "create", 503)
    assert (await billy.rest("owner", "create_refund", charge=charge["id"], amount=100)).error == "unavailable"
    assert billy.stripe.refunds(charge["id"]) == []


async def test_a_refund_whose_outcome_could_not_be_recorded_is_settled_from_stripe_and_made_once(billy: Billy, front: Front) -> None:
    """The fence writes before it lets a request through; from the moment at which the money has moved, nothing more can be written."""
    charge = billy.stripe.charge(1000)
    front.rule = lambda asked: Refusal(503) if asked == Asked(RECORDS, "replace") and billy.stripe.refunds(charge["id"]) else None
    lost = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100, idempotency_key="k")
    assert lost.error == "unavailable" and len(billy.stripe.refunds(charge["id"])) == 1
    assert "was done" in lost.body["detail"] and lost.body["attempt"]
    other = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100)
    assert (other.error, other.body["attempt"]) == ("possible_duplicate", lost.body["attempt"])
    front.heals()
    billy.clock.offset = 300
    assert await settle_attempts(billy.context, BY_NAME) == {"succeeded": 1, "failed": 0, "left": 0}
    again = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100, idempotency_key="k")
    assert again.body["status"] == "succeeded"
    assert len(billy.stripe.refunds(charge["id"])) == 1


@pytest.mark.parametrize(("container", "does"), [("objects", "create"), ("entries", "create"), ("totals", "create"), (RECORDS, "create")])
async def test_an_event_that_met_the_outage_half_way_is_applied_once_when_the_queue_brings_it_again(
    billy: Billy, front: Front, container: str, does: str
) -> None:
    front.fails(container, does, 503)
    await raises_unavailable(billy, {"event": event()})
    assert await billy.context.records.get("events", "evt_1") is None, "what is not done is not recorded as done"
    front.heals()
    for _ in range(2):
        await apply_message(billy.context, {"event": event()})
    page = await billy.rest("owner", "list_charges")
    assert ([each["id"] for each in page.body["data"]], page.body["total"]) == (["ch_spec"], 1)
    assert await billy.context.records.get("events", "evt_1") is not None


async def test_events_that_failed_until_they_were_poison_are_brought_by_stripes_list_afterwards(billy: Billy, front: Front) -> None:
    await request_run(billy.context, "system")
    assert await run_slice(billy.context, 120) is Slice.DONE
    charge = billy.stripe.charge(4200)
    (made,) = [
        each
        for each in billy.stripe.call("GET", "/v1/events?type=charge.succeeded&limit=20")["data"]
        if each["data"]["object"]["id"] == charge["id"]
    ]
    down(front)
    for _ in range(TRIES):
        await raises_unavailable(billy, {"event": made})
    with pytest.raises(BillyError):
        await catch_up(billy.context)
    front.heals()
    assert await billy.context.mirror.get("charge", charge["id"]) is None
    assert (await catch_up(billy.context)).applied > 0
    stored = await billy.context.mirror.get("charge", charge["id"])
    assert stored is not None and orjson.loads(stored.body)["amount"] == 4200

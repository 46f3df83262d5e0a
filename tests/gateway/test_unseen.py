"""What was deleted at Stripe while nobody looked, and of which no event is left, is found by the next whole run."""

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.context import Context
from shared.gateway import progress, runs, unseen
from shared.gateway.apply import apply_event
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up, is_open
from shared.operations.sync import SyncState, request_run, sync_state
from shared.stores.protocols import Query
from tests.gateway.conftest import KEY, Clock, Double, event_of

Open = Callable[..., Any]
AWAY = 31 * 86_400  # longer than Stripe keeps events


async def whole_run(context: Context) -> None:
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE


async def is_gone(context: Context, kind: str, id: str) -> bool:
    stored = await context.mirror.get(kind, id)
    assert stored is not None
    return stored.deleted


def single_reads(double: Double) -> list[str]:
    """The paths of objects that were asked for by id, from the first to the last."""
    asked = [each["path"] for each in double.control("GET", "requests")["requests"] if each["method"] == "GET"]
    return sorted(path for path in asked if path.count("/") > 2)


@pytest.fixture
async def context(own_double: Double, open_context: Open) -> Context:
    """A mirror that was whole thirty-one days ago, of a company that has seen deletions since; its events are gone."""
    return await open_context(own_double)


async def test_deletions_of_a_long_silence_become_tombstones_and_nothing_else_is_asked_for(own_double: Double, context: Context) -> None:
    customers = [own_double.customer(email=f"c{n}@example.com") for n in range(7)]
    product = own_double.call("POST", "/v1/products", {"id": "old plan", "name": "Old"})
    coupon = own_double.call("POST", "/v1/coupons", {"percent_off": 10, "duration": "once"})
    invoice = own_double.call("POST", "/v1/invoices", {"customer": customers[0]["id"]})
    charge = own_double.charge(1_200)
    await whole_run(context)
    deleted = [
        f"/v1/customers/{customers[3]['id']}",
        "/v1/products/old%20plan",
        f"/v1/coupons/{coupon['id']}",
        f"/v1/invoices/{invoice['id']}",
    ]
    for path in deleted:
        own_double.call("DELETE", path)
    own_double.control("POST", "clock", {"advance": AWAY})
    assert (await catch_up(context)).broken and not await is_open(context)
    told = SyncState.model_validate(await sync_state(context)).last_error
    assert told is not None and told["code"] == "unavailable" and "start_sync" in told["next"]
    assert not await is_gone(context, "customer", customers[3]["id"])
    own_double.control("DELETE", "requests")
    await whole_run(context)
    for kind, id in (("customer", customers[3]["id"]), ("product", product["id"]), ("coupon", coupon["id"]), ("invoice", invoice["id"])):
        assert await is_gone(context, kind, id), kind
    assert (await context.mirror.list(Query("customer"))).total == 6
    assert not await is_gone(context, "charge", charge["id"])
    assert [path.replace(" ", "%20") for path in single_reads(own_double)] == sorted(deleted)
    assert (await sync_state(context))["complete"] and await is_open(context)


@pytest.mark.parametrize("quiet", [3_600, 3 * 86_400])
async def test_a_last_event_that_stripe_keeps_no_more_costs_a_whole_run_only_where_events_may_be_missing(
    own_double: Double, context: Context, clock: Clock, quiet: int
) -> None:
    own_double.customer()
    await whole_run(context)
    own_double.control("POST", "clock", {"advance": quiet})
    clock.offset += quiet
    changed = own_double.customer(name="Since then")
    own_double.fault(match="GET /v1/events", kind="status", status=404, code="resource_missing", times=1)
    caught = await catch_up(context)
    assert (caught.broken, await is_open(context)) == (quiet > 86_400, quiet <= 86_400)
    if not caught.broken:
        assert not await is_gone(context, "customer", changed["id"]) and caught.applied > 0
        own_double.control("POST", "clock", {"advance": 120})
        last = own_double.customer(name="Even later")
        assert (await catch_up(context)).applied == 1 and not await is_gone(context, "customer", last["id"])
        assert (await catch_up(context)).applied == 0


async def test_where_nothing_was_deleted_a_run_asks_for_no_object(own_double: Double, context: Context) -> None:
    for number in range(5):
        own_double.customer(email=f"c{number}@example.com")
    await whole_run(context)
    own_double.control("POST", "clock", {"advance": AWAY})
    own_double.control("DELETE", "requests")
    await whole_run(context)
    assert single_reads(own_double) == []
    assert (await context.mirror.list(Query("customer"))).total == 5


async def test_what_a_list_left_out_and_stripe_still_has_stays(own_double: Double, context: Context) -> None:
    customers = [own_double.customer(email=f"c{n}@example.com") for n in range(4)]
    await whole_run(context)
    own_double.control("POST", "clock", {"advance": AWAY})
    await request_run(context, "key_1")
    assert await run_slice(context, 0) is Slice.MORE
    skipped = {"cursors": [customers[1]["id"]], "started": int(time.time()) + AWAY}
    await progress.change(context, "kind:customer", lambda document: document | skipped)
    own_double.control("DELETE", "requests")
    assert await run_slice(context, 60) is Slice.DONE
    assert single_reads(own_double) == sorted(f"/v1/customers/{each['id']}" for each in customers[1:])
    assert (await context.mirror.list(Query("customer"))).total == 4


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 500}, {"kind": "status", "status": 401}])
async def test_where_stripe_does_not_answer_nothing_is_taken_for_deleted(
    own_double: Double, context: Context, fault: dict[str, Any]
) -> None:
    customers = [own_double.customer(email=f"c{n}@example.com") for n in range(3)]
    await whole_run(context)
    own_double.call("DELETE", f"/v1/customers/{customers[1]['id']}")
    own_double.control("POST", "clock", {"advance": AWAY})
    own_double.fault(match="GET /v1/customers/*", times=20, **fault)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.STALLED
    assert not await is_gone(context, "customer", customers[1]["id"])
    assert (await sync_state(context))["last_error"]["code"] in ("unavailable", "stripe_error")
    own_double.control("DELETE", "faults")
    assert await run_slice(context, 60) is Slice.DONE
    assert await is_gone(context, "customer", customers[1]["id"])


async def test_too_many_requests_are_waited_out(own_double: Double, context: Context) -> None:
    customer = own_double.customer()
    await whole_run(context)
    own_double.call("DELETE", f"/v1/customers/{customer['id']}")
    own_double.control("POST", "clock", {"advance": AWAY})
    own_double.fault(match="GET /v1/customers/*", kind="status", status=429, headers={"retry-after": "1"}, times=1)
    await whole_run(context)
    assert await is_gone(context, "customer", customer["id"])


async def test_it_keeps_to_the_pace_and_goes_on_in_the_next_slice(
    own_double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unseen, "WALKED", 10)
    customers = [own_double.customer(email=f"c{n}@example.com") for n in range(30)]
    await whole_run(await open_context(own_double))
    for customer in customers[::2]:
        own_double.call("DELETE", f"/v1/customers/{customer['id']}")
    own_double.control("POST", "clock", {"advance": AWAY})
    context = await open_context(own_double, sync_requests_per_second=60)
    await request_run(context, "key_1")
    own_double.control("DELETE", "requests")
    slices, begun = 0, time.monotonic()
    while (ended := await run_slice(context, 0.1)) is Slice.MORE:
        slices += 1
        assert slices < 200
    assert ended is Slice.DONE and slices > 1 and time.monotonic() - begun > 15 / 60
    assert (await context.mirror.list(Query("customer"))).total == 15
    assert single_reads(own_double) == sorted(f"/v1/customers/{each['id']}" for each in customers[::2]), "none twice"
    walk = (await progress.document(context, "kind:customer"))["unseen"]
    assert walk["after"] is None and walk["removed"] <= 15


@pytest.mark.slow
async def test_a_killed_worker_leaves_what_it_settled_and_the_next_asks_only_for_the_rest(
    own_double: Double, open_context: Open, clock: Clock, tmp_path: Path
) -> None:
    context = await open_context(own_double)
    customers = [own_double.customer(email=f"c{n}@example.com") for n in range(40)]
    await whole_run(context)
    for customer in customers:
        own_double.call("DELETE", f"/v1/customers/{customer['id']}")
    own_double.control("POST", "clock", {"advance": AWAY})
    own_double.fault(match="GET /v1/customers/*", kind="delay", ms=150, times=1_000)
    own_double.control("DELETE", "requests")
    await request_run(context, "key_1")
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from shared.gateway.backfill import run_slice
        from shared.settings import Settings
        from shared.wiring import make_context
        async def main():
            context = await make_context(Settings(home=Path({str(tmp_path / "billy")!r}), stripe_api_base={own_double.url!r}, stripe_api_key={KEY!r}))
            await run_slice(context, 600)
        asyncio.run(main())
    """)
    root = Path(__file__).parents[2]
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        deadline = time.monotonic() + 30
        while (await context.mirror.list(Query("customer"))).total > 30:
            assert time.monotonic() < deadline and worker.returncode is None
            await asyncio.sleep(0.01)
    finally:
        worker.kill()
        await worker.wait()
    settled = 40 - (await context.mirror.list(Query("customer"))).total
    assert 10 <= settled < 40
    own_double.control("DELETE", "faults")
    own_double.control("DELETE", "requests")
    clock.offset += runs.LEASE + 1
    assert await run_slice(context, 60) is Slice.DONE
    assert (await context.mirror.list(Query("customer"))).total == 0
    assert len(single_reads(own_double)) == 40 - settled


async def test_what_belongs_to_a_test_clock_is_in_no_list_and_is_not_taken_for_deleted(
    own_double: Double, context: Context, clock: Clock
) -> None:
    frozen = own_double.call("POST", "/v1/test_helpers/test_clocks", {"frozen_time": str(int(time.time()))})
    clocked = own_double.call("POST", "/v1/customers", {"test_clock": frozen["id"], "email": "clock@example.com"})
    usual = own_double.customer()
    assert {each["id"] for each in own_double.call("GET", "/v1/customers?limit=100")["data"]} == {usual["id"]}
    await apply_event(context, event_of(clocked, "customer.created", clocked["created"]))
    clock.offset += AWAY
    own_double.control("POST", "clock", {"advance": AWAY})
    await whole_run(context)
    assert not await is_gone(context, "customer", clocked["id"])
    state = await sync_state(context)
    assert state["complete"] and "test clocks" in state["left_out"][0]

"""Everything that Stripe holds ends in the mirror, however often the work is cut off."""

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.context import Context
from shared.gateway import listing, progress, runs
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.kinds import KINDS, tombstone
from shared.operations import freshness
from shared.operations.sync import request_run, sync_state
from shared.stores.protocols import Query
from tests.gateway.conftest import KEY, Clock, Double

Open = Callable[..., Any]
SCALE = 0.15


async def ids(context: Context, kind: str) -> set[str]:
    found: set[str] = set()
    after = None
    while True:
        page = await context.mirror.list(Query(kind, limit=100, after=after))
        found |= {orjson.loads(body)["id"] for body in page.bodies}
        after = page.position
        if after is None:
            return found


def at_stripe(double: Double, kind: str) -> set[str]:
    found: set[str] = set()
    after = ""
    while True:
        page = double.call("GET", f"{KINDS[kind].path}?limit=100{'&status=all' if kind == 'subscription' else ''}{after}")
        found |= {each["id"] for each in page["data"]}
        if not page["has_more"]:
            return found
        after = f"&starting_after={page['data'][-1]['id']}"


async def assert_whole(context: Context, double: Double) -> None:
    for kind in KINDS:
        assert await ids(context, kind) == at_stripe(double, kind), kind
        assert (await freshness.of(context, kind))[0] is True, kind


@pytest.fixture
def company(own_double: Double) -> Double:
    own_double.control("POST", "company", {"seed": 3, "scale": SCALE})
    return own_double


@pytest.mark.requirement("AB-040")
async def test_after_a_run_the_mirror_holds_everything_also_cancelled_subscriptions(company: Double, open_context: Open) -> None:
    context = await open_context(company)
    assert await freshness.of(context, "charge") == (False, None)
    before = time.time()
    run = await request_run(context, "key_1")
    assert (await sync_state(context))["running"] is True
    assert await run_slice(context, 60) is Slice.DONE
    await assert_whole(context, company)
    state = await sync_state(context)
    assert (state["run"], state["running"], state["complete"], state["last_error"]) == (run["run"], False, True, None)
    assert set(state["kinds"]) == set(KINDS) and all(kind["done"] for kind in state["kinds"].values())
    assert state["kinds"]["charge"]["objects"] == len(at_stripe(company, "charge"))
    complete, as_of = await freshness.of(context, "charge")
    assert complete and as_of is not None and before - 5 <= as_of <= time.time()
    statuses = {orjson.loads(body)["status"] for body in (await context.mirror.list(Query("subscription", limit=100))).bodies}
    assert "canceled" in statuses


async def test_a_run_in_many_slices_reads_no_page_twice(
    company: Double, open_context: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    company.control("DELETE", "requests")
    monkeypatch.setattr(listing, "AHEAD", 1)
    slices = 0
    while (ended := await run_slice(context, 0.05)) is Slice.MORE:
        slices += 1
        assert slices < 500
    assert ended is Slice.DONE and slices > 1
    await assert_whole(context, company)
    state = await sync_state(context)
    assert state["kinds"]["charge"]["objects"] == len(at_stripe(company, "charge"))


@pytest.mark.slow
async def test_a_killed_run_goes_on_where_it_was(company: Double, open_context: Open, clock: Clock, tmp_path: Path) -> None:
    context = await open_context(company)
    run = await request_run(context, "key_1")
    company.control("POST", "faults", {"match": "GET /v1/charges", "kind": "delay", "ms": 150, "times": 1000})
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from shared.gateway.backfill import run_slice
        from shared.settings import Settings
        from shared.wiring import make_context
        async def main():
            context = await make_context(Settings(home=Path({str(tmp_path / "billy")!r}), stripe_api_base={company.url!r}, stripe_api_key={KEY!r}))
            await run_slice(context, 600)
        asyncio.run(main())
    """)
    root = Path(__file__).parents[2]
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        deadline = time.monotonic() + 30
        while (await progress.document(context, "kind:charge")).get("pages", 0) < 2:
            assert time.monotonic() < deadline and worker.returncode is None
            await asyncio.sleep(0.01)
    finally:
        worker.kill()
        await worker.wait()
    company.control("DELETE", "faults")
    pages = (await progress.document(context, "kind:charge"))["pages"]
    assert await run_slice(context, 60) is Slice.IDLE, "the dead worker's lease still holds"
    clock.offset += runs.LEASE + 1
    company.control("DELETE", "requests")
    assert await runs.is_waiting(context)
    assert (await request_run(context, "key_2"))["run"] == run["run"], "a start resumes what is there"
    assert await run_slice(context, 60) is Slice.DONE
    await assert_whole(context, company)
    whole = -(-len(at_stripe(company, "charge")) // 100)
    state = await sync_state(context)
    assert pages >= 2 and state["kinds"]["charge"]["pages"] == whole


async def test_one_run_at_a_time(company: Double, open_context: Open) -> None:
    context, other = await open_context(company), await open_context(company)
    first, second = await request_run(context, "key_1"), await request_run(other, "key_2")
    assert first["run"] == second["run"]
    lease = await runs.Lease.take(context)
    assert lease is not None
    assert await run_slice(other, 10) is Slice.IDLE
    await lease.release("running")
    assert await run_slice(other, 60) is Slice.DONE
    assert await run_slice(context, 10) is Slice.IDLE


async def test_a_holder_whose_lease_was_taken_over_stops(company: Double, open_context: Open, clock: Clock) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    slow = await runs.Lease.take(context)
    assert slow is not None
    clock.offset += runs.LEASE + 1
    assert await runs.Lease.take(context) is not None
    with pytest.raises(runs.Lost):
        await slow.release("done")


async def test_a_page_that_fails_stops_the_run_with_its_error_and_it_goes_on_later(company: Double, open_context: Open) -> None:
    context = await open_context(company)
    company.fault(match="GET /v1/invoices", kind="status", status=500, times=3)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.STALLED
    state = await sync_state(context)
    assert (state["stalled"], state["running"], state["last_error"]["code"], state["complete"]) == (True, False, "stripe_error", False)
    assert await runs.is_waiting(context)
    assert await run_slice(context, 60) is Slice.DONE
    await assert_whole(context, company)
    assert (await sync_state(context))["last_error"] is None


async def test_too_many_requests_are_waited_out(company: Double, open_context: Open) -> None:
    context = await open_context(company)
    company.fault(match="GET /v1/customers", kind="status", status=429, headers={"retry-after": "1"}, times=1)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    await assert_whole(context, company)


async def test_a_kind_that_the_key_may_not_read_is_named_and_the_others_are_read(company: Double, open_context: Open) -> None:
    permissions = [facts.permission for facts in KINDS.values() if facts.name != "dispute"] + ["rak_event_read"]
    company.control("POST", "keys", {"key": "rk_test_nodisputes000", "permissions": permissions})
    context = await open_context(company, stripe_api_key="rk_test_nodisputes000")
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    state = await sync_state(context)
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["dispute"]
    dispute = state["kinds"]["dispute"]
    assert dispute["complete"] is False and "rak_" in dispute["error"]["next"]
    assert state["last_error"] == dispute["error"]


async def test_a_cursor_that_was_deleted_meanwhile_costs_nothing(
    own_double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 10)
    customers = [own_double.customer(email=f"c{number}@example.com") for number in range(25)]
    context = await open_context(own_double)
    await request_run(context, "key_1")
    assert await run_slice(context, 0) is Slice.MORE
    last = [customers[15]["id"], customers[16]["id"], customers[17]["id"]]
    await progress.change(context, "kind:customer", lambda document: document | {"cursors": last, "objects": 10, "pages": 1})
    own_double.call("DELETE", f"/v1/customers/{last[0]}")
    own_double.fault(match="GET /v1/customers", kind="status", status=404, code="resource_missing", times=1)
    assert await run_slice(context, 60) is Slice.DONE
    assert await ids(context, "customer") == {each["id"] for each in customers[:16]} - {last[0]}


async def test_what_stripe_lists_comes_back_from_behind_its_tombstone(own_double: Double, open_context: Open) -> None:
    context = await open_context(own_double)
    product = own_double.call("POST", "/v1/products", {"id": "plan b", "name": "First"})
    customer = own_double.customer(name="Never deleted")
    own_double.call("DELETE", "/v1/products/plan%20b")
    grave = tombstone("product", "plan b", product["created"]), tombstone("customer", customer["id"], customer["created"] + 9_000)
    await context.mirror.apply(grave)
    own_double.control("POST", "clock", {"advance": 86_400})
    again = own_double.call("POST", "/v1/products", {"id": "plan b", "name": "Second"})
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    stored = await context.mirror.get("product", "plan b")
    assert stored is not None and orjson.loads(stored.body) == again
    assert await ids(context, "product") == {"plan b"} and await ids(context, "customer") == {customer["id"]}


@pytest.mark.requirement("AB-045", "AB-046")
async def test_what_webhooks_lost_is_found_in_stripes_own_list_of_events(company: Double, open_context: Open, clock: Clock) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    gone, changed = company.customer(name="Gone"), company.customer(name="Changed")
    charge = company.charge(5000)
    await catch_up(context)
    company.call("DELETE", f"/v1/customers/{gone['id']}")
    company.call("POST", f"/v1/customers/{changed['id']}", {"name": "Anew"})
    refund = company.call("POST", "/v1/refunds", {"charge": charge["id"], "amount": 1500})
    company.referenced(refund["id"])
    caught = await catch_up(context)
    assert caught.applied > 0 and not caught.more
    assert (await context.mirror.get("customer", gone["id"])).deleted
    assert orjson.loads((await context.mirror.get("customer", changed["id"])).body)["name"] == "Anew"
    assert orjson.loads((await context.mirror.get("charge", charge["id"])).body)["amount_refunded"] == 1500
    await assert_whole(context, company)
    assert (await catch_up(context)).applied == 0, "nothing is applied twice"


async def test_catching_up_moves_the_time_of_completeness_with_one_request(company: Double, open_context: Open) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    _, before = await freshness.of(context, "charge")
    company.control("DELETE", "requests")
    deadline = time.monotonic() + 10
    while (await freshness.of(context, "charge"))[1] == before:
        assert time.monotonic() < deadline
        company.control("DELETE", "requests")
        await catch_up(context)
    assert company.asked("GET", "/v1/events") == 1


async def test_without_a_first_run_catching_up_asks_nothing_of_stripe(own_double: Double, open_context: Open) -> None:
    context = await open_context(own_double, stripe_api_key="")
    assert (await catch_up(context)).applied == 0


async def test_a_second_run_repairs_and_keeps_completeness_meanwhile(company: Double, open_context: Open) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    assert await run_slice(context, 60) is Slice.DONE
    second = await request_run(context, "key_1")
    assert await run_slice(context, 0) is Slice.MORE
    assert await freshness.of(context, "charge") != (False, None)
    assert (await freshness.of(context, "charge"))[0] is True
    state = await sync_state(context)
    assert (state["run"], state["running"], state["kinds"]["charge"]["objects"]) == (second["run"], True, 0)
    assert await run_slice(context, 60) is Slice.DONE

"""Synchronisation, as people start it and follow it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions import sync
from shared import wiring
from shared.gateway.kinds import KINDS
from shared.wiring import close_context, make_context
from tests.edge.devhost_process import ROOT, running_host, wait_until
from tests.peers.sandbox import control, running_sandbox
from tests.spec.conftest import STRIPE_KEY, Billy, invocation_of
from tests.spec.test_webhooks import _prepare


class Out:
    """A queue output."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def set(self, message: str) -> None:
        self.messages.append(message)


def narrow_key(url: str, key: str, permissions: list[str]) -> None:
    assert control(url, "POST", "keys", {"key": key, "permissions": permissions}).status_code == 200


def function(builder: Any) -> Any:
    return builder._function.get_user_function()


@pytest.fixture
def synced(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> Billy:
    async def context() -> Any:
        return billy.context

    monkeypatch.setattr(wiring, "context", context)
    return billy


@pytest.mark.requirement("AB-040")
async def test_a_start_begins_one_run_and_a_second_start_answers_with_it(billy: Billy) -> None:
    first, second = await billy.rest("owner", "start_sync"), await billy.rest("owner", "start_sync")
    assert first.body["status"] == "succeeded" and first.body["result"]["state"] == "requested"
    assert first.body["result"]["run"] == second.body["result"]["run"]
    state = (await billy.rest("owner", "get_sync")).body
    assert (state["running"], state["complete"], state["kinds"]) == (True, False, {})


async def test_a_start_wakes_its_queue_where_a_run_begins_or_goes_on_and_nowhere_else(both: Billy) -> None:
    first = await both.call("owner", "start_sync", idempotency_key="k")
    joined = await both.call("owner", "start_sync")
    repeated = await both.call("owner", "start_sync", idempotency_key="k")
    assert (first.wakes, joined.wakes, repeated.wakes) == (sync.QUEUE, None, None)
    run = await both.context.records.get("sync", "run")
    assert run is not None
    await both.context.records.replace("sync", run, run.document | {"state": "stalled"})
    again = await both.call("owner", "start_sync")
    assert (again.wakes, again.body["result"]) == (sync.QUEUE, first.body["result"])


async def test_a_dry_run_starts_nothing_and_wakes_nobody(both: Billy) -> None:
    preview = await both.call("owner", "start_sync", dry_run=True)
    assert (preview.body["status"], preview.body["would"], preview.wakes) == ("preview", "act", None)
    assert (await both.rest("owner", "get_sync")).body["running"] is False


@pytest.mark.parametrize("role", ["billing_manager", "billing_clerk", "read_only"])
async def test_only_the_owner_starts_a_synchronisation_and_everybody_may_follow_it(billy: Billy, role: str) -> None:
    assert (await billy.rest(role, "start_sync")).error == "not_allowed"
    assert (await billy.rest(role, "get_sync")).error is None


async def test_the_queue_function_works_and_asks_for_more_only_while_there_is_more(synced: Billy, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = Out()
    await function(sync.run_sync)(None, invocation_of("run_sync"), idle)
    assert idle.messages == []
    await synced.rest("owner", "start_sync")
    monkeypatch.setattr(sync, "SLICE", 0)
    cut = Out()
    await function(sync.run_sync)(None, invocation_of("run_sync"), cut)
    assert len(cut.messages) == 1
    monkeypatch.setattr(sync, "SLICE", 60)
    whole = Out()
    await function(sync.run_sync)(None, invocation_of("run_sync"), whole)
    assert whole.messages == []
    state = (await synced.rest("owner", "get_sync")).body
    assert state["complete"] is True and set(state["kinds"]) == set(KINDS) and state["finished_at_iso"].endswith("Z")


async def test_a_list_says_that_it_is_complete_once_everything_was_read(synced: Billy) -> None:
    assert (await synced.rest("owner", "list_charges")).body["complete"] is False
    await synced.rest("owner", "start_sync")
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    listed = (await synced.rest("owner", "list_charges")).body
    assert listed["complete"] is True and listed["as_of"] is not None


async def test_what_was_deleted_while_nobody_looked_is_found_no_more_after_a_whole_run(synced: Billy) -> None:
    """No event tells of it: the feed begins with the run."""
    stripe, word = await synced.context.stripe(), f"longgone{synced.context.settings.store}"
    gone, kept = (synced.stripe.call("POST", "/v1/customers", {"name": f"{word} {name}"}) for name in ("Away", "Here"))
    for each in (gone, kept):
        write = (await stripe.retrieve("customer", each["id"])).write
        await synced.context.mirror.apply([replace(write, stamp=write.stamp - 40 * 86_400)])
    synced.stripe.call("DELETE", f"/v1/customers/{gone['id']}")
    assert len((await synced.rest("owner", "search", q=word)).body["data"]) == 2
    await synced.rest("owner", "start_sync")
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    assert [each["id"] for each in (await synced.rest("owner", "search", q=word)).body["data"]] == [kept["id"]]
    assert (await synced.rest("owner", "get_sync")).body["complete"] is True


async def test_a_coupon_that_is_made_again_is_in_the_mirror_again(synced: Billy) -> None:
    form = {"id": f"AGAIN-{synced.clock.now()}", "percent_off": 10, "duration": "once"}
    synced.stripe.call("POST", "/v1/coupons", form)
    await synced.rest("owner", "start_sync")
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    for step in ("DELETE", "POST"):
        path = "/v1/coupons" if step == "POST" else f"/v1/coupons/{form['id']}"
        synced.stripe.call(step, path, form | {"name": "Second"} if step == "POST" else None)
        await function(sync.sync_watch)(None, invocation_of("sync_watch"), Out())
        stored = await synced.context.mirror.get("coupon", form["id"])
        assert stored is not None and (stored.deleted, b"Second" in stored.body) == (step == "DELETE", step == "POST")


async def test_the_watch_reads_on_in_the_events_and_wakes_a_run_that_nobody_works_on(synced: Billy) -> None:
    await synced.rest("owner", "start_sync")
    waking = Out()
    await function(sync.sync_watch)(None, invocation_of("sync_watch"), waking)
    assert len(waking.messages) == 1
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    charge = synced.stripe.charge(1700)
    quiet = Out()
    await function(sync.sync_watch)(None, invocation_of("sync_watch"), quiet)
    assert quiet.messages == []
    assert (await synced.rest("owner", "get_charge", id=charge["id"])).body["amount"] == 1700
    assert (await synced.rest("owner", "get_sync")).body["last_event_at"] is not None
    await synced.rest("owner", "start_sync")
    later, both = synced.stripe.charge(1800), Out()
    await function(sync.sync_watch)(None, invocation_of("sync_watch"), both)
    assert len(both.messages) == 1, "the run waits to be gone on with"
    assert (await synced.rest("owner", "get_charge", id=later["id"])).body["amount"] == 1800, "and the mirror follows all the same"


async def test_the_timer_reads_everything_where_that_was_never_done_and_not_again(synced: Billy) -> None:
    first = Out()
    await function(sync.sync_timer)(None, invocation_of("sync_timer"), first)
    assert len(first.messages) == 1 and (await synced.rest("owner", "get_sync")).body["running"] is True
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    second = Out()
    await function(sync.sync_timer)(None, invocation_of("sync_timer"), second)
    assert second.messages == [] and (await synced.rest("owner", "get_sync")).body["running"] is False


async def test_a_kind_that_the_key_may_not_read_is_not_asked_for_again_and_again(synced: Billy) -> None:
    key = "rk_test_nochargesread000"
    permissions = [facts.permission for facts in KINDS.values() if facts.name != "charge"] + ["rak_event_read"]
    narrow_key(synced.stripe.url, key, permissions)
    await synced.context.secrets.set("stripe-api-key", key)
    narrow = await make_context(replace(synced.context.settings, stripe_api_key=""))
    synced.context = narrow
    await function(sync.sync_timer)(None, invocation_of("sync_timer"), Out())
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    state = (await synced.rest("owner", "get_sync")).body
    assert state["complete"] is False and "rak_charge_read" in state["last_error"]["next"]
    again = Out()
    await function(sync.sync_timer)(None, invocation_of("sync_timer"), again)
    assert again.messages == []
    await close_context(narrow)


@pytest.mark.requirement("SC-79", "SC-87")
async def test_what_fails_is_named_until_it_passes_and_everything_else_is_complete(synced: Billy) -> None:
    synced.stripe.fault(match="GET /v1/coupons", kind="status", status=500, times=1_000)
    await synced.rest("owner", "start_sync")
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    state = (await synced.rest("owner", "get_sync")).body
    assert [(each["part"], each["code"]) for each in state["failing"]] == [("coupon", "stripe_error")]
    assert (state["stalled"], state["running"], state["complete"]) == (True, False, False)
    assert state["stalled_since_iso"] == state["failing"][0]["since_iso"] and state["last_error"]["kind"] == "coupon"
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["coupon"]
    assert (await synced.mcp("read_only", "get_sync")).body["failing"] == state["failing"]
    synced.stripe.fault(match="GET /v1/events", kind="status", status=500, times=1_000)
    charge = synced.stripe.charge(2_100)
    synced.clock.offset += 120
    await function(sync.sync_watch)(None, invocation_of("sync_watch"), Out())
    state = (await synced.rest("owner", "get_sync")).body
    assert [each["part"] for each in state["failing"]] == ["coupon", "events"] and state["lag_seconds"] >= 100
    synced.stripe.no_faults()
    woken = Out()
    await function(sync.sync_watch)(None, invocation_of("sync_watch"), woken)
    assert len(woken.messages) == 1, "what failed is tried again by itself"
    await function(sync.run_sync)(None, invocation_of("run_sync"), Out())
    state = (await synced.rest("owner", "get_sync")).body
    assert (state["failing"], state["last_error"], state["complete"], state["stalled_since"]) == ([], None, True, None)
    assert state["events_by_catch_up"] > 0 and state["events_set_aside"] == 0
    assert (await synced.rest("owner", "get_charge", id=charge["id"])).body["amount"] == 2_100


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    home = tmp_path_factory.mktemp("sync")
    with running_sandbox(home / "sandbox", seed=5) as sandbox:
        assert control(sandbox.url, "POST", "company", {"seed": 5, "scale": 0.1}).status_code == 200
        yield home, sandbox.url


@pytest.mark.slow
@pytest.mark.requirement("AB-040")
def test_a_start_over_rest_fills_the_mirror_under_the_local_host(company: tuple[Path, str]) -> None:
    home, url = company
    key = asyncio.run(_prepare(home / "billy"))
    settings = {"BILLY_HOME": str(home / "billy"), "BILLY_STRIPE_API_BASE": url, "BILLY_STRIPE_API_KEY": STRIPE_KEY}
    bearer = {"authorization": f"Bearer {key}"}
    with running_host(home / "host", app=ROOT, **settings) as host:
        assert host.client.post("/api/sync", headers=bearer, json={}).json()["status"] == "succeeded"
        wait_until(lambda: host.client.get("/api/sync", headers=bearer).json()["complete"], "the synchronisation", 60)
        there = httpx.get(f"{url}/v1/charges?limit=1", headers={"authorization": f"Bearer {STRIPE_KEY}"}).json()["data"][0]
        listed = host.client.get("/api/charges?limit=1", headers=bearer).json()
        assert (listed["complete"], listed["data"][0]["id"]) == (True, there["id"])
    leaks = [path for path in home.rglob("*") if path.is_file() and path.name != "secrets.json" and "sandbox" not in path.parts]
    assert leaks and not [path for path in leaks if STRIPE_KEY.encode() in path.read_bytes()]

"""One failure that lasts never stops the rest: it is named with its beginning, told until it passes, and tried again by itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.context import Context
from shared.gateway import progress, runs, transport
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.kinds import KINDS
from shared.operations import freshness
from shared.operations.alarms import SYNC_FAILING, alarms
from shared.operations.sync import SyncState, request_run, sync_state
from shared.surfaces.health import health
from tests.gateway.conftest import Clock, Double
from tests.gateway.lasting import Open, filled, run, too_deep
from tests.gateway.lasting import context as context
from tests.gateway.lasting import proxy as proxy
from tests.gateway.test_backfill import at_stripe, ids
from tests.peers.proxy import Proxy, Spoil, changed, cut, says, silence

COUNTS = {"customers": 25, "charges": 50, "subscriptions": 5, "invoices": 20}


def refusal(status: int, **facts: str) -> Spoil:
    return says(status, {"error": {"type": "invalid_request_error", "message": "Not today.", **facts}}, **{"request-id": "req_1"})


def entries(turn: Callable[[list[Any]], list[Any]], *, more: bool) -> Spoil:
    return changed(lambda page: page | {"data": turn(page["data"]), "has_more": more})


FAULTS: dict[str, Spoil] = {
    "400": refusal(400),
    "400 for the cursor": refusal(400, param="starting_after"),
    "404": refusal(404),
    "404 as of an object": refusal(404, code="resource_missing"),
    "409": refusal(409),
    "500": says(500, {"error": {"type": "api_error", "message": "Sorry."}}),
    "a page for people": says(200, b"<!DOCTYPE html><html></html>"),
    "a list of another form": changed(lambda page: {"object": "list", "items": page["data"]}),
    "has_more as text": changed(lambda page: page | {"has_more": "true"}),
    "no object in it": entries(lambda data: ["", None, 7, {}], more=True),
    "an empty page that says there is more": entries(lambda data: [], more=True),
    "a page that says there is more, for ever": changed(lambda page: page | {"has_more": True}),
    "cut, of a known length": cut(300),
    "cut, of no known length": cut(300, told=False),
    "silence": silence,
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    yield from filled(tmp_path_factory.mktemp("company"), COUNTS)


@pytest.mark.requirement("SC-87")
@pytest.mark.parametrize("half", [0, 1], ids=["one half of the kinds", "the other half"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_list_that_fails_for_good_is_named_and_alarmed_and_the_others_end_complete(
    context: Context, proxy: Proxy, company: Double, clock: Clock, fault: str, half: int
) -> None:
    failing = list(KINDS)[half::2]
    for name in failing:
        proxy.spoil(KINDS[name].path, FAULTS[fault])
    assert await run(context) is Slice.STALLED
    state = await sync_state(context)
    SyncState.model_validate(state)
    for name in KINDS:
        kind = state["kinds"][name]
        if name not in failing:
            assert (kind["done"], kind["complete"], kind["error"]) == (True, True, None), name
            assert await ids(context, name) == at_stripe(company, name), name
        else:
            assert (kind["done"], kind["complete"], kind["error"]["kind"]) == (False, False, name)
            assert kind["error"]["detail"] and kind["error"]["next"] and kind["failing_since"] <= clock.now()
            assert (await freshness.of(context, name))[0] is False
    assert (state["complete"], state["stalled"], state["running"]) == (False, True, False)
    assert state["stalled_since"] is not None and state["last_error"]["kind"] in failing
    assert {each["part"] for each in state["failing"]} == set(failing)
    named = {alarm.facts["part"] for alarm in await alarms(context) if alarm.event == SYNC_FAILING}
    assert named == set(failing)
    told, status = await health(context)
    assert (status, told["mirror"]["failing"]) == (200, sorted(failing)) and told["mirror"]["failing_since"]
    for request, times in proxy.requests.items():
        if request.split("?")[0] in {KINDS[name].path for name in failing}:
            assert times <= transport.RETRIES + 1, request

    proxy.heals()
    assert await runs.is_waiting(context), "the first retry comes with the next minute"
    assert await run_slice(context, 60) is Slice.DONE
    state = await sync_state(context)
    assert (state["complete"], state["stalled"], state["failing"], state["last_error"]) == (True, False, [], None)
    for name in failing:
        assert await ids(context, name) == at_stripe(company, name), name
        assert state["kinds"][name]["objects"] == len(at_stripe(company, name)), name
    assert [alarm for alarm in await alarms(context) if alarm.event == SYNC_FAILING] == []


async def test_what_fails_waits_longer_each_time_up_to_an_hour_and_a_start_tries_at_once(
    context: Context, proxy: Proxy, clock: Clock
) -> None:
    proxy.spoil("/v1/coupons", FAULTS["500"])
    begun = clock.now()
    assert await run(context) is Slice.STALLED
    asked: list[int] = []
    for _ in range(4 * 60):
        clock.offset += 60
        before = proxy.requests.total()
        if await runs.is_waiting(context):
            assert await run_slice(context, 30) is Slice.STALLED
        if proxy.requests.total() > before:
            asked.append(int(clock.now() - begun) // 60)
    assert asked == [1, 6, 16, 36, 76, 136, 196]
    state = await sync_state(context)
    assert state["stalled_since"] <= begun + 60 and state["kinds"]["coupon"]["failing_since"] == state["stalled_since"]
    assert not await runs.is_waiting(context)
    proxy.heals()
    await request_run(context, "key_2", anew=False)
    assert await runs.is_waiting(context) and await run_slice(context, 30) is Slice.DONE


async def test_where_all_but_the_failing_is_done_a_start_reads_everything_anew(context: Context, proxy: Proxy) -> None:
    proxy.spoil("/v1/coupons", FAULTS["500"])
    assert await run(context) is Slice.STALLED
    first = (await progress.document(context, "run"))["run"]
    proxy.requests.clear()
    assert await run(context) is Slice.STALLED
    assert (await progress.document(context, "run"))["run"] != first
    assert any(request.startswith("/v1/customers?") for request in proxy.requests)
    kind = (await sync_state(context))["kinds"]["coupon"]
    assert kind["error"] is not None, "nothing is hidden by a new run"


# Single objects


async def test_an_object_that_cannot_be_kept_takes_no_other_with_it_and_is_asked_for_again(
    context: Context, proxy: Proxy, company: Double
) -> None:
    """It is nested too deeply to be written."""
    there = at_stripe(company, "dispute")
    spoilt = min(there)
    large = changed(lambda value: value | {"metadata": too_deep()})
    proxy.spoil(f"/v1/disputes/{spoilt}", large)
    proxy.spoil(
        "/v1/disputes",
        changed(lambda page: page | {"data": [each | {"metadata": too_deep()} if each["id"] == spoilt else each for each in page["data"]]}),
    )
    assert len(there) > 1
    assert await run(context) is Slice.STALLED
    assert await ids(context, "dispute") == there - {spoilt}
    state = await sync_state(context)
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["dispute"]
    assert [each["part"] for each in state["failing"]] == ["dispute"]
    assert await run_slice(context, 30) is Slice.STALLED, "nothing has changed"
    proxy.heals()
    await request_run(context, "key_1", anew=False)
    assert await run_slice(context, 30) is Slice.DONE
    assert await ids(context, "dispute") == there and (await sync_state(context))["failing"] == []


@pytest.mark.parametrize("odd", [None, "text", 7, [], {}, {"id": None}, {"id": 7, "object": "coupon"}])
async def test_an_entry_that_is_no_object_is_told_and_the_rest_of_the_list_is_read(
    context: Context, proxy: Proxy, company: Double, odd: Any
) -> None:
    proxy.spoil("/v1/coupons", changed(lambda page: page | {"data": [odd, *page["data"]]}))
    assert await run(context) is Slice.DONE
    state = await sync_state(context)
    assert await ids(context, "coupon") == at_stripe(company, "coupon")
    assert state["kinds"]["coupon"]["complete"] is False and state["kinds"]["coupon"]["error"]["kind"] == "coupon"
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["coupon"]
    proxy.heals()
    assert await run(context) is Slice.DONE and (await sync_state(context))["failing"] == []


# The list of events


@pytest.mark.requirement("SC-79", "SC-87")
@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("400 for the cursor", "404 as of an object", "no object in it")])
async def test_where_the_list_of_events_fails_for_good_kinds_are_read_and_lag_and_error_are_shown(
    context: Context, proxy: Proxy, company: Double, clock: Clock, fault: str
) -> None:
    assert await run(context) is Slice.DONE
    checked = (await sync_state(context))["caught_up_at"]
    proxy.spoil("/v1/events", FAULTS[fault], lambda query: int(query["limit"]) > 1)
    made = company.customer(name=f"After {fault}")
    clock.offset += 120
    assert (await catch_up(context)).error is not None
    clock.offset += 120
    assert (await catch_up(context)).error is not None
    state = await sync_state(context)
    (failing,) = state["failing"]
    assert failing["part"] == "events" and failing["since"] <= clock.now() - 100 and state["last_error"]["code"] == failing["code"]
    assert state["caught_up_at"] == checked and state["lag_seconds"] > 100
    assert "events" in [alarm.facts.get("part") for alarm in await alarms(context)]
    assert await run(context) is Slice.DONE, "a whole run finds what the events would have told"
    assert await context.mirror.get("customer", made["id"]) is not None
    assert [each["part"] for each in (await sync_state(context))["failing"]] == ["events"], "and hides nothing"
    proxy.heals()
    company.control("POST", "clock", {"advance": 5})
    assert (await catch_up(context)).error is None
    state = await sync_state(context)
    assert (state["failing"], state["last_error"]) == ([], None) and state["caught_up_at"] > checked


async def test_the_events_page_is_read_in_smaller_sizes_too(context: Context, proxy: Proxy, company: Double) -> None:
    assert await run(context) is Slice.DONE
    proxy.spoil("/v1/events", cut(2_000), lambda query: int(query["limit"]) > 10)
    made = [company.customer(name=f"small {n}")["id"] for n in range(25)]
    caught = await catch_up(context)
    assert caught.error is None and caught.applied >= 25
    for id in made:
        assert await context.mirror.get("customer", id) is not None


async def test_a_key_without_events_leaves_the_lists_and_is_told(company: Double, open_context: Open) -> None:
    company.control("POST", "keys", {"key": "rk_test_noevents00000", "permissions": [facts.permission for facts in KINDS.values()]})
    context = await open_context(company, stripe_api_key="rk_test_noevents00000")
    assert await run(context) is Slice.DONE
    state = await sync_state(context)
    assert all(kind["complete"] for kind in state["kinds"].values())
    assert [each["part"] for each in state["failing"]] == ["events"] and "rak_event_read" in state["last_error"]["next"]


async def test_everything_at_once_away_ends_and_comes_back_by_itself(context: Context, proxy: Proxy, company: Double) -> None:
    for facts in KINDS.values():
        proxy.spoil(facts.path, silence)
    proxy.spoil("/v1/events", silence)
    assert await run(context) is Slice.STALLED
    assert {each["part"] for each in (await sync_state(context))["failing"]} == {*KINDS, "events"}
    proxy.heals()
    assert await run_slice(context, 60) is Slice.DONE
    state = await sync_state(context)
    assert (state["complete"], state["failing"]) == (True, [])
    made = company.customer(name="Afterwards")
    assert (await catch_up(context)).applied >= 1 and await context.mirror.get("customer", made["id"]) is not None

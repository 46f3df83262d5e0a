"""Stripe's list of events: it keeps up with any rate that Stripe's limits allow, and no event holds up another."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import aside, feed, listing, progress, runs
from shared.gateway.backfill import Slice, regained, run_slice
from shared.gateway.client import ListPage, StripeGateway
from shared.gateway.feed import catch_up
from shared.gateway.kinds import KINDS
from shared.gateway.pace import Pace
from shared.gateway.webhook import apply_message
from shared.operations import freshness
from shared.operations.alarms import SYNC_FAILING, alarms
from shared.operations.sync import request_run, sync_state
from shared.stores.protocols import Query
from tests.gateway.conftest import Clock, Double, event_of
from tests.gateway.lasting import Open, filled, run, too_deep
from tests.gateway.lasting import context as context
from tests.gateway.lasting import proxy as proxy
from tests.gateway.test_backfill import at_stripe, ids
from tests.peers.proxy import Proxy, changed, running_proxy, says

PER_MINUTE = 12_000


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    yield from filled(tmp_path_factory.mktemp("company"), {"customers": 10, "charges": 15, "subscriptions": 2, "invoices": 5})


@dataclass
class Events:
    """Stripe's list of events in this process: as many as a test wants, by the list's own rules, on a clock that the test moves."""

    now: int
    listed: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # the oldest first
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def make(self, count: int, seconds: int) -> None:
        """So many events, spread over the next seconds."""
        begin = len(self.listed)
        for number in range(count):
            created = self.now + number * seconds // count
            customer = {"id": f"cus_{begin + number}", "object": "customer", "created": created, "livemode": False}
            self.listed.append(event_of(customer, "customer.created", created, id=f"evt_{begin + number:07d}"))
        self.now += seconds

    async def page(self, params: dict[str, Any]) -> ListPage:
        self.asked.append(params)
        found = [each for each in self.listed if params.get("created[gte]", 0) <= each["created"] < params.get("created[lt]", 2**40)]
        limit = params["limit"]
        if cursor := params.get("ending_before"):
            newer = [each for each in found if each["id"] > cursor]
            return ListPage(newer[:limit][::-1], len(newer) > limit, self.now)
        older = [each for each in found[::-1] if each["id"] < params.get("starting_after", "~")]
        return ListPage(older[:limit], len(older) > limit, self.now)


@pytest.fixture
async def events(company: Double, open_context: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, Events]:
    """A mirror that was whole a moment ago; what comes then is made in this process."""
    context = await open_context(company)
    assert await run(context) is Slice.DONE
    made = Events(int(clock.now()))

    async def list_events(self: StripeGateway, params: dict[str, Any]) -> ListPage:
        return await made.page(params)

    monkeypatch.setattr(StripeGateway, "list_events", list_events)
    made.make(1, 1)
    start = {"event": made.listed[0]["id"], "reading": None, "since": made.now - 60, "checked": made.now}
    await progress.change(context, "feed", lambda feed: feed | start)
    return context, made


def known(context: Context, made: Events, clock: Clock) -> None:
    clock.offset += made.now - clock.now()


# The rate


@pytest.mark.slow
async def test_more_than_ten_thousand_events_a_minute_are_read_within_the_minute_and_again_the_next(
    events: tuple[Context, Events], clock: Clock
) -> None:
    context, made = events
    before = (await context.mirror.list(_all_customers())).total
    for minute in range(1, 4):
        made.make(PER_MINUTE, 60)
        known(context, made, clock)
        begun = time.monotonic()
        caught = await catch_up(context)
        assert caught.error is None and not caught.more, "it reads to the end, however many there are"
        assert time.monotonic() - begun < feed.SECONDS
        assert (await context.mirror.list(_all_customers())).total == before + minute * PER_MINUTE
        state = await sync_state(context)
        assert (state["caught_up_at"], state["failing"]) == (made.now, []) and state["lag_seconds"] < feed.SECONDS
    assert (await catch_up(context)).applied == 0
    assert (await sync_state(context))["events_by_catch_up"] >= 3 * PER_MINUTE


async def test_a_reading_that_is_cut_off_goes_on_where_it_was_even_if_all_of_it_happened_within_the_last_minute(
    events: tuple[Context, Events], clock: Clock
) -> None:
    context, made = events
    made.make(2_000, 50)
    known(context, made, clock)
    readings = 0
    while (caught := await catch_up(context, 0)).more:
        readings += 1
        assert caught.error is None and readings < 30, "it stands still"
        assert ((await freshness.of(context, "customer"))[1] or 0) < made.now, "until the end is reached nobody says that all is known"
    assert readings == 19, "a page each, and none twice"
    assert (await sync_state(context))["caught_up_at"] == made.now
    assert (await context.mirror.list(_all_customers())).total >= 2_000


@pytest.mark.parametrize("spread", [1, 7, 3_600])
async def test_without_a_first_event_the_oldest_is_found_in_a_few_requests_and_nothing_is_left_out(
    events: tuple[Context, Events], clock: Clock, spread: int
) -> None:
    """An account that had no event when the reading began, and then has very many."""
    context, made = events
    made.listed.clear()
    since = made.now
    made.make(1_500, spread)
    await progress.change(context, "feed", lambda feed: feed | {"event": None, "since": since, "checked": since})
    known(context, made, clock)
    made.asked.clear()
    assert (await catch_up(context)).applied == 1_500
    assert len(made.asked) <= 15 + 30
    assert (await catch_up(context)).applied == 0


async def test_an_event_that_is_listed_late_is_found_by_the_overlap(events: tuple[Context, Events], clock: Clock) -> None:
    context, made = events
    made.make(500, 50)
    late = made.listed.pop(450)
    known(context, made, clock)
    while (await catch_up(context, 0)).more:
        pass
    made.listed.insert(450, late)
    assert (await catch_up(context)).applied == 1


# The pace


@pytest.mark.parametrize("per_second", [10, 25])
async def test_many_events_that_ask_for_objects_keep_to_the_rate_and_a_429_ends_nothing(
    company: Double, open_context: Open, per_second: int
) -> None:
    """Each of them is a tie, so each asks Stripe for its object."""
    context = await open_context(company, sync_requests_per_second=per_second)
    assert await run(context) is Slice.DONE
    made = [company.customer(name=f"tie {n}") for n in range(40)]
    for each in made:
        stored = (await (await context.stripe()).retrieve("customer", each["id"])).write
        body = stored.body.replace(b"tie", b"eit")
        await context.mirror.apply([replace(stored, body=body, stamp=each["created"])])
    company.control("POST", "limits", {"per_second": per_second + 5, "should_retry": None})
    company.fault(match="GET /v1/customers/*", kind="status", status=429, headers={"retry-after": "1"}, times=1)
    begun = time.monotonic()
    try:
        caught = await catch_up(context)
    finally:
        company.control("POST", "limits", {})
    assert caught.error is None and caught.applied >= 40
    assert (await sync_state(context))["events_set_aside"] == 0
    assert time.monotonic() - begun > 38 / per_second
    for each in made:
        stored = await context.mirror.get("customer", each["id"])
        assert stored is not None and orjson.loads(stored.body)["name"] == each["name"]


async def test_what_a_person_waits_for_goes_at_once_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pace, begun = Pace(20), time.monotonic()
    for _ in range(4):
        pace.sent()
    assert time.monotonic() - begun < 0.05
    await pace.turn()
    assert time.monotonic() - begun > 0.19


# One event that cannot be applied


@pytest.mark.requirement("SC-79")
@pytest.mark.parametrize("why", ["stripe cannot show its object", "it is of no form", "its object cannot be kept"])
async def test_an_event_that_cannot_be_applied_is_set_aside_and_named_and_the_others_go_on(
    context: Context, proxy: Proxy, company: Double, clock: Clock, why: str
) -> None:
    assert await run(context) is Slice.DONE
    product = company.call("POST", "/v1/products", {"name": "Poison"})
    poisoned = company.call("POST", "/v1/prices", {"product": product["id"], "currency": "usd", "unit_amount": 700})
    other = company.customer(name="Another")

    def poison(event: dict[str, Any]) -> dict[str, Any]:
        if event.get("object") == "list":
            return event | {"data": [poison(each) for each in event["data"]]}
        if event["data"]["object"].get("id") != poisoned["id"]:
            return event
        if why.startswith("stripe"):
            return event | {"api_version": "2020-08-27"}
        return event | ({"type": None} if why.startswith("it is") else {"data": {"object": poisoned | {"metadata": too_deep()}}})

    proxy.spoil("/v1/events", changed(poison))
    listed = company.call("GET", "/v1/events?limit=20")["data"]
    id = next(each["id"] for each in listed if each["data"]["object"].get("id") == poisoned["id"])
    proxy.spoil(f"/v1/events/{id}", changed(poison))
    proxy.spoil(f"/v1/prices/{poisoned['id']}", says(500, {"error": {"type": "api_error"}}))
    _, as_of = await freshness.of(context, "charge")
    company.control("POST", "clock", {"advance": 5})
    caught = await catch_up(context)
    assert caught.error is None and caught.applied >= 1
    assert await context.mirror.get("customer", other["id"]) is not None
    state = await sync_state(context)
    (failing,) = state["failing"]
    assert (failing["part"], failing["events_set_aside"], state["events_set_aside"]) == ("price", 1, 1)
    assert failing["since"] and state["last_error"]["detail"] == failing["detail"]
    assert (state["complete"], [name for name, kind in state["kinds"].items() if not kind["complete"]]) == (False, ["price"])
    assert ((await freshness.of(context, "charge"))[1] or 0) > (as_of or 0), "the other kinds are known as of now"
    assert [alarm.facts["part"] for alarm in await alarms(context) if alarm.event == SYNC_FAILING] == ["price"]
    assert (await catch_up(context)).error is None, "and so with the next reading"
    proxy.heals()
    clock.offset += runs.LONGEST_PAUSE + 1
    assert (await catch_up(context)).error is None
    state = await sync_state(context)
    assert (state["complete"], state["failing"], state["events_set_aside"]) == (True, [], 0)
    assert await context.mirror.get("price", poisoned["id"]) is not None


@pytest.mark.requirement("SC-79")
async def test_an_event_that_fails_in_the_queue_is_named_by_the_next_reading(context: Context, proxy: Proxy, company: Double) -> None:
    assert await run(context) is Slice.DONE
    customer = company.customer(name="Poison in the queue")
    event = next(each for each in company.call("GET", "/v1/events?limit=20")["data"] if each["data"]["object"].get("id") == customer["id"])
    old = {"api_version": "2020-08-27"}
    proxy.spoil(
        "/v1/events", changed(lambda page: page | {"data": [each | old if each["id"] == event["id"] else each for each in page["data"]]})
    )
    proxy.spoil(f"/v1/customers/{customer['id']}", says(500, {"error": {"type": "api_error"}}))
    with pytest.raises(BillyError):
        await apply_message(context, {"event": event | old})
    assert (await catch_up(context)).error is None
    assert [each["part"] for each in (await sync_state(context))["failing"]] == ["customer"]
    proxy.heals()
    await apply_message(context, {"event": event | old})
    assert (await catch_up(context)).error is None
    assert (await sync_state(context))["failing"] == [], "the queue brought it after all"


async def test_where_no_event_of_many_can_be_applied_the_reading_waits_and_sets_none_aside(
    context: Context, proxy: Proxy, company: Double
) -> None:
    """It is an outage then, and not the events."""
    assert await run(context) is Slice.DONE
    made = [company.customer(name=f"old {n}") for n in range(aside.OUTAGE)]
    proxy.spoil("/v1/events", changed(lambda page: page | {"data": [each | {"api_version": "2020-08-27"} for each in page["data"]]}))
    for each in made:
        proxy.spoil(f"/v1/customers/{each['id']}", says(503, b"away"))
    assert (await catch_up(context)).error is not None
    state = await sync_state(context)
    assert (state["events_set_aside"], [each["part"] for each in state["failing"]]) == (0, ["events"])
    proxy.heals()
    assert (await catch_up(context)).applied >= len(made)


async def test_more_events_than_can_be_set_aside_want_a_whole_run_of_their_kind(
    context: Context, proxy: Proxy, company: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "MOST", 2)
    assert await run(context) is Slice.DONE
    made = [company.customer(name=f"old {n}") for n in range(4)]
    ids = {each["id"] for each in made}
    proxy.spoil(
        "/v1/events",
        changed(
            lambda page: (
                page
                | {
                    "data": [
                        each | ({"api_version": "2020-08-27"} if each["data"]["object"].get("id") in ids else {}) for each in page["data"]
                    ]
                }
            )
        ),
    )
    for each in made:
        proxy.spoil(f"/v1/customers/{each['id']}", says(500, {"error": {"type": "api_error"}}))
    assert (await catch_up(context)).error is None
    state = await sync_state(context)
    assert state["events_set_aside"] == 2 and state["kinds"]["customer"]["complete"] is False
    assert (await progress.document(context, "kind:customer"))["complete"] is False
    proxy.heals()
    await run(context)
    await catch_up(context)
    state = await sync_state(context)
    assert (state["complete"], state["failing"]) == (True, [])


# What else went on for ever


@pytest.mark.parametrize("status, code", [(400, None), (400, "resource_missing"), (404, "resource_missing")])
@pytest.mark.parametrize("deleted", [1, 5, 6])
async def test_a_cursor_that_was_deleted_while_its_list_was_read_costs_nothing(
    own_double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch, status: int, code: str | None, deleted: int
) -> None:
    monkeypatch.setattr(listing, "PAGE", 10)
    monkeypatch.setattr(listing, "AHEAD", 1)
    for number in range(25):
        own_double.customer(email=f"c{number}@example.com")
    there = own_double.call("GET", "/v1/customers?limit=100")["data"]
    error = {"type": "invalid_request_error", "param": "starting_after", **({"code": code} if code else {})}
    gone: list[str] = []

    def is_gone(query: dict[str, str]) -> bool:
        cursor = query.get("starting_after")
        if cursor and not gone:
            gone.extend(each["id"] for each in there[9 : 9 - deleted : -1])
            for id in gone:
                own_double.call("DELETE", f"/v1/customers/{id}")
        return cursor in gone

    async with running_proxy(own_double.url) as proxy:
        proxy.spoil("/v1/customers", says(status, {"error": error}), is_gone)
        context = await open_context(Double(proxy.url))
        assert await run(context) is Slice.DONE
        state = await sync_state(context)
        assert state["complete"] and state["kinds"]["customer"]["objects"] in (25, 25 - deleted), "counted once, also where it began anew"
        assert await ids(context, "customer") == at_stripe(own_double, "customer")


async def test_an_event_that_stripe_keeps_no_more_is_read_on_from_its_time(context: Context, proxy: Proxy, company: Double) -> None:
    """Stripe says so with 400 and the parameter's name."""
    assert await run(context) is Slice.DONE
    made = company.customer(name="Since then")
    error = {"type": "invalid_request_error", "param": "ending_before", "message": "No such event"}
    first = (await progress.document(context, "feed"))["event"]
    proxy.spoil("/v1/events", says(400, {"error": error}), lambda query: query.get("ending_before") == first)
    assert (await catch_up(context)).applied >= 1
    assert await context.mirror.get("customer", made["id"]) is not None


@pytest.mark.parametrize("back", [120, 3_600, 40 * 86_400])
async def test_a_clock_that_is_set_back_keeps_no_run_waiting(company: Double, open_context: Open, clock: Clock, back: int) -> None:
    context = await open_context(company)
    await request_run(context, "key_1")
    assert await runs.Lease.take(context) is not None, "whoever had it dies"
    await progress.change(context, "run", lambda run: run | {"again_at": clock.now() + runs.LONGEST_PAUSE})
    clock.offset -= back + runs.LEASE + runs.LONGEST_PAUSE
    assert await runs.is_waiting(context)
    assert await run_slice(context, 60) is Slice.DONE


async def test_a_run_that_nobody_works_on_says_where_it_stands_and_since_when(context: Context, clock: Clock) -> None:
    await request_run(context, "key_1")
    begun = int(clock.now())
    assert (await sync_state(context))["stalled"] is False
    clock.offset += 301
    state = await sync_state(context)
    (failing,) = state["failing"]
    assert (state["stalled"], failing["part"], failing["code"]) == (True, "run", "unavailable")
    assert begun - 1 <= failing["since"] == state["stalled_since"] <= begun + 1
    assert [alarm.facts["part"] for alarm in await alarms(context) if alarm.event == SYNC_FAILING] == ["run"]


async def test_a_crash_of_a_run_is_told_and_gives_the_lease_back(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: Any) -> None:
        raise LookupError("canary-Jane-Doe")

    await request_run(context, "key_1")
    with monkeypatch.context() as broken:
        broken.setattr(feed, "open_feed", crash)
        assert await run_slice(context, 60) is Slice.STALLED
    state = await sync_state(context)
    assert (state["last_error"]["code"], state["failing"][0]["part"]) == ("internal", "run") and state["last_error"]["reference"]
    assert "canary" not in orjson.dumps(state).decode()
    assert await run_slice(context, 60) is Slice.DONE, "at once, and not when the lease has run out"


# A permission that is lost in mid-life


@pytest.mark.requirement("SC-79")
async def test_a_permission_that_is_lost_in_mid_life_stops_nothing_and_its_kind_is_not_complete_until_it_is_back(
    company: Double, open_context: Open, clock: Clock
) -> None:
    key = "rk_test_lostinmidlife00"
    every = [facts.permission for facts in KINDS.values()] + ["rak_event_read"]
    company.control("POST", "keys", {"key": key, "permissions": every})
    context = await open_context(company, stripe_api_key=key)
    assert await run(context) is Slice.DONE and (await sync_state(context))["complete"]
    company.control("POST", "keys", {"key": key, "permissions": [each for each in every if each != "rak_customer_read"]})
    customer = company.customer(name="Unreadable")
    tied = event_of(customer | {"name": "Another body of the same second"}, "customer.updated", customer["created"])
    await apply_message(context, {"event": event_of(customer, "customer.created", customer["created"])})
    await apply_message(context, {"event": tied})
    charge = company.charge(4_000)
    assert (await catch_up(context)).error is None
    assert await context.mirror.get("charge", charge["id"]) is not None
    state = await sync_state(context)
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["customer"]
    assert state["last_error"]["permission"] == "rak_customer_read" and "rak_customer_read" in state["last_error"]["next"]
    assert await run(context) is Slice.DONE
    state = await sync_state(context)
    assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == ["customer"]
    assert not await regained(context)
    company.control("POST", "keys", {"key": key, "permissions": every})
    assert await regained(context), "which the timer finds out with one request"
    assert await run(context) is Slice.DONE
    state = await sync_state(context)
    assert (state["complete"], state["failing"]) == (True, [])


def _all_customers() -> Query:
    return Query("customer", limit=1)

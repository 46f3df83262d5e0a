"""Events in any order, any number of times: the mirror ends with what Stripe holds."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from shared.context import Context
from shared.errors import BillyError
from shared.gateway.apply import Outcome, apply_event
from tests.gateway.conftest import Double, event_of


async def held(context: Context, kind: str, id: str) -> dict[str, Any] | None:
    stored = await context.mirror.get(kind, id)
    return orjson.loads(stored.body) if stored else None


@pytest.mark.requirement("AB-043", "AB-044")
@pytest.mark.parametrize("card, status", [("pm_card_visa", "succeeded"), ("pm_card_chargeDeclined", "failed")])
async def test_a_charge_appears_from_its_event(context: Context, double: Double, card: str, status: str) -> None:
    if status == "succeeded":
        charge = double.charge(payment_method=card)
    else:
        charge = double.charge() | {"id": "ch_failedone", "status": "failed", "paid": False, "failure_code": "card_declined"}
    outcome = await apply_event(context, event_of(charge, f"charge.{status}", charge["created"]))
    assert outcome is Outcome.APPLIED
    stored = await held(context, "charge", charge["id"])
    assert stored == charge and stored["status"] == status


@pytest.mark.requirement("SC-53")
async def test_an_event_that_comes_twice_has_one_effect_and_one_record(context: Context, double: Double) -> None:
    event = event_of(charge := double.charge(), "charge.succeeded", charge["created"])
    first, second = await apply_event(context, event), await apply_event(context, event)
    assert (first, second) == (Outcome.APPLIED, Outcome.SUPERSEDED)
    record = await context.records.get("events", event["id"])
    assert record is not None
    assert (record.document["type"], record.document["object"], record.document["outcome"]) == ("charge.succeeded", charge["id"], "applied")


@pytest.mark.requirement("SC-53")
async def test_an_older_event_that_comes_late_changes_nothing(context: Context, double: Double) -> None:
    customer = double.customer(name="New")
    await apply_event(context, event_of(customer, "customer.updated", 2_000))
    assert await apply_event(context, event_of(customer | {"name": "Old"}, "customer.updated", 1_000)) is Outcome.SUPERSEDED
    assert (await held(context, "customer", customer["id"]) or {})["name"] == "New"


@pytest.mark.requirement("SC-53")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_events_of_one_second_end_in_stripes_state_in_every_order(context: Context, double: Double, order: tuple[int, ...]) -> None:
    charge = double.charge(3000)
    states = [charge]
    for amount in (500, 700):
        double.call("POST", "/v1/refunds", {"charge": charge["id"], "amount": amount})
        states.append(double.call("GET", f"/v1/charges/{charge['id']}"))
    events = [event_of(state, "charge.updated", charge["created"]) for state in states]
    for place in order:
        await apply_event(context, events[place])
    assert await held(context, "charge", charge["id"]) == states[-1]


async def test_events_of_one_second_that_come_at_once_end_in_stripes_state(context: Context, double: Double) -> None:
    customer = double.customer(name="0")
    events = []
    for number in range(12):
        value = double.call("POST", f"/v1/customers/{customer['id']}", {"name": str(number)})
        events.append(event_of(value, "customer.updated", customer["created"]))
    await asyncio.gather(*(apply_event(context, event) for event in events))
    assert (await held(context, "customer", customer["id"]) or {})["name"] == "11"


@pytest.mark.requirement("SC-53")
@pytest.mark.parametrize("stamps", [(2_000, 1_000), (1_000, 1_000), (1_000, 2_000)])
async def test_a_deleted_customer_is_not_woken_by_an_event_that_comes_late(
    context: Context, double: Double, stamps: tuple[int, int]
) -> None:
    customer = double.customer(name="Ann")
    double.call("DELETE", f"/v1/customers/{customer['id']}")
    deletion, update = (
        event_of(customer, "customer.deleted", stamps[0]),
        event_of(customer | {"name": "Late"}, "customer.updated", stamps[1]),
    )
    await apply_event(context, deletion)
    await apply_event(context, update)
    stored = await context.mirror.get("customer", customer["id"])
    assert stored is not None and stored.deleted and b"Ann" not in stored.body and b"Late" not in stored.body


async def test_a_tie_with_an_object_that_is_gone_leaves_a_tombstone(context: Context, double: Double) -> None:
    customer = double.customer(name="Ann")
    double.call("DELETE", f"/v1/customers/{customer['id']}")
    await apply_event(context, event_of(customer, "customer.created", 1_000))
    assert await apply_event(context, event_of(customer | {"name": "B"}, "customer.updated", 1_000)) is Outcome.REFETCHED
    stored = await context.mirror.get("customer", customer["id"])
    assert stored is not None and stored.deleted


COUPON = {"percent_off": 10, "duration": "once"}


@pytest.mark.parametrize("between", [0, 5, 86_400])
async def test_a_coupon_that_is_deleted_and_made_again_is_in_the_mirror_whatever_order_its_events_come_in(
    own_double: Double, open_context: Callable[..., Any], between: int
) -> None:
    context = await open_context(own_double)
    for order in [*itertools.permutations(range(3)), (2, 0, 1, 2, 0, 1), (1, 1, 2, 0)]:
        id = f"SPRING {''.join(map(str, order))}"
        first, deleted, second, again = _made_twice(own_double, id, between)
        for place in order:
            await apply_event(context, (first, deleted, second)[place])
        assert await held(context, "coupon", id) == again, order
        own_double.call("DELETE", f"/v1/coupons/{quote(id)}")
        (end, *_) = own_double.call("GET", "/v1/events?limit=1")["data"]
        for event in (end, second, first, deleted):
            await apply_event(context, event)
        stored = await context.mirror.get("coupon", id)
        assert stored is not None and stored.deleted and b"Second" not in stored.body, order


def _made_twice(double: Double, id: str, between: int) -> tuple[dict[str, Any], ...]:
    """Makes a coupon, deletes it and makes it again: the three events, and the second coupon."""
    double.call("POST", "/v1/coupons", COUPON | {"id": id, "name": "First"})
    double.control("POST", "clock", {"advance": between})
    double.call("DELETE", f"/v1/coupons/{quote(id)}")
    double.control("POST", "clock", {"advance": between})
    again = double.call("POST", "/v1/coupons", COUPON | {"id": id, "name": "Second"})
    events = double.call("GET", "/v1/events?limit=3")["data"][::-1]
    assert [each["type"] for each in events] == ["coupon.created", "coupon.deleted", "coupon.created"]
    return (*events, again)


async def test_a_deletion_of_an_id_given_again_asks_nothing_of_stripe_where_the_times_tell(context: Context, double: Double) -> None:
    coupon = double.call("POST", "/v1/coupons", COUPON)
    double.call("DELETE", f"/v1/coupons/{coupon['id']}")
    double.control("DELETE", "requests")
    deleted = event_of(coupon, "coupon.deleted", coupon["created"] + 1_000)
    for event in (
        event_of(coupon, "coupon.created", coupon["created"]),
        deleted,
        event_of(coupon, "coupon.updated", coupon["created"] + 500),
    ):
        await apply_event(context, event)
    stored = await context.mirror.get("coupon", coupon["id"])
    assert stored is not None and stored.deleted
    assert double.asked("GET", f"/v1/coupons/{coupon['id']}") == 0


@pytest.mark.requirement("SC-53")
@pytest.mark.parametrize("facts", [{"livemode": True}, {"account": "acct_other"}, {"context": "org_1/acct_2"}])
async def test_an_event_of_another_mode_or_account_is_recorded_and_has_no_effect(
    context: Context, double: Double, facts: dict[str, Any]
) -> None:
    charge = double.charge()
    event = event_of(charge, "charge.succeeded", charge["created"], **facts)
    assert await apply_event(context, event) is Outcome.FOREIGN
    assert await context.mirror.get("charge", charge["id"]) is None
    record = await context.records.get("events", event["id"])
    assert record is not None and record.document["outcome"] == "foreign"


async def test_a_live_key_takes_live_events_and_no_test_events(double: Double, open_context: Callable[..., Any]) -> None:
    key = "rk_live_gateway000000"
    live = await open_context(double, stripe_api_key=key, stripe_api_base="https://api.stripe.com")
    known = {"livemode": True, "account": "acct_live", "checked": hashlib.sha256(key.encode()).hexdigest()[:16]}
    await live.records.insert("deployment", "mode", known)  # by an earlier start, so that nothing is asked for now
    charge = double.charge()
    assert await apply_event(live, event_of(charge, "charge.succeeded", 1)) is Outcome.FOREIGN
    assert await apply_event(live, event_of(charge, "charge.succeeded", 2, livemode=True)) is Outcome.APPLIED


@pytest.mark.requirement("AB-051", "SC-53")
async def test_an_unknown_type_is_recorded_and_ignored(context: Context) -> None:
    event = event_of({"id": "xx_1", "object": "novelty"}, "novelty.happened", 5)
    assert await apply_event(context, event) is Outcome.IGNORED
    record = await context.records.get("events", event["id"])
    assert record is not None and (record.document["type"], record.document["outcome"]) == ("novelty.happened", "ignored")


async def test_an_event_in_the_shape_of_another_api_version_makes_us_read_the_object(context: Context, double: Double) -> None:
    charge = double.charge()
    old = {"id": charge["id"], "object": "charge", "amount": 1, "created": charge["created"], "invoice": "in_old"}
    outcome = await apply_event(context, event_of(old, "charge.updated", charge["created"] + 50, api_version="2020-08-27"))
    assert outcome is Outcome.REFETCHED
    assert await held(context, "charge", charge["id"]) == charge


@pytest.mark.parametrize(
    "event", [{}, {"object": "v2.core.event", "id": "evt_1", "type": "v1.charge.refunded"}, {"object": "event", "id": "../x", "type": "a"}]
)
async def test_what_is_no_snapshot_event_is_refused(context: Context, event: dict[str, Any]) -> None:
    with pytest.raises(BillyError):
        await apply_event(context, event)


async def test_a_tie_that_cannot_be_settled_now_is_raised_so_that_it_comes_again(context: Context, double: Double) -> None:
    customer = double.customer(name="now")
    await apply_event(context, event_of(customer | {"name": "a"}, "customer.created", 1_000))
    double.fault(match="GET /v1/customers/*", kind="status", status=400, times=1)
    tie = event_of(customer | {"name": "b"}, "customer.updated", 1_000)
    with pytest.raises(BillyError):
        await apply_event(context, tie)
    assert await context.records.get("events", tie["id"]) is None
    assert await apply_event(context, tie) is Outcome.REFETCHED
    assert (await held(context, "customer", customer["id"]) or {})["name"] == "now"

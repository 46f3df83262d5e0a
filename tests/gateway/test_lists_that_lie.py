"""Answers of Stripe's that cannot be true, and objects that cannot be asked for: nothing hangs, nothing is lost in silence, nothing is deleted."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import BillyError
from shared.gateway import aside, feed, oldest, progress, single
from shared.gateway.apply import Outcome, apply_event
from shared.gateway.backfill import Slice
from shared.gateway.client import ListPage, StripeGateway, gateway
from shared.gateway.kinds import KINDS, write_from_object
from shared.gateway.pace import Pace
from shared.gateway.work import Work
from shared.operations import freshness
from shared.operations.sync import sync_state
from shared.stores.deployment import announce
from tests.gateway.conftest import Clock, Double, event_of
from tests.gateway.lasting import run
from tests.gateway.test_account import other as other

pytestmark = pytest.mark.requirement("SC-87")

Open = Callable[..., Any]
MOST = 2_000  # requests after which nothing is bounded any more
THEIRS = "rk_test_theirs00000000000000"


class Listed:
    """A list of events that answers as it likes."""

    def __init__(self, page: Callable[[Any], ListPage]) -> None:
        self.pace = Pace(1e9)
        self._page = page
        self._asked = 0

    async def list_events(self, params: Any) -> ListPage:
        self._asked += 1
        assert self._asked < MOST, "it has no end"
        return self._page(params)


def _events(count: int, *, apart: int) -> list[dict[str, Any]]:
    """The newest first."""
    return [{"id": f"evt_{number:05d}", "created": 1_000 + number * apart} for number in reversed(range(count))]


def _repeats(params: Any) -> ListPage:
    return ListPage(_events(300, apart=0)[: params["limit"]], True, 2_000)


def _hides(params: Any) -> ListPage:
    if "created[lt]" in params and params["created[gte]"] == 1_000:
        return ListPage([], True, 2_000)
    found = [e for e in _events(400, apart=1) if params["created[gte]"] <= e["created"] < params.get("created[lt]", 9e9)]
    return ListPage(found[: params["limit"]], len(found) > params["limit"], 2_000)


@pytest.mark.parametrize("page", [_repeats, _hides])
async def test_a_list_of_events_that_repeats_itself_or_hides_some_is_broken_off_and_not_read_past(page: Callable[[Any], ListPage]) -> None:
    with pytest.raises(BillyError, match="broke off"):
        await oldest.oldest_since(Listed(page), 1_000, 100)  # type: ignore[arg-type]


async def test_refunds_of_a_charge_whose_page_comes_again_are_unreadable(
    double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe = await gateway(await open_context(double))

    async def again(self: StripeGateway, kind: str, params: Any) -> ListPage:
        return ListPage([{"id": "re_1"}], True, 2_000)

    monkeypatch.setattr(StripeGateway, "list_page", again)
    async with asyncio.timeout(10):
        with pytest.raises(BillyError, match="cannot be read"):
            await stripe.of_charge("refund", "ch_1")


@pytest.mark.parametrize(
    "value", [{"object": "list", "data": []}, {"object": "charge", "id": "cus_1"}, {"object": "customer", "id": "cus_2"}]
)
async def test_an_answer_about_something_else_is_unreadable(
    double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch, value: dict[str, Any]
) -> None:
    stripe = await gateway(await open_context(double))

    async def answered(self: StripeGateway, *given: Any) -> tuple[dict[str, Any], int]:
        return value, 1

    monkeypatch.setattr(StripeGateway, "_call", answered)
    with pytest.raises(BillyError, match="cannot be read"):
        await stripe.retrieve("customer", "cus_1")


async def test_an_object_that_is_listed_and_cannot_be_asked_for_is_kept_as_it_is_listed(
    double: Double, open_context: Open, clock: Clock
) -> None:
    context = await open_context(double)
    now = int(clock.now())
    plan = {"id": "gold/monthly", "object": "price", "created": now - 9_999, "unit_amount": 5, "currency": "usd", "active": True}
    await context.mirror.apply([write_from_object("price", plan, now)])
    work = Work(context, await gateway(context), None, asyncio.get_running_loop().time() + 10)  # type: ignore[arg-type]
    await single.write_page(work, KINDS["price"], [ListPage([plan | {"active": False}], False, now + 5)])
    stored = await context.mirror.get("price", "gold/monthly")
    assert stored is not None and not stored.deleted and b'"active":false' in stored.body


async def _unread(self: StripeGateway, kind: str, id: str) -> Any:
    raise BillyError("stripe_error", "Stripe failed to answer.", next="Try again.")


async def test_many_events_of_one_object_that_cannot_be_read_are_set_aside_and_stop_nothing(
    double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await open_context(double)
    await gateway(context)
    charge = double.charge()
    monkeypatch.setattr(StripeGateway, "retrieve", _unread)
    events = [event_of(charge, "charge.updated", charge["created"] + n, id=f"evt_same{n}", api_version="2020-08-27") for n in range(25)]
    assert await aside.apply_or_set_aside(context, events, {}) == 0
    assert len((await progress.document(context, "feed"))["aside"]) == 25


async def test_what_an_event_changes_besides_its_object_is_not_complete_while_that_cannot_be_read(
    double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await open_context(double)
    assert await run(context) is Slice.DONE
    charge = double.charge()
    await apply_event(context, event_of(charge, "charge.succeeded", charge["created"]))
    monkeypatch.setattr(StripeGateway, "retrieve", _unread)
    second = charge["created"]
    dispute = {"id": "dp_1", "object": "dispute", "charge": charge["id"], "created": second, "status": "needs_response", "amount": 1}
    discount = {"id": "di_1", "object": "discount", "customer": "cus_1", "created": second}
    for value, type in ((dispute, "charge.dispute.created"), (discount, "customer.discount.created")):
        await aside.apply_or_set_aside(context, [event_of(value, type, second + 100, id=f"evt_{value['id']}")], {})
    complete = {kind: (await freshness.of(context, kind))[0] for kind in ("dispute", "charge", "customer", "product")}
    assert complete == {"dispute": False, "charge": False, "customer": False, "product": True}
    monkeypatch.undo()
    await aside.try_again(context, await gateway(context), (await progress.document(context, "feed"))["aside"])  # Stripe has them no more
    assert not (await freshness.of(context, "customer"))[0], "only a whole run tells what a lost event told"


async def test_a_move_leaves_nothing_of_the_old_account_however_long_ago_it_was_announced(
    double: Double, other: Double, open_context: Open, clock: Clock
) -> None:
    context = await open_context(double)
    assert await run(context) is Slice.DONE
    await announce(context.records, other.call("GET", "/v1/account")["id"], clock.now() - 3_600)
    charge = double.charge()
    await apply_event(context, event_of(charge, "charge.succeeded", charge["created"]))
    broken = {"code": "internal", "detail": "x", "next": "y"}
    await aside._set_aside(context, [(event_of(charge, "charge.updated", 1, id="evt_x1"), broken)])
    moved = await open_context(other, stripe_api_key=THEIRS)
    assert await run(moved) is Slice.DONE
    await feed.catch_up(moved)
    row = await moved.mirror.get("charge", charge["id"])
    assert row is not None and row.deleted
    state = await sync_state(moved)
    assert (state["events_set_aside"], state["complete"]) == (0, True)


async def test_an_event_whose_organisation_cannot_be_told_is_settled_by_what_the_key_sees(double: Double, open_context: Open) -> None:
    double.fault(match="GET /v1/account", kind="status", status=403, times=9)
    context = await open_context(double)
    charge = double.charge()
    event = event_of(charge, "charge.succeeded", charge["created"], context="acct_ours")
    assert await apply_event(context, event) is Outcome.REFETCHED
    assert await context.mirror.get("charge", charge["id"]) is not None
    stranger = event_of(charge | {"id": "ch_ofanother"}, "charge.succeeded", charge["created"], context="acct_theirs")
    await apply_event(context, stranger)
    assert await context.mirror.get("charge", "ch_ofanother") is None

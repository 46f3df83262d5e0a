"""Test and live never meet, nor do two accounts: the first key fixes a deployment's account and mode."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.context import Context
from shared.errors import BillyError
from shared.gateway.apply import Outcome, apply_event
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.client import gateway
from shared.operations.sync import request_run, sync_state
from shared.stores.deployment import announce
from shared.stores.protocols import Query
from tests.gateway.conftest import Double, event_of
from tests.peers.sandbox import running_sandbox

LIVE = "rk_live_gateway00000000000000"


async def test_a_live_key_on_records_of_the_test_mode_reads_and_writes_nothing(double: Double, open_context: Callable[..., Any]) -> None:
    customer = double.customer()
    await gateway(await open_context(double))
    context = await open_context(double, stripe_api_key=LIVE)
    await request_run(context, "system")
    assert await run_slice(context, 10) is Slice.STALLED
    with pytest.raises(BillyError, match="live mode") as refusal:
        await apply_event(context, event_of(customer | {"livemode": True}, "customer.updated", 1_800_000_000, livemode=True))
    assert refusal.value.next is not None
    assert "BILLY_HOME" in refusal.value.next
    assert await context.mirror.get("customer", customer["id"]) is None


async def test_another_key_of_the_same_mode_goes_on(double: Double, open_context: Callable[..., Any]) -> None:
    await gateway(await open_context(double))
    assert not (await gateway(await open_context(double, stripe_api_key="rk_test_rotated00000000000"))).livemode


async def test_a_synchronisation_that_stalled_at_its_key_ends_with_another(double: Double, open_context: Callable[..., Any]) -> None:
    context = await open_context(double, stripe_api_key="sk_test_unrestricted0000000")
    await request_run(context, "system")
    assert await run_slice(context, 10) is Slice.STALLED
    assert (await request_run(context, "system"))["state"] == "requested"
    mended = await open_context(double)
    assert await run_slice(mended, 30) is Slice.DONE
    assert (await sync_state(mended))["last_error"] is None


# Accounts


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Double]:
    """Another company's account, in the same mode."""
    with running_sandbox(tmp_path / "other", seed=8) as sandbox:
        yield Double(sandbox.url)


async def _refused(context: Context) -> BillyError:
    with pytest.raises(BillyError) as refusal:
        await gateway(context)
    assert refusal.value.code == "unavailable" and refusal.value.next and "move_account" in refusal.value.next
    return refusal.value


@pytest.mark.requirement("SC-80", "SC-88")
async def test_a_key_of_another_account_is_refused_before_anything_is_read_and_both_are_named(
    double: Double, other: Double, open_context: Callable[..., Any]
) -> None:
    ours, theirs = (each.call("GET", "/v1/account")["id"] for each in (double, other))
    context = await open_context(double)
    assert (await gateway(context)).account_id == ours
    other.customer(email="stranger@example.com")
    other.control("DELETE", "requests")
    moved = await open_context(other, stripe_api_key="rk_test_theirs00000000000000")
    refusal = await _refused(moved)
    assert theirs in refusal.detail and ours in refusal.detail
    await request_run(moved, "system")
    assert await run_slice(moved, 10) is Slice.STALLED
    assert {each["path"] for each in other.control("GET", "requests")["requests"]} == {"/v1/account"}
    assert (await moved.mirror.list(Query("customer"))).total == 0


async def test_the_account_is_asked_for_once_with_each_key_and_not_with_each_start(
    double: Double, open_context: Callable[..., Any]
) -> None:
    double.control("DELETE", "requests")
    for _ in range(3):
        await gateway(await open_context(double))
    assert double.asked("GET", "/v1/account") == 1
    await gateway(await open_context(double, stripe_api_key="rk_test_rotated00000000000"))
    assert double.asked("GET", "/v1/account") == 2


@pytest.mark.requirement("SC-80")
async def test_a_key_that_may_not_read_its_account_is_known_by_what_is_kept_here(
    double: Double, other: Double, open_context: Callable[..., Any]
) -> None:
    for each in (double, other):
        each.fault(match="GET /v1/account", kind="status", status=403, times=9)
    context = await open_context(double)
    assert (await gateway(context)).account_id is None
    charge = double.charge()
    await apply_event(context, event_of(charge, "charge.succeeded", charge["created"]))
    await gateway(await open_context(double, stripe_api_key="rk_test_rotated00000000000"))
    refusal = await _refused(await open_context(other, stripe_api_key="rk_test_theirs00000000000000"))
    assert charge["id"] in refusal.detail


async def test_while_stripe_cannot_tell_the_account_nothing_is_read(double: Double, open_context: Callable[..., Any]) -> None:
    double.fault(match="GET /v1/account", kind="status", status=500, times=9)
    context = await open_context(double)
    with pytest.raises(BillyError):
        await gateway(context)
    double.control("DELETE", "faults")
    assert (await gateway(context)).account_id


async def test_an_event_that_names_ones_own_account_is_ones_own(double: Double, open_context: Callable[..., Any]) -> None:
    context = await open_context(double)
    charge = double.charge()
    own = (await gateway(context)).account_id
    assert await apply_event(context, event_of(charge, "charge.succeeded", charge["created"], account=own)) is Outcome.APPLIED


# Moving on purpose


async def test_after_a_move_on_purpose_the_mirror_holds_the_other_account_and_nothing_of_the_old_one(
    double: Double, other: Double, open_context: Callable[..., Any]
) -> None:
    theirs = other.call("GET", "/v1/account")["id"]
    for each, name in ((double, "old"), (other, "new")):
        each.customer(email=f"{name}@example.com")
        each.call("POST", "/v1/coupons", {"id": "and same", "percent_off": 5, "duration": "once"})
    context = await open_context(double)
    await request_run(context, "system")
    assert await run_slice(context, 60) is Slice.DONE
    await announce(context.records, theirs, context.seam.now() + 1)
    assert (await sync_state(context))["moving_to"] == theirs
    await gateway(await open_context(double, stripe_api_key="rk_test_still000000000000"))
    assert (await sync_state(context))["complete"], "with the old key all goes on"
    moved = await open_context(other, stripe_api_key="rk_test_theirs00000000000000")
    assert (await gateway(moved)).account_id == theirs
    state = await sync_state(moved)
    assert (state["account"], state["moving_to"], state["complete"]) == (theirs, None, False)
    other.control("DELETE", "requests")
    await request_run(moved, "system")
    assert await run_slice(moved, 60) is Slice.DONE
    held = (await moved.mirror.list(Query("customer", limit=100))).bodies
    assert len(held) == 1 and b"new@example.com" in held[0]
    same = await moved.mirror.get("coupon", "and same")
    assert same is not None and not same.deleted, "an id that people chose may be there on both"
    assert (await sync_state(moved))["complete"]
    assert theirs in (await _refused(await open_context(double))).detail


async def test_a_move_that_is_announced_for_ones_own_account_is_none(double: Double, open_context: Callable[..., Any]) -> None:
    context = await open_context(double)
    own = (await gateway(context)).account_id
    assert own
    await announce(context.records, "acct_elsewhere", 1.0)
    await announce(context.records, own, 2.0)
    assert (await sync_state(context))["moving_to"] is None

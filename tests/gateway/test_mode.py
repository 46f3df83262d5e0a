"""Test and live never meet: the first key fixes a deployment's mode."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import BillyError
from shared.gateway.apply import apply_event
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.client import gateway
from shared.operations.sync import request_run
from tests.gateway.conftest import Double, event_of

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


async def test_a_stalled_synchronisation_that_is_started_again_tells_its_old_error_no_more(
    double: Double, open_context: Callable[..., Any]
) -> None:
    context = await open_context(double, stripe_api_key="sk_test_unrestricted0000000")
    await request_run(context, "system")
    assert await run_slice(context, 10) is Slice.STALLED
    again = await request_run(context, "system")
    assert (again["state"], again["last_error"]) == ("requested", None)
    mended = await open_context(double)
    assert await run_slice(mended, 30) is Slice.DONE

"""More events than the stores take at once: they wait, come again, and are each there once; what no queue brought is read from Stripe."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import BillyError
from shared.gateway import feed
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.webhook import apply_message
from shared.operations import freshness
from shared.operations.sync import request_run
from shared.stores.protocols import Query
from tests.gateway.conftest import Double, clock, double, open_context, own_double, shared_double
from tests.spec.conftest import Billy
from tests.spec.test_webhooks import event
from tests.stores.cosmos_front import Asked, Front, Refusal

__all__ = ["clock", "double", "open_context", "own_double", "shared_double"]

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.mark.xdist_group("cosmos")
async def test_a_burst_on_an_account_that_throttles_ends_with_every_event_there_once(billy: Billy, front: Front) -> None:
    """Every second request is refused with 429 at first, and some until the message comes again, as a queue brings it."""
    seen = [0]

    def throttled(_: Asked) -> Refusal | None:
        seen[0] += 1
        hard = 400 < seen[0] < 700  # for a while the account asks for more patience than an operation has
        pause = "9000" if hard else "5"
        return Refusal(429, {"x-ms-retry-after-ms": pause}) if seen[0] % 2 else None

    front.rule = throttled
    statuses = ["pending", "succeeded"]
    waiting = [
        {
            "event": event(f"evt_{n}_{status}", id=f"ch_{n}", amount=100 + n, amount_captured=100 + n, status=status)
            | {"created": 1_790_000_001 + at}
        }
        for n in range(40)
        for at, status in enumerate(statuses)
    ]
    slots = asyncio.Semaphore(32)  # host.json's batch
    again: list[dict[str, Any]] = []

    async def bring(message: dict[str, Any]) -> None:
        async with slots:
            try:
                await apply_message(billy.context, message)
            except BillyError as error:
                assert error.code == "unavailable" and error.retry_after == 9
                again.append(message)

    rounds = 0
    while waiting:
        again.clear()
        await asyncio.gather(*(bring(message) for message in waiting))
        waiting = list(again)
        rounds += 1
        assert rounds < 8, "each round some get through"
    assert rounds > 1, "nothing failed, or this test proves nothing"
    front.heals()
    await billy.context.mirror.repair()  # type: ignore[attr-defined]
    page = await billy.context.mirror.list(Query("charge", status="succeeded", limit=100))
    assert (len(page.bodies), page.total) == (40, 40)
    (cell,) = await billy.context.mirror.totals("charge")
    assert (cell.status, cell.count, cell.amount) == ("succeeded", 40, sum(100 + n for n in range(40)))
    assert billy.context.mirror._account.units.throttled > 100  # type: ignore[attr-defined]


async def test_a_long_list_of_events_is_read_over_several_minutes_and_nothing_of_it_is_left_out(
    own_double: Double, open_context: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reading is bounded, so that an invocation ends; the next one goes on where it stopped."""
    context = await open_context(own_double)
    own_double.customer(email="first@example.com")
    await request_run(context, "system")
    assert await run_slice(context, 60) is Slice.DONE
    _, before = await freshness.of(context, "customer")
    made = {own_double.customer(email=f"c{n}@example.com")["id"] for n in range(60)}
    monkeypatch.setattr(feed, "PAGE", 5)
    monkeypatch.setattr(feed, "OVERLAP", 0)
    readings, deadline = (
        1,
        time.monotonic() + 30,
    )  # what was made in the second of Stripe's clock that still runs is read again until it is over
    applied = (caught := await catch_up(context, 0)).applied
    while caught.more:
        assert (await freshness.of(context, "customer"))[1] == before, "until the end is reached nobody says that all is known"
        applied += (caught := await catch_up(context, 0)).applied
        readings += 1
        assert time.monotonic() < deadline
    assert readings >= 3 and applied == len(made)
    for id in made:
        assert await context.mirror.get("customer", id) is not None
    assert (await catch_up(context)).applied == 0

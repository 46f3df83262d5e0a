"""The timer that ends what a crash left: lists and totals agree with the objects again, on every store."""

from typing import Any

import pytest

from functions.repair import repair_mirror
from shared import wiring
from shared.stores.expiry import EXPIRY
from shared.stores.protocols import Query, Write
from tests.spec.conftest import Billy, invocation_of


def write(n: int) -> Write:
    return Write("charge", f"ch_{n}", 1_790_000_000 + n, 1_790_000_000, b'{"id":"ch_%d"}' % n, "succeeded", None, "usd", 100, 0)


async def test_a_write_that_was_cut_off_is_listed_and_counted_after_the_timer(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut_off(self: Any, changed: Any) -> None:
        """The process ends after the objects and before what follows them."""

    if hasattr(billy.context.mirror, "_follow"):
        with monkeypatch.context() as crash:
            crash.setattr(type(billy.context.mirror), "_follow", cut_off)
            await billy.context.mirror.apply([write(1), write(2)])
        assert (await billy.context.mirror.list(Query("charge"))).bodies == [], "nothing follows yet, or this test proves nothing"
    else:
        await billy.context.mirror.apply([write(1), write(2)])
    monkeypatch.setattr(wiring, "_made", billy.context)
    await repair_mirror._function.get_user_function()(None, invocation_of("repair_mirror"))
    page = await billy.context.mirror.list(Query("charge"))
    assert (len(page.bodies), page.total) == (2, 2)
    assert sum(cell.amount for cell in await billy.context.mirror.totals("charge")) == 200
    assert await wiring.repair(billy.context) == 0


async def test_the_timer_gives_back_the_place_of_records_whose_time_is_over(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> None:
    store = billy.context.records
    if not hasattr(store, "purge"):
        pytest.skip("the engine expires them itself")
    monkeypatch.setitem(EXPIRY, "events", -1)
    for n in range(3):
        await store.insert("events", f"evt_{n}", {})
    monkeypatch.setattr(wiring, "TOGETHER", 2)
    monkeypatch.setattr(wiring, "_made", billy.context)
    await repair_mirror._function.get_user_function()(None, invocation_of("repair_mirror"))
    assert await store.purge(10) == 0
    monkeypatch.setitem(EXPIRY, "events", 60)
    await store.insert("events", "evt_0", {})

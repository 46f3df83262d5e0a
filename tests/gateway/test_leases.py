"""A lease outlives a store that is away for a moment, ends before somebody else may take it, and lets nobody count a page twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import listing, progress, runs
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.progress import RUN
from shared.gateway.runs import Lease
from shared.operations.sync import request_run
from shared.stores.protocols import Mirror, Write
from tests.gateway.conftest import Clock, Double
from tests.stores.unsure import UnsureRecords

Open = Callable[..., Any]


@dataclass
class StoppedClock(Clock):
    """It moves by its offset alone, so that nothing here depends on how fast the machine is, until it is let run."""

    begun: float = field(default_factory=time.time)
    stopped: bool = True

    def now(self) -> float:
        return (self.begun if self.stopped else time.time()) + self.offset


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RENEW", 0.02)


@pytest.fixture
async def context(double: Double, open_context: Open) -> Context:
    """With a run that was asked for, over records that fail as a test wants it."""
    opened = await open_context(double)
    await request_run(opened, "key_1")
    return replace(opened, records=UnsureRecords(opened.records))


@pytest.fixture
async def other(double: Double, open_context: Open) -> Context:
    """Another process over the same records."""
    return await open_context(double)


def unsure(context: Context) -> UnsureRecords:
    assert isinstance(context.records, UnsureRecords)
    return context.records


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def is_renewed(context: Context, clock: Clock) -> None:
    """Waits until the lease has its whole time before it again."""
    deadline = time.monotonic() + 20
    while (await progress.document(context, RUN))["lease_until"] != clock.now() + runs.LEASE:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def taken(context: Context) -> Lease:
    lease = await Lease.take(context)
    assert lease is not None
    return lease


async def stays(lease: Lease) -> None:
    """Holds the lease until it is lost."""
    async with asyncio.timeout(20), lease.held():
        await asyncio.Event().wait()


# Taking


async def test_a_lease_whose_answer_was_lost_is_ones_own(context: Context, other: Context) -> None:
    unsure(context).fails("replace", "after")
    lease = await taken(context)
    assert (await progress.document(other, RUN))["lease"] == lease.token
    assert await Lease.take(other) is None
    await lease.release("running")
    assert (await taken(other)).token != lease.token


async def test_of_many_who_take_it_at_once_one_has_it(context: Context, other: Context) -> None:
    leases = await asyncio.gather(*(Lease.take(each) for each in (context, other) * 5))
    (lease,) = [each for each in leases if each is not None]
    assert (await progress.document(other, RUN))["lease"] == lease.token


# Renewing


async def test_a_lease_is_renewed_as_long_as_it_is_held(context: Context, other: Context, clock: Clock) -> None:
    lease = await taken(context)
    async with lease.held():
        for _ in range(3):
            clock.offset += runs.LEASE / 2
            await is_renewed(other, clock)
            assert await Lease.take(other) is None
    await lease.release("running")


@pytest.mark.parametrize(
    "faults",
    [{"replace": ["before"]}, {"get": ["before"]}, {"replace": ["after"], "get": ["none", "before"]}],
    ids=["write", "read", "answer"],
)
async def test_a_renewal_that_fails_is_tried_again_soon(
    context: Context, other: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch, faults: dict[str, list[Any]]
) -> None:
    monkeypatch.setattr(runs, "RENEW", 0.5)
    lease = await taken(context)
    clock.offset += runs.LEASE / 2
    asked = unsure(context).asked
    asked.clear()
    for method, coming in faults.items():
        unsure(context).fails(method, *coming)
    async with lease.held():
        await until(lambda: asked["get"] > 0)
        failed = time.monotonic()
        await until(lambda: asked["replace"] > len(faults.get("replace", [])))
        assert time.monotonic() - failed < runs.RENEW
        await is_renewed(other, clock)
    await lease.release("running")


@pytest.mark.parametrize("method", ["get", "replace"])
async def test_where_no_renewal_succeeds_the_holder_stops_before_anybody_else_may_take_the_lease(
    context: Context, other: Context, clock: Clock, method: str
) -> None:
    lease = await taken(context)
    unsure(context).fails_always(method, "before")
    staying = asyncio.create_task(stays(lease))
    clock.offset += runs.LEASE * (1 - runs.MARGIN) - 0.5
    asked = unsure(context).asked[method]
    await until(lambda: unsure(context).asked[method] > asked + 5)
    assert not staying.done(), "there is time left"
    clock.offset += 1
    with pytest.raises(runs.Lost):
        await staying
    assert await Lease.take(other) is None, "it is nobody's yet"
    clock.offset += runs.LEASE * runs.MARGIN
    assert await Lease.take(other) is not None


async def test_a_store_that_never_answers_keeps_nobody_working_past_the_lease(
    context: Context, other: Context, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE", 0.2)
    clock.stopped, begun = False, time.time()
    lease = await taken(context)
    unsure(context).fails_always("replace", "never")
    with pytest.raises(runs.Lost):
        await stays(lease)
    assert unsure(context).asked["replace"] == 2, "one renewal, which hung, after the taking"
    assert time.time() - begun >= runs.LEASE * (1 - runs.MARGIN)
    assert (await progress.document(other, RUN))["lease"] == lease.token


async def test_a_holder_whose_lease_was_taken_over_is_stopped_by_its_next_renewal(context: Context, other: Context, clock: Clock) -> None:
    lease = await taken(context)
    await progress.change(other, RUN, lambda run: run | {"lease_until": 0})
    assert await Lease.take(other) is not None
    with pytest.raises(runs.Lost):
        await stays(lease)
    with pytest.raises(runs.Lost):
        await lease.release("done")


async def test_a_failure_in_the_moment_of_the_loss_is_the_loss_and_leaves_the_task_alive(context: Context, other: Context) -> None:
    lease = await taken(context)
    await progress.change(other, RUN, lambda run: run | {"lease": "another's"})
    with pytest.raises(runs.Lost):
        async with lease.held():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise BillyError("unavailable", "The store cannot be reached.") from None
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("lost", [False, True], ids=["while it is held", "while it is lost"])
async def test_a_holder_that_somebody_else_cancels_is_cancelled(context: Context, other: Context, lost: bool) -> None:
    lease = await taken(context)
    if lost:
        await progress.change(other, RUN, lambda run: run | {"lease": "another's"})

    async def holder() -> None:
        async with lease.held():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    holding.cancel()
                raise

    holding = asyncio.create_task(holder())
    if not lost:
        await until(lambda: unsure(context).asked["replace"] > 1)
        holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding


# Working


@dataclass
class Slow:
    """A mirror whose writes of customers wait, as if the process were paused before it, from the given one on."""

    mirror: Mirror
    waits_from: int
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    writes: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.mirror, name)

    async def apply(self, writes: list[Write]) -> Any:
        if writes and writes[0].kind == "customer":
            self.writes += 1
            if self.writes >= self.waits_from:
                self.arrived.set()
                await self.goes_on.wait()
        return await self.mirror.apply(writes)


@asynccontextmanager
async def at_work(context: Context, waits_from: int) -> AsyncIterator[tuple[Slow, asyncio.Task[Slice]]]:
    """A slice that stands still before it writes a page of customers, and renews nothing meanwhile."""
    slow = Slow(context.mirror, waits_from)
    task = asyncio.create_task(run_slice(replace(context, mirror=slow), 60))
    async with asyncio.timeout(20):
        await slow.arrived.wait()
    try:
        yield slow, task
    finally:
        task.cancel()


@pytest.fixture
async def two(own_double: Double, open_context: Open, monkeypatch: pytest.MonkeyPatch) -> tuple[Context, Context]:
    """Two processes before a company of 25 customers, which are three pages."""
    for n in range(25):
        own_double.customer(email=f"c{n}@example.com")
    monkeypatch.setattr(runs, "RENEW", 3_600)
    monkeypatch.setattr(listing, "PAGE", 10)
    monkeypatch.setattr(listing, "AHEAD", 1)
    first, second = await open_context(own_double), await open_context(own_double)
    await request_run(first, "key_1")
    return first, second


@pytest.mark.parametrize("first_goes_on", ["before the second has written", "after the second has written"])
async def test_a_page_that_a_paused_holder_and_its_successor_both_write_is_counted_once(
    two: tuple[Context, Context], clock: Clock, first_goes_on: str
) -> None:
    first, second = two
    async with at_work(first, waits_from=2) as (paused, one):
        clock.offset += runs.LEASE + 1
        async with at_work(second, waits_from=1) as (successor, other):
            held = await progress.document(second, "kind:customer")
            assert (held["objects"], held["pages"]) == (10, 1), "what the first one did is kept"
            if first_goes_on.startswith("before"):
                paused.goes_on.set()
                assert await one is Slice.IDLE
                assert await progress.document(second, "kind:customer") == held
            successor.goes_on.set()
            assert await other is Slice.DONE
            paused.goes_on.set()
            assert await one is Slice.IDLE
    kept = await progress.document(second, "kind:customer")
    assert (kept["objects"], kept["pages"], kept["done"], kept["complete"]) == (25, 3, True, True)
    assert (await progress.document(second, RUN))["state"] == "done"


async def test_a_paused_holder_writes_nothing_to_what_a_later_run_has_begun(two: tuple[Context, Context], clock: Clock) -> None:
    first, second = two
    async with at_work(first, waits_from=1) as (paused, one):
        clock.offset += runs.LEASE + 1
        assert await run_slice(second, 60) is Slice.DONE
        await request_run(second, "key_1")
        async with at_work(second, waits_from=2) as (successor, other):
            paused.goes_on.set()
            assert await one is Slice.IDLE
            successor.goes_on.set()
            assert await other is Slice.DONE
    kept = await progress.document(second, "kind:customer")
    assert (kept["objects"], kept["pages"], kept["done"]) == (25, 3, True)


async def test_a_kind_that_a_successor_has_begun_is_begun_by_the_paused_holder_no_more(
    context: Context, other: Context, clock: Clock
) -> None:
    first = await taken(context)
    await progress.change(context, "kind:customer", lambda _: first.signed({"pages": 3}))
    assert await first.begin("customer") == await first.begin("customer"), "which may be done again"
    clock.offset += runs.LEASE
    second = await taken(other)
    begun = await second.begin("customer")
    assert (begun["pages"], begun["lease"], second.taken) == (3, second.token, first.taken + 1)
    for late in (first.begin("customer"), first.change("customer", lambda document: document | {"pages": 9})):
        with pytest.raises(runs.Lost):
            await late
    await second.change("customer", lambda document: document | {"pages": 4})
    kept = await progress.document(other, "kind:customer")
    assert kept == begun | {"pages": 4}
    await progress.change(context, "kind:customer", lambda document: document | {"run": "run_of_later"})
    with pytest.raises(runs.Lost):
        await second.begin("customer")

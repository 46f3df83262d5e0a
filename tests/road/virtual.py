"""An event loop whose time jumps: nothing ready, and the next timer is due at once; but what threads do is really waited for."""

import asyncio
import math
import random
import selectors
import threading
import time
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from shared.context import Seam
from shared.stores.sqlite import Database
from tests.road.process import Killed

EPOCH = 1_800_000_000.0  # 2027-01-15T08:00:00Z: where the virtual clock begins
LONGEST = 20 * 366 * 86_400.0  # virtual seconds after which a run is taken for one that never ends
PATIENCE = 30.0  # real seconds that a thread may take
STRANGERS = 0.2  # real seconds for a thread that nobody told of, where nothing else is left


class Stuck(Exception):
    """Everything waits, and nothing is left that could happen; or a thread does not answer; or time has run away."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves only when nothing is ready. The same work runs in the same order each time.

    A work for a thread is done, really, before the callback that submitted it goes on, and answered with the next turn: so works take
    effect in the order of their submission, take no virtual time, and none is ever under way while time jumps.
    """

    def __init__(self) -> None:
        self._virtual = 0.0
        self._mine = threading.get_ident()
        self._arrived = threading.Condition()
        self._inbox: deque[asyncio.Handle] = deque()
        self._threads: ThreadPoolExecutor | None = None
        super().__init__(_Jumping(self))
        self._clock_resolution = math.ulp(0.0)
        self.set_exception_handler(_heard)

    def time(self) -> float:
        return self._virtual

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        if threading.get_ident() == self._mine:
            return super().call_soon_threadsafe(callback, *args, context=context)
        self._check_closed()  # type: ignore[attr-defined]
        return self.hand_in(callback, *args, context=context)

    def hand_in(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        """Leaves a callback where those of threads lie: it runs when somebody waits for it, or with the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        with self._arrived:
            self._inbox.append(handle)
            self._arrived.notify()
        return handle

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        if executor is None:
            executor = self._threads = self._threads or ThreadPoolExecutor(1, thread_name_prefix="virtual")
        work = executor.submit(func, *args)
        if wait([work], PATIENCE).not_done:
            raise Stuck("A thread does not answer.")
        return asyncio.wrap_future(work, loop=self)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if self._threads is not None:
            self._threads.shutdown()

    def settle(self, future: "asyncio.Future[Any]") -> None:
        """Really waits until a thread has given the future what it waits for."""
        while not future.done():
            if not self._inbox:
                self._wait_for_a_thread(PATIENCE)
            if not self._inbox:
                raise Stuck("A thread does not answer.")
            while self._inbox:
                self._inbox.popleft()._run()

    def next_turn(self, seconds: float | None) -> None:
        """Called where the loop would sleep. Takes what came from threads; if there is nothing at all, time jumps."""
        if seconds is None and not self._inbox:
            self._wait_for_a_thread(STRANGERS)
            if not self._inbox:
                raise Stuck("Everything waits, and nothing is left that could happen.")
        if self._inbox:
            while self._inbox:
                self._add_callback(self._inbox.popleft())  # type: ignore[attr-defined]
        elif seconds:
            self._virtual += seconds
            self._clock_resolution = math.ulp(self._virtual)  # so that a timer goes off at its time, and never a moment before
            if self._virtual > LONGEST:
                raise Stuck("Time has run away: something waits for what never comes, beside a timer that never ends.")

    def _wait_for_a_thread(self, seconds: float) -> None:
        with self._arrived:
            self._arrived.wait_for(lambda: self._inbox, seconds)


class _Jumping(selectors.DefaultSelector):
    """Looks whether something is there, and never sleeps."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        there = super().select(0)
        self._loop.next_turn(0 if there else timeout)
        return there


class Clock:
    """The virtual clock: epoch seconds for `Seam.now`, and for each instance a seam of its own."""

    def __init__(self, loop: VirtualLoop, seed: int, epoch: float) -> None:
        self._loop = loop
        self._seed = seed
        self._epoch = epoch

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the run began."""
        return self._loop.time()

    def now(self) -> float:
        return self._epoch + self._loop.time()

    def seen_with(self, skew: float) -> Callable[[], float]:
        """The clock of a machine that is so many seconds ahead (or behind)."""
        return lambda: self._epoch + self._loop.time() + skew

    def seam(self, instance: str = "", skew: float = 0.0) -> Seam:
        """Time, ids and chance of one instance, the same with the same seed."""
        chance = random.Random(f"{self._seed}/{instance}")
        return Seam(now=self.seen_with(skew), token=lambda size: chance.randbytes(size).hex(), bits=chance.getrandbits)


def run[T](main: Callable[[Clock], Awaitable[T]], *, seed: int = 0, epoch: float = EPOCH) -> T:
    """What `main` answers, on a virtual clock. `time.monotonic` and `random` follow the clock and the seed meanwhile.

    Raises `Stuck` where nothing is left that could happen. What still runs when `main` ends is cancelled.
    """

    async def started(loop: VirtualLoop) -> T:
        return await main(Clock(loop, seed, epoch))

    loop = VirtualLoop()
    with _on_virtual_time(loop), _seeded(seed), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(started(loop))


@contextmanager
def _on_virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """Elapsed time is virtual for whoever measures it, and a database's writer thread is waited for."""
    write, monotonic = Database.write, time.monotonic

    async def waited_for(self: Database, *args: Any, **named: Any) -> Any:
        return await _settled(write(self, *args, **named), loop)

    Database.write = waited_for  # type: ignore[method-assign, assignment]
    time.monotonic = loop.time
    try:
        yield
    finally:
        Database.write, time.monotonic = write, monotonic  # type: ignore[method-assign]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@types.coroutine
def _settled[T](work: Coroutine[Any, Any, T], loop: VirtualLoop) -> Generator[Any, Any, T]:
    """Runs a coroutine that waits for a thread: by the time anybody else runs, the thread has done it."""
    step: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
    while True:
        try:
            waits_for = step()
        except StopIteration as end:
            return end.value
        if waits_for is not None:
            loop.settle(waits_for)
        try:
            sent = yield waits_for
            step = lambda sent=sent: work.send(sent)  # noqa: E731
        except BaseException as error:
            step = lambda error=error: work.throw(error)  # noqa: E731


def _heard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What tasks of a killed process raise is nobody's affair."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)

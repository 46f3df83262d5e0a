"""How fast Stripe is asked: one pace for all that a process reads, whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from shared.errors import BillyError

PATIENCE = 6  # tries of one request while Stripe says that it is too much
LONGEST_PAUSE = 30  # seconds

_in_turn: ContextVar[bool] = ContextVar("billy_in_turn", default=False)  # the next request of this task has its place already


@dataclass(slots=True)
class Pace:
    """Requests evenly spaced, `per_second` of them for all who share it.

    Work that nobody waits for asks in turn. A person's request goes at once, and takes the place of one that would have waited: so the sum
    stays what it is. The event loop's clock is taken, which nobody sets back.
    """

    per_second: float
    _next: float = field(default=0.0)

    async def turn(self) -> None:
        """Returns when the next request may go."""
        now = asyncio.get_running_loop().time()
        at = self._place(now)
        if at > now:
            await asyncio.sleep(at - now)

    def sent(self) -> None:
        """A request leaves. What did not wait for its turn is counted all the same: the SDK's own repetitions, and what a person waits for."""
        if _in_turn.get():
            _in_turn.set(False)
        else:
            self._place(asyncio.get_running_loop().time())

    async def patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asks in turn, and again after a pause where Stripe says that it is too much."""
        for attempt in range(PATIENCE):
            await self.turn()
            _in_turn.set(True)
            try:
                return await ask()
            except BillyError as error:
                if error.code != "rate_limited" or attempt == PATIENCE - 1:
                    raise
                await asyncio.sleep(min(error.retry_after or 2**attempt, LONGEST_PAUSE))
            finally:
                _in_turn.set(False)
        raise AssertionError("the last try returns or raises")

    def _place(self, now: float) -> float:
        at = max(now, self._next)
        self._next = at + 1 / max(1, self.per_second)
        return at

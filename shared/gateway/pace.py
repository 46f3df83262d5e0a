"""How fast and for how long a slice of the synchronisation may go."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.context import Context
from shared.errors import BillyError
from shared.gateway.client import StripeGateway
from shared.gateway.runs import Lease

PATIENCE = 6  # tries of one request while Stripe says that it is too much
LONGEST_PAUSE = 30  # seconds


@dataclass(slots=True)
class Pace:
    """Requests evenly spaced, `per_second` of them for all who share it."""

    context: Context
    per_second: float
    _next: float = field(default=0.0)

    async def turn(self) -> None:
        """Returns when the next request may go."""
        now = self.context.seam.now()
        at = max(now, self._next)
        self._next = at + 1 / self.per_second
        if at > now:
            await asyncio.sleep(at - now)

    async def patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asks in turn, and again after a pause where Stripe says that it is too much."""
        for attempt in range(PATIENCE):
            await self.turn()
            try:
                return await ask()
            except BillyError as error:
                if error.code != "rate_limited" or attempt == PATIENCE - 1:
                    raise
                await asyncio.sleep(min(error.retry_after or 2**attempt, LONGEST_PAUSE))
        raise AssertionError("the last try returns or raises")


@dataclass(slots=True)
class Work:
    """What the parts of one slice share. `until` is the moment at which its time is up."""

    context: Context
    stripe: StripeGateway
    lease: Lease
    pace: Pace
    until: float

    def time_is_up(self) -> bool:
        return self.context.seam.now() >= self.until

"""One exchange at a surface: from where it came, who asks, and that one row tells of it whatever happens, a crash of the surface too."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError
from shared.road.trail import refused
from shared.telemetry.invocation import crashed


@dataclass(slots=True)
class Exchange:
    """What is known so far. `told` turns true once a row tells of the exchange, or the road has taken it, which leaves its own."""

    context: Context
    origin: Origin
    operation: str | None = None
    actor: Actor | None = None
    told: bool = False
    arguments: Mapping[str, Any] | None = None  # those that the operation knows by name, where it came so far

    async def tell(self, error: BillyError) -> None:
        """Leaves the row of an exchange that ends with an error, unless there is one. Raises `unavailable` where it cannot be kept."""
        if not self.told:
            self.told = True
            await refused(self.context, self.origin, error, self.operation, self.actor, self.arguments)


@asynccontextmanager
async def exchange(context: Context, surface: str, operation: str | None = None) -> AsyncGenerator[Exchange]:
    """Within it whatever is raised leaves its row. Raises `BillyError` alone: a crash becomes `internal` with a reference."""
    one = Exchange(context, Origin(surface, None, None), operation)
    try:
        yield one
    except BillyError as error:
        await one.tell(error)
        raise
    except Exception as crash:
        error = crashed(crash, operation or surface, context.seam)
        await one.tell(error)
        raise error from None

"""What the parts of one slice of a synchronisation share."""

import asyncio
from dataclasses import dataclass, field

from shared.context import Context
from shared.errors import BillyError
from shared.gateway.client import StripeGateway
from shared.gateway.runs import Lease


@dataclass(slots=True)
class Work:
    """`until` is the moment, on the event loop's clock, at which the slice's time is up."""

    context: Context
    stripe: StripeGateway
    lease: Lease
    until: float
    failures: dict[str, BillyError] = field(default_factory=dict[str, BillyError])  # by kind: what stood in the way of a single object

    def time_is_up(self) -> bool:
        return asyncio.get_running_loop().time() >= self.until

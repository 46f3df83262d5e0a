"""What a call works with: the stores, the door to Stripe, and the seam through which time, ids and chance come in."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.settings import Settings
from shared.stores.protocols import AuditLog, Mirror, Queues, Records, Secrets, Write

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, so that ids sort by time and read aloud


@dataclass(frozen=True, slots=True)
class Seam:
    """Time, ids and randomness. Tests replace it; nothing else may ask the clock or the dice."""

    now: Callable[[], float] = time.time
    token: Callable[[int], str] = secrets.token_urlsafe
    bits: Callable[[int], int] = secrets.randbits

    def id(self, prefix: str) -> str:
        """A new id that sorts by time: `prefix_` and 26 characters (48 bits of milliseconds, 80 of chance)."""
        number = int(self.now() * 1000) << 80 | self.bits(80)
        return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object as Stripe stated it just now, ready for the mirror; `value` is the parsed body."""

    value: dict[str, Any]
    write: Write


class Stripe(Protocol):
    """The calls that operations make of the gateway. Failures arrive as `BillyError`, never as the SDK's."""

    async def retrieve(self, kind: str, id: str) -> Fetched:
        """Raises `not_found` where Stripe has no such object; a deleted one answers with `write.deleted`."""
        ...

    async def create_refund(self, params: Mapping[str, Any], idempotency_key: str) -> Fetched: ...

    async def refund_of_attempt(self, charge: str, attempt: str) -> Fetched | None:
        """The refund of a charge that carries the attempt's id in its metadata: how an unknown outcome is settled."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a call needs, made once by `wiring`. `stripe` is awaited so that its SDK loads on first use."""

    settings: Settings
    mirror: Mirror
    records: Records
    audit: AuditLog
    secrets: Secrets
    stripe: Callable[[], Awaitable[Stripe]]
    queues: Queues | None = None  # where they are Azure's
    seam: Seam = field(default_factory=Seam)

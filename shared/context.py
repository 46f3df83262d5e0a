"""What a call works with: the stores, the door to Stripe, and the seam through which time, ids and chance come in."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.settings import Settings
from shared.stores.protocols import AuditLog, Mirror, Queues, Records, Secrets, Write

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, so that ids sort by time and read aloud

ATTEMPT_METADATA = "billy_attempt"  # under which what Billy makes at Stripe carries its attempt's id


@dataclass(frozen=True, slots=True)
class Seam:
    """Time, ids and randomness. Tests replace it; nothing else may ask the clock or the dice."""

    now: Callable[[], float] = time.time
    token: Callable[[int], str] = secrets.token_urlsafe
    bits: Callable[[int], int] = secrets.randbits

    def id(self, prefix: str, at: float | None = None) -> str:
        """A new id that sorts by time: `prefix_` and 26 characters (48 bits of milliseconds, 80 of chance). `at` is another second than now."""
        number = int((self.now() if at is None else at) * 1000) << 80 | self.bits(80)
        return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def drawn_at(id: str) -> float:
    """The epoch second at which the seam drew an id."""
    number = 0
    for character in id.rpartition("_")[2]:
        number = number << 5 | ALPHABET.index(character)
    return (number >> 80) / 1000


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object as Stripe stated it just now, ready for the mirror; `value` is the parsed body."""

    value: dict[str, Any]
    write: Write


class Sending(Protocol):
    """One act of an attempt on its way. Whoever sends asks `begin` right before the first byte, and `left` before every try."""

    @property
    def key(self) -> str:
        """The attempt's id, which is Stripe's idempotency key."""
        ...

    async def begin(self) -> None:
        """The fence: writes down that something is sent. Raises where this attempt may not act, or not any more."""
        ...

    def left(self) -> float:
        """Seconds until nothing may be sent any more; a try ends before."""
        ...

    def sent(self) -> None:
        """One request is about to leave, or one change of Billy's own is about to be written."""
        ...

    def answered(self, *, no: bool, replayed: bool = False) -> None:
        """What became of it. `no`: it certainly had no effect. `replayed`: it only repeated the answer to an earlier one."""
        ...


class Stripe(Protocol):
    """The calls that operations make of the gateway. Failures arrive as `BillyError`, never as the SDK's."""

    async def retrieve(self, kind: str, id: str) -> Fetched:
        """Raises `not_found` where Stripe has no such object; a deleted one answers with `write.deleted`."""
        ...

    async def create_refund(self, params: Mapping[str, Any], sending: Sending) -> Fetched:
        """Raises with `outcome_unknown` where a refund may have been made."""
        ...

    async def of_charge(self, kind: str, charge: str) -> list[Fetched]:
        """All refunds or all disputes of a charge."""
        ...

    async def balance_transaction(self, id: str) -> dict[str, Any]:
        """A movement of the account's balance: `fee` in minor units of `currency`, that in which it was settled."""
        ...


class Witness(Protocol):
    """Told of objects that Stripe shows in an event or a list and that carry an attempt's id."""

    async def __call__(self, context: "Context", kind: str, values: Sequence[Mapping[str, Any]]) -> None: ...


async def _nobody(context: "Context", kind: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Where no road is wired, nobody is told."""


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
    shown: Witness = _nobody
    believed: float = 0.0  # seconds for which a process believes that the audit log knows no revocation of a key; 0: it is asked each time
    standing: dict[str, float] = field(default_factory=dict[str, float])  # when that was found last, by key
    digests: list[Any] = field(default_factory=list[Any], repr=False)  # when the secret of the digests was read, and its versions
    seam: Seam = field(default_factory=Seam)
    counted: dict[Any, Any] = field(default_factory=dict[Any, Any], compare=False, repr=False)  # what `road.floods` counts in this process

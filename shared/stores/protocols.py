"""What the domain asks of its stores. Each protocol has one adapter for the laptop and one for Azure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

NEAR = 60  # seconds within which Stripe's times do not tell what was first: an event may be stamped before what it tells could be read


@dataclass(frozen=True, slots=True)
class Write:
    """One object as Stripe stated it, on its way into the mirror.

    `stamp` is a lower bound, in epoch seconds of Stripe's clock, of the moment at which `body` was true, and `until` an upper one where
    it is known.
    `expects` is the row version that was read before the object was fetched: such a write is newer by causality
    and is refused only if somebody wrote in between (0: no row was there). `deleted` leaves a tombstone.
    `amount` and `refunded` are what the roll-up adds up, by status and currency.
    `chosen_id`: people chose the id, and may give it to another object once this one is deleted.
    """

    kind: str
    id: str
    created: int
    stamp: int
    body: bytes
    status: str | None = None
    customer: str | None = None
    currency: str | None = None
    amount: int | None = None
    refunded: int | None = None
    words: str = ""
    deleted: bool = False
    expects: int | None = None
    chosen_id: bool = False
    until: int | None = None


class Applied(StrEnum):
    """What became of a write."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # the same body is already there
    STALE = "stale"  # what is there is newer
    TIE = "tie"  # what is newer cannot be told from the times: fetch the object and write it with `expects`
    GONE = "gone"  # a tombstone is there; nothing wakes it but what was fetched after the tombstone was read
    CONFLICT = "conflict"  # `expects` no longer holds: read and fetch again


@dataclass(frozen=True, slots=True)
class Stored:
    """A mirrored object: Stripe's JSON as it came, the row's version, and the stamp it was last known true at."""

    kind: str
    id: str
    body: bytes
    version: int
    stamp: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which objects of one kind, newest first. Times are epoch seconds, both ends inclusive. `after` is a position."""

    kind: str
    status: str | None = None
    customer: str | None = None
    created_from: int | None = None
    created_to: int | None = None
    limit: int = 10
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`bodies` newest first; `position` of the last one when there is more; `total` of everything that matches."""

    bodies: list[bytes]
    position: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Total:
    """One cell of the roll-up: objects of one status and currency created on one UTC day (epoch day number)."""

    day: int
    status: str
    currency: str
    count: int
    amount: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Unseen:
    """Ids of objects that are known true at no later moment; the position to look on from, None where that was all."""

    ids: list[str]
    position: int | None


class Mirror(Protocol):
    """Stripe's objects as last known. Deleted ones are tombstones: `get` shows them, lists and search do not.

    `stores.precedence` says which of two statements stands.
    """

    async def get(self, kind: str, id: str) -> Stored | None: ...

    async def list(self, query: Query) -> Page: ...

    async def search(self, text: str, kinds: Sequence[str], limit: int) -> Sequence[Stored]:
        """Newest first over all kinds: every word of `text` begins a word of the object; an exact id comes first."""
        ...

    async def totals(self, kind: str, first_day: int | None = None, last_day: int | None = None) -> Sequence[Total]:
        """The roll-up between two UTC days inclusive; without days one cell per status and currency over all time, day 0."""
        ...

    async def unseen(self, kind: str, before: int, limit: int, after: int | None = None) -> Unseen:
        """Of the next `limit` objects, newest first below the position `after`, those whose stamp lies before the second `before`."""
        ...

    async def apply(self, writes: Sequence[Write]) -> Sequence[Applied]:
        """Applies each write by the mirror's rules, in order, durably; the answers are in the order of the writes."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """A document with the version that a replacement must name."""

    id: str
    document: dict[str, Any]
    version: int


class Exists(Exception):
    """A record of that id is already there."""


class Changed(Exception):
    """The record is no longer at the version that was read."""


class Records(Protocol):
    """Billy's own documents (keys, attempts, claims, sync progress), each changed by compare-and-set alone."""

    async def get(self, collection: str, id: str) -> Record | None: ...

    async def insert(self, collection: str, id: str, document: Mapping[str, Any]) -> Record:
        """Raises `Exists`."""
        ...

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        """Raises `Changed`."""
        ...

    async def find(
        self, collection: str, where: Mapping[str, str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[Record]:
        """Records whose top-level string fields equal `where`, in descending order of id, after (below) the id `after`."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """Rows of the audit log that were found, and how far was looked: `reached` is the id of the last row that was, where one answer ended before the
    log did and before all that was asked for was found; whoever wants the rest goes on from it."""

    rows: Sequence[dict[str, Any]]
    reached: str | None = None


class AuditLog(Protocol):
    """Insert only. A row is a flat document with at least `id` (sorts by time), `at`, `operation` and `actor`."""

    async def append(self, row: Mapping[str, Any]) -> None:
        """Durable on return. The same row once more is no error, since an insert whose answer was lost is repeated.

        Raises `Exists` for another row under an id that is there, ValueError for a row without the needed fields.
        """
        ...

    async def list(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
        """Newest first, below the id `after`, rows whose fields equal `where`, however far they lie: for what is known to be near or few."""
        ...

    async def look(self, *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None) -> Looked:
        """The same, no further than one answer should: what is rare in a long log is found over several."""
        ...

    async def following(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
        """Oldest first, above the id `after`, up to and with `until`, at most `limit` rows whose fields equal `where`.

        The ends need not be ids of rows. A row is inserted after its id was drawn, so one with an older id may come after newer ones: who
        must miss none gives an `until` below every id that is still on its way, and reads on from a full page's last row, else from `until`.
        """
        ...

    async def look_on(self, *, after: str, until: str, limit: int, where: Mapping[str, str] | None = None) -> Looked:
        """The same, no further than one answer should."""
        ...


class Secrets(Protocol):
    """Named secrets. Values are never logged; `get` answers None for a secret that was never set."""

    async def get(self, name: str) -> str | None: ...

    async def set(self, name: str, value: str) -> None: ...


class Queues(Protocol):
    """How much waits. What a message says is the bindings' affair."""

    async def depths(self) -> Mapping[str, int]:
        """Messages by queue, those at work and the poison queues included; about right."""
        ...

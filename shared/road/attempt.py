"""An attempt: the durable intent of a write. Its states, the one table of how they follow each other, and its fields."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.actor import Actor, Origin
from shared.errors import AttemptFacts, BillyError
from shared.road.calls import FAILED_OUTCOMES, Settled
from shared.road.identity import FORM
from shared.road.timing import GRACE
from shared.stores.protocols import Record


class State(StrEnum):
    """How an attempt stands. Approvals will add states before `STARTED` (awaiting, approved, denied, expired, withdrawn)."""

    STARTED = "started"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class By(StrEnum):
    """On whose word an attempt changes."""

    CALL = "call"  # whoever holds its lease
    LOOK = "look"  # what was found out when it was asked what became of it
    SHOWN = "shown"  # what Stripe shows by itself, in an event or a list
    PERSON = "person"  # an owner's


OPEN = frozenset({State.STARTED, State.UNKNOWN})

# The one table: on whose word an attempt may go from a state to which others. What is not here does not happen, and what stands is answered.
MAY: dict[tuple[State, By], frozenset[State]] = {
    (State.STARTED, By.CALL): frozenset(State),
    (State.STARTED, By.LOOK): frozenset(State),
    (State.STARTED, By.SHOWN): frozenset({State.SUCCEEDED, State.FAILED}),
    (State.STARTED, By.PERSON): frozenset({State.SUCCEEDED, State.FAILED}),
    (State.UNKNOWN, By.CALL): frozenset({State.UNKNOWN, State.SUCCEEDED}),  # never by a repeat's failure
    (State.UNKNOWN, By.LOOK): frozenset({State.UNKNOWN, State.SUCCEEDED, State.FAILED}),
    (State.UNKNOWN, By.SHOWN): frozenset({State.SUCCEEDED, State.FAILED}),
    (State.UNKNOWN, By.PERSON): frozenset({State.SUCCEEDED, State.FAILED}),
    (State.FAILED, By.CALL): frozenset({State.STARTED, State.SUCCEEDED}),  # made again where nothing was done; and a success that came late
    (State.FAILED, By.SHOWN): frozenset({State.FAILED, State.SUCCEEDED}),
    (State.SUCCEEDED, By.SHOWN): frozenset({State.SUCCEEDED}),  # its outcome alone changes
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked: the key, its name and role then, and the identity that it shares with the keys that followed it."""

    id: str
    name: str
    role: str
    lineage: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act for the attempt, until an epoch second of the instance's clock."""

    token: str
    until: float


@dataclass(frozen=True, slots=True)
class Looks:
    """How often it was asked what became of the attempt, when it is asked next, what stood in the way, and who is asking now."""

    count: int = 0
    next: float = 0.0
    error: str | None = None
    by: str | None = None
    until: float = 0.0
    person: float | None = None  # when somebody was told that only a person can end it


@dataclass(frozen=True, slots=True)
class Attempt:
    """One intended change. Times are epoch seconds; `sent` counts requests (or own writes) and `answered` those that certainly did nothing."""

    record: Record
    operation: str
    state: State
    asker: Asker
    origin: Origin
    asked: dict[str, Any]
    request: str
    form: int
    settled: Settled
    view: dict[str, Any]
    told: dict[str, Any]  # what its rows say it is about
    movement: tuple[str, ...]
    lease: Lease | None
    sent: int
    answered: int
    first_sent: float | None
    last_sent: float | None  # of a request that Stripe did not merely replay
    outcome: str | None
    unknown_since: float | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    ended: float | None
    looks: Looks
    correlation_id: str | None
    created: float
    updated: float
    steps: tuple[tuple[float, str], ...]
    due: bool  # something that follows its end is still owed: a row, a claim's end

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def moved(self) -> bool:
        """Whether it counts as having moved something: a success that did not fail later."""
        return self.state is State.SUCCEEDED and self.outcome not in FAILED_OUTCOMES

    def is_held(self, now: float) -> bool:
        return self.lease is not None and self.lease.until > now

    def is_at_work(self, now: float) -> bool:
        """Whether somebody acts for it, or is asking what became of it."""
        return self.is_held(now) or self.looks.until > now

    @property
    def grace_ends(self) -> float:
        """The epoch second from which no request that the attempt has sent can be under way any more."""
        return (self.last_sent or self.created) + GRACE

    @property
    def facts(self) -> AttemptFacts:
        since = self.ended or self.unknown_since or self.created
        earliest = self.grace_ends if self.sent else self.lease.until if self.lease else self.created
        asked_next = int(max(self.looks.next, earliest)) if self.open else None
        return AttemptFacts(self.state.value, int(since), asked_next, self.outcome, self.result)


class Unreadable(BillyError):
    """A record that this version cannot read."""

    def __init__(self, id: str) -> None:
        BillyError.__init__(
            self,
            "unavailable",
            "The record of this attempt was written by another version and cannot be read here.",
            next="Nothing was changed. Ask the operator to run the newer version everywhere.",
            attempt=id,
        )


@dataclass(frozen=True, slots=True)
class New:
    """What a new attempt is recorded with."""

    id: str
    operation: str
    actor: Actor
    asked: dict[str, Any]
    request: str
    settled: Settled
    view: dict[str, Any]
    told: dict[str, Any]
    movement: tuple[str, ...]
    lease: Lease | None
    correlation_id: str | None = None
    first_step: str = "recorded"
    sent: int = 0

    def attempt(self, now: float) -> Attempt:
        """It as it is recorded first."""
        return Attempt(
            record=Record(self.id, {}, 0),
            operation=self.operation,
            state=State.STARTED,
            asker=Asker(self.actor.id, self.actor.name, self.actor.role, self.actor.identity),
            origin=self.actor.origin,
            asked=self.asked,
            request=self.request,
            form=FORM,
            settled=self.settled,
            view=self.view,
            told=self.told,
            movement=self.movement,
            lease=self.lease,
            sent=self.sent,
            answered=0,
            first_sent=now if self.sent else None,
            last_sent=now if self.sent else None,
            outcome=None,
            unknown_since=None,
            result=None,
            error=None,
            ended=None,
            looks=Looks(),
            correlation_id=self.correlation_id,
            created=now,
            updated=now,
            steps=((now, self.first_step),),
            due=False,
        )

"""What goes along the road: a call, what it settles to, an act, what it did, the answer, and a look at what became of an act."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actor import Actor
from shared.context import Context, Sending


@dataclass(frozen=True, slots=True)
class Call:
    """A call that reads, or that is being settled. It cannot act: it has no `sending`."""

    context: Context
    actor: Actor
    input: Any


@dataclass(frozen=True, slots=True)
class Settled:
    """A write with nothing left open: what is decided, recorded and done is this. `arguments` is plain JSON.

    `amount` in minor units and `currency` are there where money moves. `known` are facts read on the way (what was there before, what it
    costs): they are shown and not part of what is done.
    """

    arguments: dict[str, Any]
    summary: str
    amount: int | None = None
    currency: str | None = None
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Change:
    """One fact before and after, as texts or numbers that people read."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class View:
    """What an approver must see of a settled call. `costs` and `notes` are sentences."""

    facts: Mapping[str, Any]
    changes: tuple[Change, ...] = ()
    costs: str | None = None
    notes: tuple[str, ...] = ()

    def document(self, undo: str) -> dict[str, Any]:
        """Plain JSON, with the sentence on what can be taken back."""
        return {
            "facts": dict(self.facts),
            "changes": [{"what": each.what, "before": each.before, "after": each.after} for each in self.changes],
            "costs": self.costs,
            "notes": list(self.notes),
            "undo": undo,
        }


@dataclass(frozen=True, slots=True)
class Act:
    """A call that acts. Whatever has an effect goes through `sending`, which the fence stands before."""

    context: Context
    actor: Actor
    settled: Settled
    attempt: str
    sending: Sending


@dataclass(frozen=True, slots=True)
class Done:
    """What an act did, or what was found of it.

    `outcome` is Stripe's own state where its success is not yet the money's (`pending`, `requires_action`, `failed`, `canceled`). `after` is
    what follows and may fail: the mirror, a refresh. `wakes` is the queue to be woken, where something was started. `shown_once` are fields of
    the result that are answered and kept nowhere. `did` is the settled call as it shows in what was found.
    """

    result: dict[str, Any]
    outcome: str | None = None
    after: Callable[[], Awaitable[None]] | None = None
    wakes: str | None = None
    shown_once: tuple[str, ...] = ()
    did: Settled | None = None

    @property
    def kept(self) -> dict[str, Any]:
        return {name: value for name, value in self.result.items() if name not in self.shown_once}


FAILED_OUTCOMES = frozenset({"failed", "canceled"})  # no money stays moved


@dataclass(frozen=True, slots=True)
class Answer:
    """What a surface sends on: a JSON object, and the queue to be woken where something was started."""

    body: dict[str, Any]
    wakes: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A look at what became of an attempt. `arguments` are the settled ones, or those that were asked where none were recorded."""

    context: Context
    attempt: str
    arguments: Mapping[str, Any]
    since: float  # epoch seconds at which the attempt was recorded
    settled: bool = True

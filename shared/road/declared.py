"""What a write declares of itself, as words that approvals, caps, agents and the timer can go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.policy.effects import EFFECTS


class Category(StrEnum):
    """The kinds of change that a company may want a person to approve; `NONE` is said aloud."""

    REFUNDS = "refunds"
    CREDITS = "credits"
    PLAN_CHANGES = "plan_changes"
    CANCELLATIONS = "cancellations"
    TAX_AND_LEGAL = "tax_and_legal"
    PROMISES = "promises"
    INVOICE_EDITS = "invoice_edits"
    NONE = "none"


class Repeats(StrEnum):
    """What a second call with the same arguments and without an idempotency key does."""

    SAFE = "safe"  # it changes nothing more
    NOTICED = "noticed"  # it is refused as `possible_duplicate`
    NEVER = "never"  # it acts once more, and nothing could tell


class Reversal(StrEnum):
    """Whether what was done can be taken back."""

    FULLY = "fully"
    BY_ANOTHER = "by_another"  # by the operation that is named
    IN_TIME = "in_time"  # within the seconds that are named
    NOT_AT_ALL = "not_at_all"


@dataclass(frozen=True, slots=True)
class Reversible:
    """`by` names the operation that takes it back; `within` is seconds."""

    how: Reversal
    by: str | None = None
    within: int | None = None

    def sentence(self) -> str:
        """What an approver is told of it."""
        match self.how:
            case Reversal.FULLY:
                return "This can be taken back, or changes nothing that stays."
            case Reversal.BY_ANOTHER:
                return f"This can be taken back with {self.by}."
            case Reversal.IN_TIME:
                return f"This can be taken back within {self.within} seconds{f' with {self.by}' if self.by else ''}."
            case Reversal.NOT_AT_ALL:
                return "This cannot be taken back."


class Found(StrEnum):
    """How it is found out what became of an attempt whose answer was lost."""

    BY_METADATA = "metadata"  # what it makes at Stripe carries the attempt's id
    BY_DERIVED_ID = "derived_id"  # what it makes has an id that follows from the attempt's
    BY_READING_BACK = "read_back"  # the state that it wanted is there, and was not when the call was settled
    BY_REPLAY = "replay"  # by sending it again under the same key, as long as Stripe joins the two
    NOT_AT_ALL = "not_at_all"  # a person ends it


@dataclass(frozen=True, slots=True)
class Besides:
    """An effect besides money, by its name in the policy's `EFFECTS`: always, or where an argument has one of some values."""

    effect: str
    argument: str | None = None
    values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ValueError(f"The policy knows no effect {self.effect}.")

    def follows(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a call with these arguments has it."""
        return self.argument is None or arguments.get(self.argument) in self.values


@dataclass(frozen=True, slots=True)
class Declared:
    """`movement` names the settled arguments that make two calls the same movement; none where nothing can move twice.

    `effects` is what it does besides moving money and changing what it names: none is said aloud. `told` names the settled arguments that
    its audit rows repeat; the others are there as a digest alone. `gives` names the argument that holds a role which somebody gets.
    """

    moves_money: bool
    category: Category
    repeats: Repeats
    reversible: Reversible
    effects: tuple[Besides, ...]
    movement: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    gives: str | None = None

    def __post_init__(self) -> None:
        if (self.repeats is Repeats.NOTICED) != bool(self.movement):
            raise ValueError("What is noticed names its movement, and what names a movement is noticed.")
        if self.moves_money and self.repeats is not Repeats.NOTICED:
            raise ValueError("A movement of money is noticed.")

    @property
    def destructive(self) -> bool:
        """Whether a call can do something that nothing takes back: an annotation is read before there are arguments."""
        return self.reversible.how is Reversal.NOT_AT_ALL or any(EFFECTS[each.effect].lasting for each in self.effects)

    def effects_of(self, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """The effects besides money of a call with these arguments."""
        return tuple(each.effect for each in self.effects if each.follows(arguments))

    def undo(self, arguments: Mapping[str, Any]) -> str:
        """What can be taken back of a call with these arguments, in words."""
        lasting = any(EFFECTS[name].lasting for name in self.effects_of(arguments))
        if not lasting or self.reversible.how is Reversal.NOT_AT_ALL:
            return self.reversible.sentence()
        return f"{self.reversible.sentence()} What it does besides cannot be taken back."

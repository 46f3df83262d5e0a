"""What a write declares of itself, as words that approvals, caps, agents and the timer can go by."""

from dataclasses import dataclass
from enum import StrEnum


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
class Declared:
    """`movement` names the settled arguments that make two calls the same movement; none where nothing can move twice."""

    moves_money: bool
    category: Category
    repeats: Repeats
    reversible: Reversible
    movement: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.repeats is Repeats.NOTICED) != bool(self.movement):
            raise ValueError("What is noticed names its movement, and what names a movement is noticed.")
        if self.moves_money and self.repeats is not Repeats.NOTICED:
            raise ValueError("A movement of money is noticed.")

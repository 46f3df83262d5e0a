"""What an operation is: facts in a few lines, an input model, and code. Every surface is projected from this record."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.policy.effects import EFFECTS
from shared.road.calls import Act, Call, Done, Look, Settled, View
from shared.road.declared import Declared, Found, Repeats
from shared.road.identity import ATTEMPT, canonical_key

type Verb = Literal["GET", "POST", "PATCH", "DELETE"]


class Input(BaseModel):
    """Arguments of an operation: strict types, unknown fields refused, unchangeable once parsed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    def understood(self) -> dict[str, Any]:
        """What was given, in the one form in which it is understood; nothing that was left out."""
        return self.model_dump(include=self.model_fields_set, exclude_none=True)


class Output(BaseModel):
    """The shape of an answer, for schemas; answers are made as plain objects. Built on first use, because cold start counts."""

    model_config = ConfigDict(defer_build=True)


class Filtered(Output):
    """An answer that depends on filters says which of them arrived. The road fills it in."""

    asked: dict[str, Any] = Field(
        description="The filters and times that were given, as they were understood. What you gave and is not here did not arrive."
    )


Key = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(canonical_key)]


class WriteInput(Input):
    """What every write takes besides its own arguments."""

    dry_run: bool = Field(False, description="true: change nothing; say what would happen, whether it is permitted, and why.")
    idempotency_key: Key | None = Field(
        None,
        description="A text of your own for this one intended change, such as ticket-5678. A repeat with the same text never acts twice: it returns the first result.",
    )


class MovementInput(WriteInput):
    """What a write takes besides whose second call within ten minutes is refused."""

    repeat_of: str | None = Field(
        None,
        pattern=ATTEMPT,
        description="Only to do the same once more on purpose: the id of the earlier attempt (att_…), as possible_duplicate named it.",
    )


ROAD = frozenset({"dry_run", "idempotency_key", "repeat_of"})  # arguments of the road itself, not of the operation


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the catalogue. `name` is the only name: function, route, operationId and audit use it as it is."""

    name: str
    summary: str
    description: str
    verb: Verb
    path: str
    permission: str
    tags: tuple[str, ...]
    input: type[Input]
    output: type[Output]
    agents: bool  # offered to agents over MCP and /api/tools; keys and the audit log are for people

    @property
    def tool(self) -> str:
        return f"billy_{self.name}"

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def writes(self) -> bool:
        return isinstance(self, Write)

    @property
    def method(self) -> Literal["read", "write"]:
        return "write" if self.writes else "read"

    @property
    def destructive(self) -> bool:
        """Whether it changes something that cannot simply be taken back."""
        return isinstance(self, Write) and self.declared.destructive

    @property
    def idempotent(self) -> bool:
        """Whether the same call again, without a key, changes nothing more."""
        return not isinstance(self, Write) or self.declared.repeats is Repeats.SAFE

    @property
    def wakes(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Read(Operation):
    """An operation that changes nothing."""

    handler: Callable[[Call], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Write(Operation):
    """An operation that changes something, once. Its parts are those of its file, in the same order."""

    declared: Declared
    settle: Callable[[Call], Awaitable[Settled]]
    view: Callable[[Settled], View]
    act: Callable[[Act], Awaitable[Done]]
    found: Found
    became: Callable[[Look], Awaitable[Done | None]] | None
    makes: str | None  # the kind of Stripe's objects that carry the attempt's id
    shown: Callable[[Mapping[str, Any]], Done] | None  # what such an object says was done
    queue: str | None  # the queue whose function goes on with what this starts
    derives: str | None  # the prefix of the id that what it makes here has, which follows from the attempt's

    def seen(self, settled: Settled) -> dict[str, Any]:
        """What an approver must see of a settled call, with what it does besides and what can be taken back."""
        effects = self.declared.effects_of(settled.arguments)
        view = self.view(settled).document(self.declared.undo(settled.arguments))
        return view | {"notes": [*(EFFECTS[name].sentence for name in effects), *view["notes"]], "effects": list(effects)}

    @property
    def wakes(self) -> str | None:
        return self.queue


def read(
    route: str,
    *,
    permission: str,
    input: type[Input],
    output: type[Output],
    tags: tuple[str, ...] = (),
    agents: bool = True,
) -> Callable[[Callable[[Call], Awaitable[dict[str, Any]]]], Read]:
    """Makes a handler an operation that reads. Its name and docstring are the operation's name and description; `route` is `VERB /path`."""
    verb, path = _route(route)

    def register(handler: Callable[[Call], Awaitable[dict[str, Any]]]) -> Read:
        words = " ".join((handler.__doc__ or "").split())
        name: str = handler.__name__  # type: ignore[attr-defined]
        return Read(name, _summary(words), words, verb, path, permission, tags, input, output, agents, handler)

    return register


PARTS = ("Input", "settle", "view", "act", "became", "shown", "words")  # of a write, in the order in which its file has them


def write(
    route: str,
    *,
    permission: str,
    output: type[Output],
    declared: Declared,
    found: Found,
    tags: tuple[str, ...] = (),
    agents: bool = True,
    makes: str | None = None,
    queue: str | None = None,
    derives: str | None = None,
) -> Callable[[type], Write]:
    """Makes a class an operation that changes something. Its name is the operation's; it holds the parts of a write, all of them, in one order:

    `Input` (arguments), `settle(Call) -> Settled`, `view(Settled) -> View`, `act(Act) -> Done`, `became(Look) -> Done | None` (None where it
    was not done; left out only where `found` is `NOT_AT_ALL` or `BY_REPLAY`), `shown(object) -> Done` (only where it `makes` a kind of
    Stripe's objects that carry the attempt's id), and `words`, the description for callers. The docstring is for engineers.
    Raises TypeError for a part that is missing or out of its place.
    """
    verb, path = _route(route)

    def register(parts: type) -> Write:
        there = [name for name in vars(parts) if name in PARTS]
        left_out = {"became": found in (Found.NOT_AT_ALL, Found.BY_REPLAY), "shown": makes is None}
        needed = [name for name in PARTS if not left_out.get(name)]
        if there != needed:
            raise TypeError(f"{parts.__name__} has {', '.join(there)}; a write has {', '.join(needed)}, in this order.")
        if "repeat_of" in parts.Input.model_fields and not declared.movement:  # type: ignore[attr-defined]
            raise TypeError(f"{parts.__name__} takes repeat_of and names no movement.")
        part: dict[str, Any] = {name: getattr(parts, name, None) for name in PARTS}
        words = " ".join(str(part["words"]).split())
        return Write(
            name=parts.__name__,
            summary=_summary(words),
            description=words,
            verb=verb,
            path=path,
            permission=permission,
            tags=tags,
            input=part["Input"],
            output=output,
            agents=agents,
            declared=declared,
            settle=part["settle"],
            view=part["view"],
            act=part["act"],
            found=found,
            became=part["became"],
            makes=makes,
            shown=part["shown"],
            queue=queue,
            derives=derives,
        )

    return register


def _route(route: str) -> tuple[Verb, str]:
    verb, path = route.split(" ")
    return verb, path  # type: ignore[return-value]


def _summary(words: str) -> str:
    return words.split(". ")[0].rstrip(".")

"""What an operation is: facts in one line, an input model, a handler. Every surface is projected from this record."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.actor import Actor
from shared.context import Context


class Input(BaseModel):
    """Arguments of an operation: strict types, unknown fields refused, unchangeable once parsed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Output(BaseModel):
    """The shape of an answer, for schemas; answers are made as plain objects. Built on first use, because cold start counts."""

    model_config = ConfigDict(defer_build=True)


class WriteInput(Input):
    """What every write takes besides its own arguments."""

    dry_run: bool = Field(False, description="true: change nothing; say what would happen, whether it is permitted, and why.")
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="A text of your own for this one intended change. A repeat with the same text returns the first result instead of acting again.",
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """A write with nothing left open: what is decided, recorded and done is this. `arguments` is plain JSON."""

    arguments: dict[str, Any]
    summary: str
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler works with. `settled` and `attempt` are there for writes that act."""

    context: Context
    actor: Actor
    input: Any
    settled: Settled | None = None
    attempt: str | None = None


Handler = Callable[[Call], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the catalogue. `name` is the only name: function, route, operationId and audit use it as it is."""

    name: str
    summary: str
    description: str
    verb: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    permission: str
    tags: tuple[str, ...]
    input: type[Input]
    output: type[Output]
    handler: Handler
    writes: bool
    destructive: bool
    idempotent: bool
    shown_once: tuple[str, ...]  # fields of the result that are answered but never kept
    agents: bool  # offered to agents over MCP and /api/tools; keys and audit are for people
    wakes: str | None  # the queue whose function goes on with what this started
    settle: Callable[[Call], Awaitable[Settled]] | None
    recover: Callable[[Call], Awaitable[dict[str, Any] | None]] | None

    @property
    def tool(self) -> str:
        return f"billy_{self.name}"

    @property
    def method(self) -> Literal["read", "write"]:
        return "write" if self.writes else "read"

    @property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


def operation(
    route: str,
    *,
    permission: str,
    input: type[Input],
    output: type[Output],
    tags: tuple[str, ...] = (),
    writes: bool = False,
    destructive: bool = False,
    idempotent: bool = True,
    agents: bool = True,
    shown_once: tuple[str, ...] = (),
    wakes: str | None = None,
    settle: Callable[[Call], Awaitable[Settled]] | None = None,
    recover: Callable[[Call], Awaitable[dict[str, Any] | None]] | None = None,
) -> Callable[[Handler], Operation]:
    """Makes a handler an operation. Its name and docstring are the operation's name and description; `route` is `VERB /path`.

    `settle` marks a write that takes the whole road (settle, decide, record, act); `recover` finds out, from Stripe, what became of an
    attempt whose answer was lost: the handler's result, or None where it was not done. Writes without `settle` change only Billy itself.
    """
    verb, path = route.split(" ")

    def register(handler: Handler) -> Operation:
        text = " ".join((handler.__doc__ or "").split())
        return Operation(
            name=handler.__name__,
            summary=text.split(". ")[0].rstrip("."),
            description=text,
            verb=verb,  # type: ignore[arg-type]
            path=path,
            permission=permission,
            tags=tags,
            input=input,
            output=output,
            handler=handler,
            writes=writes,
            destructive=destructive,
            idempotent=idempotent,
            agents=agents,
            shown_once=shown_once,
            wakes=wakes,
            settle=settle,
            recover=recover,
        )

    return register

"""A call to write as it was asked, what it may come to, and what is found out of it before anything else."""

import asyncio
from dataclasses import dataclass
from typing import Any

from shared.context import Context
from shared.road import looking, refusals
from shared.road.attempt import Attempt
from shared.road.calls import Call, Done, Look, Settled
from shared.road.claims import Wanted
from shared.road.declared import Found
from shared.road.identity import attempt_id, movements, request_digest
from shared.road.operation import ROAD, Write


@dataclass(frozen=True, slots=True)
class Preview:
    """Nothing is to be done but to say what would be."""

    body: dict[str, Any]
    arguments: dict[str, Any]
    attempt: str | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """It was done, or failed for good, before: the record is the answer."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Settle:
    """An attempt of this same call is open: it is found out what became of it before anything else."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Start:
    """It is to be done. `attempt` is recorded and holds this call's lease; `again` where it was recorded by an earlier call."""

    attempt: Attempt
    again: bool = False


type Prepared = Preview | Repeat | Settle | Start


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it was asked: what was given, the key in its one spelling, the id of its attempt, and until when it may act."""

    call: Call
    operation: Write
    given: dict[str, Any]
    key: str | None
    repeat_of: str | None
    id: str
    until: float

    @classmethod
    def of(cls, operation: Write, call: Call, until: float) -> "Asked":
        given = call.input.model_dump(exclude=ROAD, exclude_none=True, exclude_unset=True)
        key: str | None = call.input.idempotency_key
        id = attempt_id(call.actor, operation.name, key) if key else call.context.seam.id("att")
        return cls(call, operation, given, key, getattr(call.input, "repeat_of", None), id, until)

    @property
    def context(self) -> Context:
        return self.call.context

    def is_request_of(self, attempt: Attempt) -> bool:
        return attempt.request == request_digest(self.given, attempt.form)

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.id, self.repeat_of, self._became)

    async def _became(self, holder: Attempt) -> Attempt:
        """One that holds a claim of this operation's was recorded by this operation."""
        return (await looking.look(self.context, self.operation, holder)).attempt

    async def foreseen(self, holder: Attempt) -> Attempt:
        """The same without recording what is found."""
        return (await looking.foresee(self.context, self.operation, holder)).attempt


def movement_of(asked: Asked, settled: Settled) -> tuple[str, ...]:
    return movements(asked.operation.name, asked.operation.declared.movement, settled.arguments)


async def found_and_settled(asked: Asked) -> tuple[Done | None, Settled]:
    """The settled call; and for a keyed call without a record, what Stripe has of its attempt: records may have been restored.

    Both are asked side by side. What was found outweighs that it can no longer be settled.
    """
    operation = asked.operation
    if asked.key is None or operation.became is None or operation.found not in (Found.BY_METADATA, Found.BY_DERIVED_ID):
        return None, await operation.settle(asked.call)
    look = Look(asked.context, asked.id, asked.given, asked.context.seam.now(), settled=False)
    found, settled = await asyncio.gather(operation.became(look), operation.settle(asked.call), return_exceptions=True)
    if isinstance(found, Done):
        return found, settled if isinstance(settled, Settled) else Settled(asked.given, operation.summary)
    if isinstance(settled, BaseException):
        raise settled
    if isinstance(found, BaseException):
        raise found
    return None, settled


def did(asked: Asked, found: Done) -> Settled:
    settled = found.did or Settled(asked.given, asked.operation.summary)
    if any(name in settled.arguments and settled.arguments[name] != value for name, value in asked.given.items()):
        raise refusals.another_request(asked.id)
    return settled

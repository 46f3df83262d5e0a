"""The audit row of a call: made along the road by one function and appended, never changed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from shared.actor import Actor, Origin
from shared.context import Context
from shared.credentials import address, cleared
from shared.errors import BillyError
from shared.instants import iso
from shared.road import floods
from shared.road.about import OWN_ID, STRIPE_ID, ids, object_of
from shared.road.calls import Act, Call
from shared.road.digests import canonical, digest_of
from shared.telemetry.correlation import correlation_id, following, new_trace, parent_id
from shared.telemetry.measures import measure
from shared.telemetry.spans import keep

# Ids are drawn before the insert, which may take a while. Who reads on from a row stops so many seconds before now, and an insert that
# takes longer than its share of them draws its id anew: so nothing appears behind a reader.
DISTANCE = 120.0
LONGEST_INSERT = 15.0
DRAWS = 2
PAGE = 100  # rows
LONGEST_TEXT = 300  # characters of an argument that a row is made of before it is parsed

AS_IT_IS = (
    *("code", "attempt", "state", "outcome", "amount", "currency", "dry_run", "replayed", "again", "count", "since"),
    *("settled_later", "found", "reason", "object", "about", "effects", "right", "taken", "key_state", "reference"),
)


class Decided(StrEnum):
    """What a row tells of a call. `OUTCOME`, `GIVEN` and `TAKEN` tell what came of it; the others are the one row of its being asked."""

    ALLOWED = "allowed"
    DENIED = "denied"  # the policy said no
    REFUSED = "refused"  # it never reached the policy, or may not be done now
    PREVIEW = "preview"
    GIVEN = "given"  # a right, by a call that was allowed
    TAKEN = "taken"  # a right, for good: such a row outweighs whatever the records say
    OUTCOME = "outcome"  # how an attempt ended, or what Stripe shows of it later


def decided(error: BillyError) -> Decided:
    """How a call that an error ended before the act is told."""
    return Decided.DENIED if error.code == "not_allowed" else Decided.REFUSED


@dataclass(frozen=True, slots=True)
class Row:
    """A row before it has an id and a time. `amount` in minor units and `currency` stand in one row of an attempt alone, so sums are right."""

    operation: str
    origin: Origin
    decision: Decided
    actor: Actor | None = None
    code: str | None = None
    spelt: bytes | None = field(default=None, repr=False)  # the arguments, of which the row keeps a digest
    stripe_ids: tuple[str, ...] = ()
    attempt: str | None = None
    state: str | None = None
    outcome: str | None = None
    amount: int | None = None
    currency: str | None = None
    dry_run: bool | None = None
    replayed: bool | None = None
    again: bool | None = None  # the act is made once more, under the same attempt
    settled_later: bool | None = None
    found: str | None = None  # who told the outcome: `stripe`, or `person`
    reason: str | None = None
    object: str | None = None  # the one thing that it is about, of Billy's or of Stripe's, by its id
    about: Mapping[str, Any] | None = None  # what the operation tells of it, such as a key's role and end
    effects: tuple[str, ...] = ()  # what it does besides moving money
    own_ids: tuple[str, ...] = ()
    right: str | None = None  # the kind of right that was given or taken
    taken: str | None = None  # the id of a right that is gone for good, by which it is looked up
    key_state: str | None = None  # of a known key that does not work: revoked, or expired
    reference: str | None = None
    count: int | None = None  # how many calls it stands for, where it is a sum
    since: str | None = None  # when the first of them was asked
    notes: tuple[str, ...] = ()
    correlation: str | None = None

    @classmethod
    def of(cls, call: Call | Act, operation: str, decision: Decided, *, arguments: Any = None, also: Any = None, **facts: Any) -> Self:
        """The row of a call: who, from where, the digest of the arguments, what it is about, and all ids among them (Stripe's in `also` too)."""
        row = cls(operation, call.actor.origin, decision, call.actor, **facts)
        return replace(
            row,
            spelt=canonical(arguments) if arguments is not None else None,
            object=row.object or object_of(arguments),
            stripe_ids=tuple(ids([arguments, also], STRIPE_ID)),
            own_ids=tuple(ids(arguments, OWN_ID)),
        )

    def document(self, id: str, now: float, digest: str | None = None) -> dict[str, Any]:
        """Plain JSON; facts that are not there are left out. `digest` is that of the arguments."""
        actor = self.actor
        whole: dict[str, Any] = {
            "id": id,
            "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "operation": self.operation,
            "actor": actor.id if actor else "unknown",
            "actor_name": cleared(actor.name) if actor else None,
            "role": actor.role if actor else None,
            "surface": self.origin.surface,
            "address": address(self.origin.address),
            "client": cleared(self.origin.client) if self.origin.client else None,
            "correlation_id": self.correlation or correlation_id(),
            "parent": None if self.correlation else parent_id(),
            "decision": self.decision.value,
            "arguments_digest": digest,
            "stripe_ids": list(self.stripe_ids),
            "own_ids": list(self.own_ids) or None,
            "notes": list(self.notes) or None,
        }
        whole |= {name: getattr(self, name) for name in AS_IT_IS}
        whole["effects"] = list(self.effects) or None
        return {name: value for name, value in whole.items() if value is not None}


def is_plain(value: Any) -> bool:
    """Whether a value that no schema has passed can be digested and searched whatever it is: a short text, a number, true or false."""
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and not any("\ud800" <= each <= "\udfff" for each in value)
    return isinstance(value, bool) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)


async def append(context: Context, row: Row) -> str:
    """Appends a row and answers its id. Raises `unavailable` where it cannot be kept: what cannot be recorded is not done."""
    await write_sums(context)
    return await _append(context, row)


async def write_sums(context: Context, *, all: bool = False) -> None:
    """The rows of the refusals that were counted in windows that are over, or in `all`. What cannot be written is counted on; raises nothing."""
    for kind, flood in floods.ended(context, all=all):
        facts: dict[str, Any] = {"code": flood.code, "key_state": flood.key_state, "count": flood.more, "since": iso(flood.began)}
        try:
            with following(new_trace(context.seam.bits)):  # it belongs to none of its calls, and not to the one that comes by
                await _append(context, Row(flood.operation, flood.origin, Decided.REFUSED, flood.who, **facts))
        except BillyError:
            floods.put_back(context, kind, flood)
            return


async def _append(context: Context, row: Row) -> str:
    digest = await digest_of(context, row.spelt) if row.spelt is not None else None
    cause: Exception | None = None
    drawn: list[str] = []
    for _ in range(DRAWS):
        id = context.seam.id("aud")
        anew = {"drawn_anew": drawn[-1]} if drawn else {}  # the row of that id may have been kept after all, and is this one
        drawn.append(id)
        try:
            async with asyncio.timeout(LONGEST_INSERT):
                await context.audit.append(row.document(id, context.seam.now(), digest) | anew)
        except TimeoutError as slow:
            cause = slow
            continue
        except Exception as failure:
            cause = failure
            break
        if row.decision is not Decided.ALLOWED or row.attempt is not None:
            keep()
        measure("billy.decisions", operation=row.operation, surface=row.origin.surface, decision=row.decision.value, code=row.code)
        return id
    raise BillyError("unavailable", "The audit log cannot be written.", next="Try again later.", retry_after=5) from cause


async def has_row(context: Context, attempt: str, told: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether one of an attempt's rows tells something. All are read, newest first: a call that is repeated leaves more rows than a page has."""
    after: str | None = None
    while rows := await context.audit.list(limit=PAGE, after=after, where={"attempt": attempt}):
        if any(told(row) for row in rows):
            return True
        if len(rows) < PAGE:
            break
        after = rows[-1]["id"]
    return False


def low_water(context: Context) -> str:
    """An id below which no row appears any more: who reads on stops here."""
    return context.seam.id("aud", context.seam.now() - DISTANCE)


async def refused(
    context: Context,
    origin: Origin,
    error: BillyError,
    operation: str | None = None,
    actor: Actor | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """The row of a call that never reached the road: no key, a bad address, a body that cannot be read, a tool that is not offered.

    Of `arguments`, where they could be read, the ids alone are told. Without an actor it may be a part of a sum.
    """
    who = actor or error.caller  # of whom the caller itself is told nothing
    name = operation or "unknown"
    if actor is None:
        await write_sums(context)
        if not floods.is_alone(context, floods.Flood(origin, error.code, name, context.seam.now(), who, error.key_state)):
            measure("billy.decisions", operation=name, surface=origin.surface, decision=Decided.REFUSED.value, code=error.code)
            return
    row = Row(name, origin, Decided.REFUSED, who, error.code, attempt=error.attempt, key_state=error.key_state)
    plain = {name: value for name, value in (arguments or {}).items() if is_plain(value)}
    named = {"object": object_of(plain), "stripe_ids": tuple(ids(plain, STRIPE_ID)), "own_ids": tuple(ids(plain, OWN_ID))}
    await append(context, replace(row, **named))

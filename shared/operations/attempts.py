"""The durable intent of a write: recorded before the act, so that it happens once and its outcome is never guessed."""

import hashlib
from dataclasses import dataclass
from typing import Any

from shared.actor import Actor
from shared.context import ALPHABET, Context
from shared.errors import BillyError, StripeFacts
from shared.operations.operation import Operation, Settled
from shared.operations.trail import digest
from shared.stores.protocols import Changed, Exists, Record
from shared.telemetry.correlation import correlation_id
from shared.telemetry.measures import measure

COLLECTION = "attempts"
CLAIMS = "claims"
DUPLICATE_WINDOW = 600  # seconds in which the same movement of money, asked for again without a key, is taken for an accident


@dataclass(frozen=True, slots=True)
class Attempt:
    """`state` goes from `started` to `succeeded`, `failed` or `unknown`; `unknown` is settled from Stripe later."""

    record: Record

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def state(self) -> str:
        return str(self.record.document["state"])

    @property
    def settled(self) -> Settled:
        return Settled(**self.record.document["settled"])


def attempt_id(actor: Actor, operation: Operation, key: str) -> str:
    """The same caller's same key for the same operation is the same attempt, on every instance."""
    number = int.from_bytes(hashlib.sha256(f"{actor.id}\n{operation.name}\n{key}".encode()).digest()[:17]) & (1 << 130) - 1
    return "att_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


async def find(context: Context, id: str) -> Attempt | None:
    record = await context.records.get(COLLECTION, id)
    return Attempt(record) if record else None


async def start(context: Context, id: str, operation: Operation, actor: Actor, request: str, settled: Settled) -> Attempt:
    """Records the intent. Raises `conflict` where another call with the same key came first."""
    now = context.seam.now()
    document: dict[str, Any] = {
        "operation": operation.name,
        "actor": actor.id,
        "actor_name": actor.name,
        "role": actor.role,
        "state": "started",
        "request": request,
        "settled": {
            "arguments": settled.arguments,
            "summary": settled.summary,
            "amount": settled.amount,
            "currency": settled.currency,
        },
        "correlation_id": correlation_id(),
        "created": now,
        "updated": now,
    }
    try:
        return Attempt(await context.records.insert(COLLECTION, id, document))
    except Exists:
        raise in_progress(id) from None


def in_progress(id: str) -> BillyError:
    return BillyError(
        "conflict",
        "A call with the same idempotency key is under way.",
        next="Repeat the same call with the same key in a second: it returns the first result.",
        retry_after=1,
        attempt=id,
    )


async def close(context: Context, attempt: Attempt, state: str, **facts: Any) -> Attempt:
    """Records the outcome. What somebody else recorded meanwhile stands, but a success is never lost."""
    record = attempt.record
    while True:
        try:
            document = record.document | {"state": state, "updated": context.seam.now()} | facts
            closed = Attempt(await context.records.replace(COLLECTION, record, document))
            if state != "started":
                measure("billy.attempts.ended", operation=str(document["operation"]), state=state)
            return closed
        except Changed:
            current = await context.records.get(COLLECTION, attempt.id)
            if current is None or state != "succeeded" or current.document["state"] == "succeeded":
                return Attempt(current) if current else attempt
            record = current


async def claim(context: Context, operation: Operation, settled: Settled, attempt: str, *, deliberate: bool) -> None:
    """Takes the ten-minute claim on a movement of money. Raises `possible_duplicate` unless the caller gave a key of their own."""
    id = digest([operation.name, settled.arguments])
    document = {"attempt": attempt, "at": context.seam.now()}
    try:
        await context.records.insert(CLAIMS, id, document)
        return
    except Exists:
        held = await context.records.get(CLAIMS, id)
    if held is None:
        return
    if not deliberate and context.seam.now() - held.document["at"] < DUPLICATE_WINDOW:
        before = await find(context, str(held.document["attempt"]))
        if before is None or before.state != "failed":
            raise duplicate(str(held.document["attempt"]))
    try:
        await context.records.replace(CLAIMS, held, document)
    except Changed:
        if not deliberate:
            raise duplicate(str(held.document["attempt"])) from None


def duplicate(attempt: str) -> BillyError:
    return BillyError(
        "possible_duplicate",
        "The same thing was asked for less than ten minutes ago.",
        next="Look whether it was done. If it is meant to happen once more, call again with an idempotency_key of your own.",
        attempt=attempt,
    )


def error_document(error: BillyError) -> dict[str, Any]:
    """What is kept of a failure, so that a repeat gives the same answer."""
    stripe = error.stripe
    return {
        "code": error.code,
        "detail": error.detail,
        "next": error.next,
        "stripe": {name: getattr(stripe, name) for name in stripe.__slots__} if stripe else None,
    }


def error_of(document: dict[str, Any], attempt: str) -> BillyError:
    stripe = document.get("stripe")
    return BillyError(
        document["code"], document["detail"], next=document.get("next"), stripe=StripeFacts(**stripe) if stripe else None, attempt=attempt
    )

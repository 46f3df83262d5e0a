"""Attempts whose outcome nobody saw: found out from Stripe, never guessed and never made again."""

from collections.abc import Mapping

from shared.actor import Actor, system
from shared.context import Context
from shared.errors import BillyError
from shared.operations import attempts, trail
from shared.operations.attempts import Attempt
from shared.operations.operation import Call, Operation
from shared.telemetry.correlation import read_id
from shared.telemetry.invocation import within

GRACE = 180  # seconds after which no request of an attempt can still be under way (three tries of twenty seconds, and slack)

PAGE = 100

NOT_DONE = BillyError("unavailable", "The call was cut off before Stripe did it.", next="Call again with a new idempotency_key.")


async def settle_attempts(context: Context, operations: Mapping[str, Operation]) -> dict[str, int]:
    """Settles what is `started` or `unknown` and older than the grace. Answers how many ended how."""
    counts = {"succeeded": 0, "failed": 0, "left": 0}
    actor = system("timer")
    for state in ("started", "unknown"):
        after: str | None = None
        while page := await context.records.find(attempts.COLLECTION, {"state": state}, limit=PAGE, after=after):
            for record in page:
                fresh = context.seam.now() - float(record.document["updated"]) < GRACE
                with within(read_id(record.document.get("correlation_id"))):  # so that its end is found where its beginning is
                    counts["left" if fresh else await _settle(context, operations, actor, Attempt(record))] += 1
            after = page[-1].id
    return counts


async def _settle(context: Context, operations: Mapping[str, Operation], actor: Actor, attempt: Attempt) -> str:
    operation = operations.get(str(attempt.record.document["operation"]))
    try:
        call = Call(context, actor, None, attempt.settled, attempt.id)
        result = await operation.recover(call) if operation and operation.recover else None
    except BillyError:
        return "left"
    if result is not None:
        await attempts.close(context, attempt, "succeeded", result=result)
    else:
        await attempts.close(context, attempt, "failed", error=attempts.error_document(NOT_DONE) | {"retryable": False})
    state = "succeeded" if result is not None else "failed"
    await trail.append(
        context,
        operation=str(attempt.record.document["operation"]),
        origin=actor.origin,
        actor=actor,
        decision="outcome",
        ids=trail.stripe_ids([attempt.record.document["settled"]["arguments"], (result or {}).get("id")]),
        attempt=attempt.id,
        state=state,
        settled_later=True,
    )
    return state

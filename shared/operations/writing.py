"""The second half of the road, for writes: settle, decide, record, act, record the outcome."""

from dataclasses import replace
from typing import Any

from shared.errors import BillyError
from shared.operations import attempts, trail
from shared.operations.attempts import Attempt
from shared.operations.operation import Call, Operation, Settled
from shared.policy.decide import Allow, Asked, Decision, Deny, decide
from shared.telemetry.invocation import crashed

OWN = {"dry_run", "idempotency_key"}  # arguments of the road itself, not of the operation
RETRYABLE = {"rate_limited", "unavailable"}  # Stripe did not do it, and the same attempt may be made again


async def write(operation: Operation, call: Call) -> dict[str, Any]:
    """The answer of a write: `succeeded` with its attempt and result, or a preview. Raises `BillyError`."""
    asked = call.input.model_dump(exclude=OWN, exclude_none=True)
    try:
        answer = await _prepare(operation, call, asked)
    except BillyError as error:
        await note(operation, call, "denied" if error.code == "not_allowed" else "refused", code=error.code, arguments=asked)
        raise
    return await _act(operation, call, answer) if isinstance(answer, Attempt) else answer


async def _prepare(operation: Operation, call: Call, asked: dict[str, Any]) -> Attempt | dict[str, Any]:
    """Everything before the act: the recorded attempt, or the answer where there is nothing left to do."""
    key: str | None = call.input.idempotency_key
    request = trail.digest(asked)
    id = attempts.attempt_id(call.actor, operation, key) if key else call.context.seam.id("att")
    earlier = await attempts.find(call.context, id) if key and not call.input.dry_run else None
    if earlier:
        return await _again(operation, call, earlier, request)
    settled = await _settle(operation, call, asked)
    decision = _decide(operation, call, settled)
    if call.input.dry_run:
        await note(operation, call, "preview", arguments=settled.arguments, dry_run=True)
        return preview(settled, decision)
    if isinstance(decision, Deny):
        raise denied(decision)
    if settled.amount is not None:
        await attempts.claim(call.context, operation, settled, id, deliberate=key is not None)
    return await attempts.start(call.context, id, operation, call.actor, request, settled)


def preview(settled: Settled, decision: Decision) -> dict[str, Any]:
    """What a dry run answers: the settled call, and whether and why it would be permitted."""
    allowed = isinstance(decision, Allow)
    body: dict[str, Any] = {
        "status": "preview",
        "would": "act" if allowed else "refuse",
        "summary": settled.summary,
        "settled": settled.arguments,
        "reason": decision.reason,
    }
    return body if isinstance(decision, Allow) else body | {"who_can": list(decision.who_can), "next": decision.next}


def denied(decision: Deny, attempt: str | None = None) -> BillyError:
    """The error of a decision that says no."""
    return BillyError("not_allowed", decision.reason, next=decision.next, who_can=decision.who_can, attempt=attempt)


async def note(operation: Operation, call: Call, decision: str, *, code: str | None = None, arguments: Any = None, **facts: Any) -> None:
    await trail.append(
        call.context,
        operation=operation.name,
        origin=call.actor.origin,
        actor=call.actor,
        decision=decision,
        code=code,
        arguments=arguments,
        ids=trail.stripe_ids(arguments),
        **facts,
    )


async def _settle(operation: Operation, call: Call, asked: dict[str, Any]) -> Settled:
    if operation.settle:
        return await operation.settle(call)
    return Settled(arguments=asked, summary=operation.summary)


def _decide(operation: Operation, call: Call, settled: Settled) -> Decision:
    return decide(Asked(call.actor.role, operation.permission, settled.amount, settled.currency))


async def _again(operation: Operation, call: Call, attempt: Attempt, request: str) -> Attempt | dict[str, Any]:
    """The second call with a key: the first result, or the attempt to be made once more where it has no result yet."""
    document = attempt.record.document
    if document["request"] != request:
        raise BillyError(
            "conflict",
            "This idempotency key was used before with other arguments.",
            next="Use a new idempotency_key for a new change.",
            attempt=attempt.id,
        )
    if attempt.state == "succeeded":
        await note(operation, call, "allowed", arguments=document["settled"]["arguments"], attempt=attempt.id, replayed=True)
        return {"status": "succeeded", "attempt": attempt.id, "result": document["result"], "replayed": True}
    if attempt.state == "failed" and not document["error"].get("retryable"):
        raise attempts.error_of(document["error"], attempt.id)
    decision = _decide(operation, call, attempt.settled)
    if isinstance(decision, Deny):
        raise denied(decision, attempt.id)
    done = await operation.recover(replace(call, settled=attempt.settled, attempt=attempt.id)) if operation.recover else None
    if done is not None:
        await note(operation, call, "allowed", arguments=document["settled"]["arguments"], attempt=attempt.id)
        return await _succeeded(operation, call, attempt, done)
    return attempt if attempt.state == "started" else await attempts.close(call.context, attempt, "started")


async def _act(operation: Operation, call: Call, attempt: Attempt) -> dict[str, Any]:
    settled = attempt.settled
    try:
        await note(
            operation, call, "allowed", arguments=settled.arguments, attempt=attempt.id, amount=settled.amount, currency=settled.currency
        )
    except BillyError as error:
        await _close_failed(call, attempt, error)
        raise
    try:
        result = await operation.handler(replace(call, settled=settled, attempt=attempt.id))
    except BillyError as error:
        error.attempt = attempt.id
        state = await _close_failed(call, attempt, error)
        await note(operation, call, "outcome", code=error.code, arguments=settled.arguments, attempt=attempt.id, state=state)
        raise
    except Exception as crash:  # the attempt stays `started`, and is settled from Stripe
        error = crashed(crash, operation.name, call.context.seam)
        error.attempt = attempt.id
        await note(operation, call, "outcome", code=error.code, attempt=attempt.id, state="started", reference=error.reference)
        raise error from None
    return await _succeeded(operation, call, attempt, result)


async def _close_failed(call: Call, attempt: Attempt, error: BillyError) -> str:
    """Records how an attempt failed, and answers its state."""
    if error.code == "conflict":  # the same attempt is under way elsewhere, and that one records the outcome
        return "started"
    state = "unknown" if error.outcome_unknown else "failed"
    kept = attempts.error_document(error) | {"retryable": error.code in RETRYABLE}
    await attempts.close(call.context, attempt, state, error=kept)
    return state


async def _succeeded(operation: Operation, call: Call, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in result.items() if name not in operation.shown_once}
    await attempts.close(call.context, attempt, "succeeded", result=kept)
    await trail.append(
        call.context,
        operation=operation.name,
        origin=call.actor.origin,
        actor=call.actor,
        decision="outcome",
        ids=trail.stripe_ids([attempt.settled.arguments, result.get("id")]),
        attempt=attempt.id,
        state="succeeded",
    )
    return {"status": "succeeded", "attempt": attempt.id, "result": result}

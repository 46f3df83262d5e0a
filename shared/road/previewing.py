"""Previews: what the call would do, all of it, with the refusal's own code and words. Nothing is taken and nothing is recorded."""

from typing import Any

from shared.errors import BillyError, problem
from shared.policy.decide import Deny
from shared.road import claims, looking, refusals
from shared.road.asked import Asked, Preview, did, found_and_settled, movement_of
from shared.road.attempt import Attempt, State
from shared.road.calls import Done, Settled
from shared.road.claims import Wanted
from shared.road.fence import permission


async def preview(asked: Asked, earlier: Attempt | None) -> Preview:
    """What the call would do: `act`, `replay` what was done before, or `refuse`, with the refusal's own code and words."""
    if earlier is not None:
        return await _preview_of(asked, earlier)
    found, settled = await found_and_settled(asked)
    if found is not None:
        return _preview_of_found(asked, found, settled)
    return await _preview_of_act(asked, settled, movement_of(asked, settled))


async def _preview_of_act(asked: Asked, settled: Settled, movement: tuple[str, ...], view: dict[str, Any] | None = None) -> Preview:
    """The preview of a call that would act, if it may."""
    decision = permission(asked.operation, asked.call.actor.role, settled)
    if isinstance(decision, Deny):
        return _would_refuse(asked, settled, refusals.denied(decision))
    hindered = await claims.hindrance(asked.context, movement, Wanted(asked.id, asked.repeat_of, asked.foreseen))
    if hindered is not None:
        return _would_refuse(asked, settled, hindered)
    return Preview(_body(asked, settled, "act", decision.reason, view), settled.arguments)


def _preview_of_found(asked: Asked, found: Done, settled: Settled) -> Preview:
    """The preview of a call that Stripe remembers and the records do not."""
    try:
        body = _body(asked, did(asked, found), "replay", "This was done before with the same idempotency key.")
    except BillyError as error:
        return _would_refuse(asked, settled, error)
    return Preview(body | {"attempt": asked.id, "result": found.kept}, settled.arguments, asked.id)


async def _preview_of(asked: Asked, earlier: Attempt) -> Preview:
    """The preview of a call whose key belongs to an attempt: what became of that one is asked, and not recorded."""
    settled, context = earlier.settled, asked.context
    if not asked.is_request_of(earlier):
        return _would_refuse(asked, Settled(asked.given, asked.operation.summary), refusals.another_request(earlier.id, earlier.facts))
    now = context.seam.now()
    if earlier.open and earlier.is_at_work(now):
        return _would_refuse(asked, settled, refusals.under_way(earlier))
    looked = await looking.foresee(context, asked.operation, earlier)
    stands = looked.attempt
    if stands.state is State.SUCCEEDED:
        reason = "The same call was made before with this idempotency key: its result would be returned."
        body = _body(asked, settled, "replay", reason, earlier.view) | {"attempt": earlier.id, "attempt_state": earlier.state.value}
        facts = {"result": stands.result, "outcome": stands.outcome}
        return Preview(body | {name: value for name, value in facts.items() if value}, settled.arguments, earlier.id)
    if stands.open and (looked.error is not None or not looking.is_joined(stands, now)):
        return _would_refuse(asked, settled, refusals.not_known(earlier, looked.error))
    if stands.open or refusals.is_retryable(stands):
        return await _preview_of_act(asked, settled, earlier.movement or movement_of(asked, settled), earlier.view)
    return _would_refuse(asked, settled, refusals.of_failed(stands))


def _body(asked: Asked, settled: Settled, would: str, reason: str, view: dict[str, Any] | None = None) -> dict[str, Any]:
    """`view` is the one that was recorded, where there is one: it has facts that only the settling knew."""
    if would != "refuse":
        view = view or asked.operation.seen(settled)
    body = {"status": "preview", "would": would, "summary": settled.summary, "settled": settled.arguments, "reason": reason, "view": view}
    return {name: value for name, value in body.items() if value is not None}


def _would_refuse(asked: Asked, settled: Settled, error: BillyError) -> Preview:
    told = problem(error)
    body = _body(asked, settled, "refuse", error.detail) | {"code": error.code}
    body |= {name: told[name] for name in told if name in ("next", "who_can", "retry_after") or name.startswith("attempt")}
    return Preview(body, settled.arguments, error.attempt)

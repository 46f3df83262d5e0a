"""Everything before the act: what a call to write comes to, as one of four values."""

from dataclasses import replace

from shared.road import attempts, claims, looking, refusals
from shared.road.about import facts
from shared.road.asked import Asked, Prepared, Repeat, Settle, Start, did, found_and_settled, movement_of
from shared.road.attempt import Attempt, By, Lease, Looks, New, State
from shared.road.calls import Done, Settled
from shared.road.fence import require_permission
from shared.road.identity import request_digest
from shared.road.previewing import preview
from shared.telemetry.correlation import correlation_id


async def prepare(asked: Asked) -> Prepared:
    """What the call comes to. Raises `BillyError` where it is refused."""
    earlier = await attempts.find(asked.context, asked.id) if asked.key else None
    if asked.call.input.dry_run:
        return await preview(asked, earlier)
    if earlier is not None:
        return await _earlier(asked, earlier)
    found, settled = await found_and_settled(asked)
    if found is not None:
        return Repeat(await _restored(asked, found))
    require_permission(asked.operation, asked.call.actor.role, settled)
    movement = movement_of(asked, settled)
    await claims.take(asked.context, movement, asked.wanted)
    return Start(await _recorded(asked, settled, movement))


async def _earlier(asked: Asked, earlier: Attempt) -> Prepared:
    """A call with the key of an attempt that is recorded."""
    if not asked.is_request_of(earlier):
        raise refusals.another_request(earlier.id, earlier.facts)
    if earlier.open:
        return Settle(earlier)
    if not refusals.is_retryable(earlier):
        return Repeat(earlier)
    return Start(await revive(asked, earlier), again=True)


async def revive(asked: Asked, failed: Attempt) -> Attempt:
    """A failed attempt that certainly did nothing, started anew under its own id, with its claim taken anew. Raises where it may not be."""
    require_permission(asked.operation, asked.call.actor.role, failed.settled, failed.id)
    return await held(asked, failed, State.STARTED, "made again")


async def held(asked: Asked, attempt: Attempt, to: State | None, step: str) -> Attempt:
    """The attempt with this call's lease on it, its claims taken anew. Raises `unavailable` where somebody else has a lease."""
    movement = attempt.movement or movement_of(asked, attempt.settled)  # which version 0.1.0 did not record
    await claims.take(asked.context, movement, asked.wanted)
    lease = Lease(asked.context.seam.token(12), asked.until)

    def turn(current: Attempt) -> Attempt | None:
        if current.is_held(asked.context.seam.now()):
            return None
        error = None if to is State.STARTED else current.error
        return replace(current, lease=lease, movement=movement, error=error, looks=Looks())

    stands = await attempts.advance(asked.context, attempt, By.CALL, to, turn, step)
    if stands.lease != lease:
        raise refusals.under_way(stands)
    return stands


async def _recorded(asked: Asked, settled: Settled, movement: tuple[str, ...]) -> Attempt:
    """The attempt, recorded before the act. Raises `unavailable` where another call with the same key came first."""
    view = asked.operation.seen(settled)
    new = replace(_new(asked, settled, movement), view=view, lease=Lease(asked.context.seam.token(12), asked.until))
    made = await attempts.start(asked.context, new)
    if made is not None:
        return made
    first = await attempts.find(asked.context, asked.id)
    raise refusals.under_way(first) if first is not None else refusals.claim_unreadable()


async def _restored(asked: Asked, found: Done) -> Attempt:
    """The attempt that the records have lost and Stripe remembers, recorded as what it is. Raises `conflict` where it did something else."""
    settled = did(asked, found)
    new = replace(_new(asked, settled, movement_of(asked, settled)), first_step="found without a record", sent=1)
    made = await attempts.start(asked.context, new) or await attempts.find(asked.context, asked.id)
    if made is None:
        raise refusals.claim_unreadable()
    if not made.open:
        return made
    stands = (await looking.succeed(asked.context, made, found, By.SHOWN, "found")).attempt
    await claims.stand_again(asked.context, stands)
    return stands


def _new(asked: Asked, settled: Settled, movement: tuple[str, ...]) -> New:
    return New(
        id=asked.id,
        operation=asked.operation.name,
        actor=asked.call.actor,
        asked=asked.given,
        request=request_digest(asked.given),
        settled=settled,
        view={},
        told=facts(asked.operation, settled.arguments, asked.id),
        movement=movement,
        lease=None,
        correlation_id=correlation_id(),
    )

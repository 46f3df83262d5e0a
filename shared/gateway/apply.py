"""An event of Stripe's becomes mirror writes: in any order, any number of times, without a wrong effect."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Any

from shared.context import ATTEMPT_METADATA, Context
from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.client import StripeGateway, gateway
from shared.gateway.failures import is_permission
from shared.gateway.kinds import API_VERSION, KINDS, as_object, is_id, tombstone, write_from_object, writes_from_event
from shared.gateway.related import related
from shared.stores.protocols import Applied, Exists, Write
from shared.telemetry.measures import measure

COLLECTION = "events"
TRIES = 6  # readings of an object that somebody else keeps writing, before the queue tries again later


class Outcome(StrEnum):
    """What became of an event. All but `APPLIED` and `REFETCHED` left the mirror as it was."""

    APPLIED = "applied"
    REFETCHED = "refetched"  # what the event could not decide was read from Stripe
    SUPERSEDED = "superseded"  # the mirror knew as much, or newer
    IGNORED = "ignored"  # of a type that carries nothing mirrored
    FOREIGN = "foreign"  # of the other mode, or of another account


async def apply_event(context: Context, event: Mapping[str, Any], via: str = "webhook") -> Outcome:
    """Applies a snapshot event durably and records it. Raises `BillyError` where it must be tried again.

    An event that was rendered for another API version has another shape; its object is read from Stripe instead.
    """
    id, type, created = _facts(event)
    stripe = await gateway(context)
    writes = writes_from_event(event)
    if bool(event.get("livemode")) != stripe.livemode or event.get("account") or event.get("context"):
        outcome = Outcome.FOREIGN
    elif not writes:
        outcome = Outcome.IGNORED
    elif event.get("api_version") not in (API_VERSION, None) and not writes[0].deleted:
        outcome = await _refetch_all(context, stripe, writes)
        await _follow(context, stripe, event)
    else:
        outcome = await _apply(context, stripe, writes)
        await _follow(context, stripe, event)
    document: dict[str, Any] = {
        "type": type,
        "object": writes[0].id if writes else None,
        "created": created,
        "outcome": outcome.value,
        "at": context.seam.now(),
        "via": via,
        "api_version": event.get("api_version"),
    }
    with suppress(Exists):  # a second delivery; its effect was none
        await context.records.insert(COLLECTION, id, document)
    await progress.note_event(context, created)
    measure("billy.events", outcome=outcome.value, via=via)
    measure("billy.event.delay", max(context.seam.now() - created, 0.0), via=via)
    return outcome


async def is_recorded(context: Context, id: str) -> bool:
    """Whether an event of that id was applied before."""
    return await context.records.get(COLLECTION, id) is not None


async def settle_write(context: Context, stripe: StripeGateway, write: Write) -> Applied:
    """Reads the object from Stripe, in the pace, and writes it, so that its newest state stands. Raises where others keep writing it.

    Where the key may not read the kind, what is there stands, and the kind is complete no more.
    """
    if not is_id(write.id, write.kind):  # it can be listed but not asked for
        return Applied.STALE
    for _ in range(TRIES):
        row = await context.mirror.get(write.kind, write.id)
        version = row.version if row else 0
        try:
            fresh = (await stripe.pace.patiently(lambda: stripe.retrieve(write.kind, write.id))).write
        except BillyError as error:
            if is_permission(error):  # a whole kind's, which is told; who comes next would be refused the same
                await progress.lacks(context, write.kind, progress.told(error, kind=write.kind, permission=KINDS[write.kind].permission))
                return Applied.STALE
            if error.code != "not_found":
                raise
            if not KINDS[write.kind].deletable:  # nothing newer can be learnt, so what is there stands
                return Applied.STALE
            fresh = tombstone(write.kind, write.id, write.stamp, created=write.created)
        (applied,) = await context.mirror.apply([replace(fresh, expects=version)])
        if applied is not Applied.CONFLICT:
            return applied
    raise BillyError("unavailable", "An object changes faster than it can be read.", next="Try again in a while.", retry_after=5)


async def _apply(context: Context, stripe: StripeGateway, writes: list[Write]) -> Outcome:
    outcome = Outcome.SUPERSEDED
    for write, applied in zip(writes, await context.mirror.apply(writes), strict=True):
        if applied in (Applied.TIE, Applied.CONFLICT):
            await settle_write(context, stripe, write)
            outcome = Outcome.REFETCHED
        elif applied is Applied.APPLIED and outcome is Outcome.SUPERSEDED:
            outcome = Outcome.APPLIED
    return outcome


async def _follow(context: Context, stripe: StripeGateway, event: Mapping[str, Any]) -> None:
    """What an object's event tells of others: of the attempt that made it, and of what it changed without an event of its own."""
    value = as_object(as_object(event.get("data")).get("object"))
    kind = str(value.get("object"))
    await tell(context, kind, [value])
    for other, id in related(str(event.get("type")), value):
        if is_id(id, other):
            await settle_write(context, stripe, write_from_object(other, {"id": id}, 0))


async def tell(context: Context, kind: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Shows the road what carries an attempt's id."""
    carrying = [value for value in values if ATTEMPT_METADATA in as_object(value.get("metadata"))]
    if carrying:
        await context.shown(context, kind, carrying)


async def _refetch_all(context: Context, stripe: StripeGateway, writes: list[Write]) -> Outcome:
    for write in writes:
        await settle_write(context, stripe, write)
    return Outcome.REFETCHED


def _facts(event: Mapping[str, Any]) -> tuple[str, str, int]:
    """Id, type and second of an event. Raises `invalid_request` for what is no snapshot event."""
    id, type, created = event.get("id"), event.get("type"), event.get("created")
    if event.get("object") != "event" or not isinstance(id, str) or not is_id(id) or not isinstance(type, str):
        raise BillyError("invalid_request", "This is no snapshot event of Stripe's.", next="Send snapshot events, not thin ones.")
    return id, type[:100], created if isinstance(created, int) else 0

"""An event of Stripe's becomes mirror writes: in any order, any number of times, without a wrong effect."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Any

import orjson

from shared.context import ATTEMPT_METADATA, Context
from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.client import StripeGateway, gateway
from shared.gateway.failures import is_permission
from shared.gateway.follows import ChangedBy, touched
from shared.gateway.kinds import API_VERSION, KINDS, as_object, is_id, tombstone, writes_from_event
from shared.stores.protocols import NEAR, Applied, Exists, Stored, Write
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


async def apply_event(
    context: Context, event: Mapping[str, Any], via: str = "webhook", *, whole: bool = True, sent: int | None = None
) -> Outcome:
    """Applies a snapshot event durably and records it. Raises `BillyError` where it must be tried again.

    An event that was rendered for another API version has another shape, and one that is not `whole` only says what it is about: its object
    is read from Stripe instead. `sent` is the second of Stripe's clock by which what it tells was true, where that is known.
    """
    id, type, created = _facts(event)
    stripe = await gateway(context)
    writes = [replace(write, until=sent) for write in writes_from_event(event)]
    if _is_foreign(event, stripe):
        outcome = Outcome.FOREIGN
    else:
        doubted = stripe.account_id is None and bool(event.get("context"))  # whose it is cannot be told: our key sees our objects alone
        rendered = whole and not doubted and event.get("api_version") in (API_VERSION, None)
        deletes = bool(writes) and writes[0].deleted and not doubted
        outcome = await (_apply if rendered or deletes else _refetch_all)(context, stripe, writes)
        await _tell(context, event, writes, rendered)
        followed = await _follow(context, stripe, event, created + NEAR if sent is None else sent)
        outcome = Outcome.REFETCHED if followed and outcome is Outcome.IGNORED else outcome
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


async def settle(context: Context, stripe: StripeGateway, kind: str, id: str, stands: Write | None = None) -> Applied:
    """Reads an object from Stripe, in the pace, and writes it, so that its newest state stands. Raises where others keep writing it.

    `stands` is what is written where Stripe has no such object: a tombstone, or what an event told, if nothing later is there. Without it,
    and where the key may not read the kind, what is there stands; in the latter case the kind is complete no more.
    """
    for _ in range(TRIES):
        row = await context.mirror.get(kind, id)
        try:
            fresh = await _now(stripe, kind, id)
        except BillyError as error:
            if not is_permission(error):
                raise
            # A whole kind's, which is told; who comes next would be refused the same.
            await progress.lacks(context, kind, progress.told(error, kind=kind, permission=KINDS[kind].permission))
            return Applied.STALE
        if fresh is None:
            if stands is None or (row is not None and not stands.deleted and (row.deleted or row.stamp > stands.stamp)):
                return Applied.STALE
            fresh = stands
        (applied,) = await context.mirror.apply([replace(fresh, expects=row.version if row else 0)])
        if applied is not Applied.CONFLICT:
            return applied
    raise BillyError("unavailable", "An object changes faster than it can be read.", next="Try again in a while.", retry_after=5)


async def as_listed(context: Context, write: Write) -> Applied:
    """Writes what a list of Stripe's has of an object that cannot be asked for, unless what is there was known true later."""
    for _ in range(TRIES):
        row = await context.mirror.get(write.kind, write.id)
        if row is not None and not row.deleted and row.stamp > write.stamp:
            return Applied.STALE
        (applied,) = await context.mirror.apply([replace(write, expects=row.version if row else 0)])
        if applied is not Applied.CONFLICT:
            return applied
    raise BillyError("unavailable", "An object changes faster than it can be read.", next="Try again in a while.", retry_after=5)


async def _now(stripe: StripeGateway, kind: str, id: str) -> Write | None:
    """The object as Stripe has it; None where it has none, or where no path can hold the id, so that it can be listed but not asked for."""
    if not is_id(id, kind):
        return None
    try:
        return (await stripe.pace.patiently(lambda: stripe.retrieve(kind, id))).write
    except BillyError as error:
        if error.code != "not_found":
            raise
        return None


def gone(kind: str, id: str, stamp: int) -> Write | None:
    """What stands where an object that was there is no more: a tombstone; None for a kind of which Stripe deletes nothing."""
    return tombstone(kind, id, stamp) if KINDS[kind].deletable else None


def _is_foreign(event: Mapping[str, Any], stripe: StripeGateway) -> bool:
    """Whether an event is of the other mode, of a connected account, or of another account of the organisation."""
    account, context, own = event.get("account"), event.get("context"), stripe.account_id
    others = bool(account and account != own) or bool(context and own is not None and context != own)
    return bool(event.get("livemode")) != stripe.livemode or others


async def _apply(context: Context, stripe: StripeGateway, writes: list[Write]) -> Outcome:
    outcome = Outcome.SUPERSEDED if writes else Outcome.IGNORED
    for write, applied in zip(writes, await context.mirror.apply(writes), strict=True):
        if applied in (Applied.TIE, Applied.CONFLICT):
            await settle(context, stripe, write.kind, write.id, write)
            outcome = Outcome.REFETCHED
        elif applied is Applied.APPLIED and outcome is Outcome.SUPERSEDED:
            outcome = Outcome.APPLIED
    return outcome


async def _tell(context: Context, event: Mapping[str, Any], writes: list[Write], rendered: bool) -> None:
    """Shows the road the object of an event, as the event has it or as it was read."""
    value = as_object(as_object(event.get("data")).get("object"))
    if not rendered and writes and (stored := await context.mirror.get(writes[0].kind, writes[0].id)) is not None:
        value = as_object(orjson.loads(stored.body))
    await tell(context, str(value.get("object")), [value])


async def _follow(context: Context, stripe: StripeGateway, event: Mapping[str, Any], by: int) -> bool:
    """Asks for what the event changed besides its own object, and of which no event may come; not where what is there was read later than `by`."""
    asked = False
    for kind, id, rule in touched(event):
        stored = await context.mirror.get(kind, id)
        if stored is None or (stored.stamp <= by and _can_change(stored, rule)):
            await settle(context, stripe, kind, id)
            asked = True
    return asked


def _can_change(stored: Stored, rule: ChangedBy) -> bool:
    if rule.only_where is None:
        return True
    name, value = rule.only_where
    return as_object(orjson.loads(stored.body)).get(name) == value


async def tell(context: Context, kind: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Shows the road what carries an attempt's id."""
    carrying = [value for value in values if ATTEMPT_METADATA in as_object(value.get("metadata"))]
    if carrying:
        await context.shown(context, kind, carrying)


async def _refetch_all(context: Context, stripe: StripeGateway, writes: list[Write]) -> Outcome:
    for write in writes:
        await settle(context, stripe, write.kind, write.id)
    return Outcome.REFETCHED if writes else Outcome.IGNORED


def _facts(event: Mapping[str, Any]) -> tuple[str, str, int]:
    """Id, type and second of an event. Raises `invalid_request` for what is no snapshot event."""
    id, type, created = event.get("id"), event.get("type"), event.get("created")
    if event.get("object") != "event" or not isinstance(id, str) or not is_id(id) or not isinstance(type, str):
        raise BillyError("invalid_request", "This is no snapshot event of Stripe's.", next="Send snapshot events, not thin ones.")
    return id, type[:100], created if isinstance(created, int) else 0

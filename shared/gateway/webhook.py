"""The way of a webhook delivery: from its bytes and signature to the message that is queued, and from the message to the mirror."""

from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import orjson

from shared.context import Context
from shared.entered import secret
from shared.errors import BillyError
from shared.gateway.kinds import as_object, is_id
from shared.gateway.signatures import Verdict, sent_at, verify
from shared.reading import EVENT, check_size, read_json
from shared.stores.protocols import Secrets
from shared.telemetry.correlation import read_traceparent, traceparent
from shared.telemetry.invocation import within
from shared.telemetry.spans import span

SECRETS = "stripe-webhook-secrets"
OURS = "Send Stripe's own deliveries, signed with this endpoint's secret."
ENVELOPE = ("id", "object", "type", "created", "livemode", "account", "context", "api_version")
IDENTITY = (
    "id",
    "object",
    "created",
    "deleted",
    "status",
    "customer",
    "charge",
    "invoice",
    "subscription",
    "promotion_code",
    "latest_charge",
)
LONGEST_FACT = 255  # characters
LARGEST_MESSAGE = 40 * 1024  # bytes of a message; a queue takes 64 KiB in base 64, which is 48 KiB
FRESH = 60  # seconds for which secrets are kept, so that a rotation is seen within a minute

_kept: WeakKeyDictionary[Secrets, tuple[float, tuple[str, ...]]] = WeakKeyDictionary()


async def accept(context: Context, payload: bytes, signature: str | None) -> str:
    """The queue message of a genuine delivery: the event, or what it is about where it is too large for a queue.

    Raises `too_large`, `unavailable` where no secret is set, and `invalid_request` for what is not Stripe's. Nothing is stored.
    """
    check_size(len(payload), EVENT, OURS)
    secrets = await _secrets(context)
    if not secrets:
        raise BillyError(
            "unavailable", "The webhook is not configured.", next="Store the endpoint's signing secret, then let Stripe try again."
        )
    verdict = verify(payload, signature, secrets, context.seam.now(), context.settings.webhook_tolerance)
    if verdict is not Verdict.VALID:
        raise BillyError("invalid_request", REFUSALS[verdict], next=OURS)
    event = as_object(read_json(payload, EVENT, OURS))
    if event.get("object") == "v2.core.event":
        raise BillyError("invalid_request", "This is a thin event.", next="Make the endpoint send snapshot events.")
    id = event.get("id")
    if event.get("object") != "event" or not isinstance(id, str) or not is_id(id) or not as_object(event.get("data")):
        raise BillyError("invalid_request", "This is no event of Stripe's.", next="Make the endpoint send snapshot events.")
    beside: dict[str, Any] = {"sent": sent_at(signature or "")} | ({"traceparent": parent} if (parent := traceparent()) else {})
    message = orjson.dumps({"event": event} | beside)
    return (message if len(message) <= LARGEST_MESSAGE else orjson.dumps({"event": about(event), "refetch": True} | beside)).decode()


def about(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without the body of its object: whose it is, what happened, and to which object."""
    value = as_object(as_object(event.get("data")).get("object"))
    told = {name: event[name] for name in ENVELOPE if _is_short(event.get(name))}
    return told | {"data": {"object": {name: value[name] for name in IDENTITY if _is_short(value.get(name))}}}


def _is_short(value: object) -> bool:
    return isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= LONGEST_FACT)


REFUSALS: dict[Verdict, str] = {
    Verdict.MISSING: "The delivery is not signed.",
    Verdict.MALFORMED: "The signature cannot be read.",
    Verdict.MISMATCH: "The signature is not valid.",
    Verdict.TOO_OLD: "The signature is too old.",
    Verdict.TOO_NEW: "The signature lies in the future.",
}


async def apply_message(context: Context, message: Mapping[str, Any]) -> None:
    """Applies a queued message, as part of the trace of its delivery. Raises where the queue must bring it again."""
    from shared.gateway.apply import apply_event

    with within(read_traceparent(message.get("traceparent"))):
        event = message.get("event", message)  # a message of version 0.1.0 is the event itself
        about = message.get("refetch") is True
        if about and isinstance(event, str):  # queued by version 0.1.0, which kept nothing but the id
            from shared.gateway.client import gateway

            stripe = await gateway(context)
            event, about = await stripe.pace.patiently(lambda: stripe.retrieve_event(str(message["event"]))), False
        with span("apply_event", "consumer"):
            await apply_event(context, event, whole=not about, sent=message.get("sent"))


async def _secrets(context: Context) -> tuple[str, ...]:
    """The secrets that are valid now: those of the setting, or the stored ones; several during a rotation."""
    if context.settings.stripe_webhook_secret:
        return tuple(part.strip() for part in context.settings.stripe_webhook_secret.split(","))
    now = context.seam.now()
    read, secrets = _kept.get(context.secrets, (0.0, ()))
    if not secrets or not 0 <= now - read < FRESH:
        secrets = cast(tuple[str, ...], await secret(context.secrets, SECRETS) or ())
        _kept[context.secrets] = (now, secrets)
    return secrets

"""What Stripe refuses or fails to answer, as our own errors: fixed words, and of Stripe's answer only enumerated values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson

from shared.errors import BillyError, RateLimit, StripeFacts
from shared.gateway.kinds import as_object

TYPES_OF_A_NO = frozenset({"card_error", "invalid_request_error", "authentication_error", "rate_limit_error"})
NEVER_A_NO = frozenset(
    {408, 409, 424, 425, 499}
)  # of proxies, of requests that met another one of the same key, of what lies behind Stripe

ENUMERATED = re.compile(r"[a-z0-9_.\[\]-]{1,100}")
REQUEST_ID = re.compile(r"req_[A-Za-z0-9_]{1,80}")
PERMISSION = re.compile(r"\brak_[a-z_]{1,60}\b")
SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

LACKS_PERMISSION = "The Stripe key lacks a permission for this."

# Stripe's codes that a caller can act on: what happened, and what to do.
KNOWN: dict[str, tuple[str, str]] = {
    "charge_already_refunded": ("This charge is fully refunded already.", "List the refunds to see when and how."),
    "charge_disputed": ("This charge is disputed, so it cannot be refunded.", "Settle the dispute in Stripe first."),
    "refund_disputed_payment": ("This payment is disputed, so it cannot be refunded.", "Settle the dispute in Stripe first."),
    "amount_too_large": ("The amount is larger than Stripe allows here.", "Give a smaller amount."),
    "amount_too_small": ("The amount is smaller than Stripe allows in this currency.", "Give a larger amount."),
    "balance_insufficient": ("The Stripe balance does not cover this.", "Add funds in Stripe, or wait for pending payments."),
    "insufficient_funds": ("The Stripe balance does not cover this.", "Add funds in Stripe, or wait for pending payments."),
    "resource_already_exists": ("There is one with this id already.", "Use another id."),
    "invoice_not_editable": ("This invoice is finalized, so it cannot be changed.", "Read the invoice's status."),
}


class Told(StrEnum):
    """What one answer to a request that writes tells of its effect. Only a whole answer of Stripe's own tells anything."""

    DONE = "done"
    NO = "no"  # it certainly had no effect: says nothing of an earlier request
    NOTHING = "nothing"  # cut, empty, somebody else's, or a failure on the way


def told(status: int, headers: Mapping[str, str], document: Any) -> Told:
    """What an answer tells: a 2xx with an object, or a 4xx with Stripe's error document, of a known type and with a request id."""
    body = as_object(document)
    if 200 <= status < 300:
        return (
            Told.DONE if isinstance(body.get("id"), str) and isinstance(body.get("object"), str) and "error" not in body else Told.NOTHING
        )
    if not 400 <= status < 500 or status in NEVER_A_NO or limits(status, headers).request_id is None:
        return Told.NOTHING
    type = as_object(body.get("error")).get("type")
    return Told.NO if type in TYPES_OF_A_NO or (status == 429 and type == "api_error") else Told.NOTHING


def is_replayed(headers: Mapping[str, str]) -> bool:
    """Whether Stripe only repeated its answer to an earlier request of the same key."""
    return (_header(headers, "idempotent-replayed") or "").lower() == "true"


def refusal(status: int, document: Any, headers: Mapping[str, str], *, wrote: bool) -> BillyError:
    """The error for an answer of Stripe's that is not a success. `wrote` says that the request may have had an effect."""
    facts, message = _facts(document, headers)
    error = _sorted(status, facts, message, headers)
    error.stripe = facts
    error.outcome_unknown = wrote and told(status, headers, document) is not Told.NO
    return error


def from_sdk(error: Any, *, wrote: bool) -> BillyError:
    """The error for one of the SDK's. Its `code` is empty on several classes, so the answer's own document is read."""
    status: int | None = getattr(error, "http_status", None)
    if status is None:
        return lost(wrote=wrote)
    document: Any = getattr(error, "json_body", None)
    return refusal(status, document, getattr(error, "headers", None) or {}, wrote=wrote)


def is_permission(error: BillyError) -> bool:
    """Whether the key is valid but may not do this."""
    return error.code == "stripe_error" and error.detail == LACKS_PERMISSION


def lost(*, wrote: bool) -> BillyError:
    """The error where no answer came. What was to be written may have been."""
    return BillyError("unavailable", "Stripe cannot be reached.", next="Try again in a while.", retry_after=5, outcome_unknown=wrote)


def unreadable(status: int, *, wrote: bool) -> BillyError:
    """The error for an answer that is not JSON."""
    return BillyError("stripe_error", "Stripe's answer cannot be read.", next="Try again in a while.", outcome_unknown=wrote)


def document_of(body: bytes) -> Any:
    """The JSON of an answer, or None."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the headers of an answer tell of the request and of Stripe's limits, as enumerated values only."""

    request_id: str | None
    limited_by: str | None  # which limit turned the request away, `unknown` where Stripe did not say; None: none did
    remaining: int | None


def limits(status: int, headers: Mapping[str, str]) -> Limits:
    """What an answer's headers tell. Stripe names the limit of a 429 in `Stripe-Rate-Limited-Reason`."""
    request_id = _header(headers, "request-id")
    reason = _enumerated(_header(headers, "stripe-rate-limited-reason")) or "unknown"
    return Limits(
        request_id=request_id if request_id and REQUEST_ID.fullmatch(request_id) else None,
        limited_by=reason if status == 429 else None,
        remaining=_seconds(headers, "ratelimit-remaining"),
    )


def _sorted(status: int, facts: StripeFacts, message: str, headers: Mapping[str, str]) -> BillyError:
    code = facts.code or ""
    if status == 429 or code == "rate_limit":
        limit = _rate_limit(headers)
        return BillyError(
            "rate_limited",
            "Stripe takes no more requests for the moment.",
            next="Try again later.",
            retry_after=_seconds(headers, "retry-after"),
            rate_limit=limit if limit != RateLimit() else None,
        )
    if status == 401:
        return BillyError("unavailable", "The Stripe key is not accepted.", next="Set a valid restricted key.")
    if status == 402:
        return BillyError("declined", "Stripe declined the payment.", next="Ask the customer for another way to pay.")
    if status == 403:
        permission = PERMISSION.search(message)
        named = f"Give the restricted key the permission {permission[0]} in Stripe's dashboard." if permission else None
        return BillyError("stripe_error", LACKS_PERMISSION, next=named or "Review the restricted key's permissions.")
    if status == 404 or code == "resource_missing":
        if code == "resource_missing":
            return BillyError("not_found", "Stripe has no such object.", next="Check the id.")
        return BillyError("stripe_error", "Stripe does not know this request.", next="Check which Stripe API this Billy talks to.")
    if status == 409:
        return BillyError("conflict", "The same request is under way at Stripe.", next="Try again in a second.", retry_after=1)
    if status >= 500:
        return BillyError("stripe_error", "Stripe failed to answer.", next="Try again in a while.")
    if facts.type == "idempotency_error":
        return BillyError("stripe_error", "Stripe saw this idempotency key before with other arguments.", next="Use a new idempotency_key.")
    if code in KNOWN:
        return BillyError("invalid_request", KNOWN[code][0], next=KNOWN[code][1])
    if facts.param == "amount":
        return BillyError(
            "invalid_request", "Stripe does not take this amount.", next="Read the object anew: what is left may have changed."
        )
    return BillyError(
        "invalid_request", "Stripe does not take this request.", next="Mend the field that stripe.param names, if it names one."
    )


def _facts(document: Any, headers: Mapping[str, str]) -> tuple[StripeFacts, str]:
    said = as_object(as_object(document).get("error"))
    facts = StripeFacts(
        type=_enumerated(said.get("type")),
        code=_enumerated(said.get("code")),
        decline_code=_enumerated(said.get("decline_code")),
        param=_enumerated(said.get("param")),
        request_id=limits(0, headers).request_id,
    )
    message = said.get("message")
    return facts, message if isinstance(message, str) else ""


def _enumerated(value: Any) -> str | None:
    return value if isinstance(value, str) and ENUMERATED.fullmatch(value) else None


def _rate_limit(headers: Mapping[str, str]) -> RateLimit:
    reset = _seconds(headers, "ratelimit-reset")
    now = stripe_second(headers)
    return RateLimit(
        limit=_seconds(headers, "ratelimit-limit"),
        remaining=_seconds(headers, "ratelimit-remaining"),
        reset=reset,
        reset_at=now + reset if now is not None and reset is not None else None,
    )


def stripe_second(headers: Mapping[str, str]) -> int | None:
    """The epoch second of Stripe's clock at which the answer was made, by its Date header."""
    try:
        return int(parsedate_to_datetime(_header(headers, "date") or "").timestamp())
    except ValueError:
        return None


def _seconds(headers: Mapping[str, str], name: str) -> int | None:
    value = _header(headers, name)
    return int(value) if value and SECONDS.fullmatch(value) else None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return headers.get(name) or headers.get(name.title())

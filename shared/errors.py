"""The errors a caller can act on: a stable code, fixed words, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.instants import twins

if TYPE_CHECKING:
    from shared.actor import Actor

STATUS: dict[str, int] = {
    "invalid_request": 400,
    "unauthenticated": 401,
    "declined": 402,
    "not_allowed": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "possible_duplicate": 409,
    "length_required": 411,
    "too_large": 413,
    "rate_limited": 429,
    "internal": 500,
    "stripe_error": 502,
    "unavailable": 503,
}
TITLE: dict[str, str] = {
    "invalid_request": "The request cannot be read as this operation",
    "unauthenticated": "A valid API key is needed",
    "declined": "Stripe declined the payment",
    "not_allowed": "This is not permitted",
    "not_found": "There is no such thing here",
    "method_not_allowed": "This address does not take that method",
    "not_acceptable": "The answer would have a form that was not asked for",
    "conflict": "Something else happened first",
    "possible_duplicate": "The same thing was asked for before",
    "length_required": "The request lacks the length of its body",
    "too_large": "The request is too large",
    "rate_limited": "Too many requests",
    "internal": "Something went wrong on our side",
    "stripe_error": "Stripe could not do it",
    "unavailable": "A part that is needed is not reachable",
}


@dataclass(frozen=True, slots=True)
class StripeFacts:
    """What Stripe said, as enumerated values only: its sentences are never passed on."""

    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Stripe's limit as far as it is known; `reset` is seconds from now, `reset_at` the epoch second."""

    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    reset_at: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """How the attempt that an error speaks of stands: epoch seconds, and what its record says of outcome and result."""

    state: str
    since: int
    asked_next: int | None = None
    outcome: str | None = None
    result: Mapping[str, Any] | None = None


@dataclass(slots=True)
class BillyError(Exception):
    """A refusal or failure in our own words. `detail` never holds an argument's value, a secret or third-party text."""

    code: str
    detail: str
    next: str | None = None
    retry_after: int | None = None
    who_can: tuple[str, ...] = ()
    fields: tuple[dict[str, str], ...] = ()
    stripe: StripeFacts | None = None
    rate_limit: RateLimit | None = None
    reference: str | None = None
    attempt: str | None = None
    attempt_facts: AttemptFacts | None = None
    outcome_unknown: bool = False
    caller: "Actor | None" = None  # of a key that is known and does not work: for the audit row alone
    key_state: str | None = None

    def __post_init__(self) -> None:
        Exception.__init__(self, self.code, self.detail)

    @property
    def status(self) -> int:
        return STATUS[self.code]


def problem(error: BillyError) -> dict[str, Any]:
    """The RFC 9457 document for an error; absent facts are left out. The same object is MCP's structured content."""
    document: dict[str, Any] = {
        "type": f"urn:billy:error:{error.code}",
        "title": TITLE[error.code],
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    optional: dict[str, Any] = {
        "next": error.next,
        "retry_after": error.retry_after,
        "who_can": list(error.who_can) or None,
        "fields": list(error.fields) or None,
        "stripe": _present(error.stripe),
        "rate_limit": _present(error.rate_limit),
        "reference": error.reference,
        "attempt": error.attempt,
    }
    document.update({name: value for name, value in (optional | _attempt(error.attempt_facts)).items() if value is not None})
    return document


def _attempt(facts: AttemptFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    return {
        "attempt_state": facts.state,
        **twins({"attempt_since": facts.since, "attempt_asked_next": facts.asked_next}),
        "attempt_outcome": facts.outcome,
        "attempt_result": facts.result,
    }


def _present(facts: StripeFacts | RateLimit | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {name: value for name in facts.__slots__ if (value := getattr(facts, name)) is not None} or None

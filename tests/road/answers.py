"""What arrives in place of Stripe's answer, or as one: from the door, from inside, from a proxy, or broken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from sandbox.errors import StripeError


@dataclass(frozen=True, slots=True)
class Answer:
    """`stripes`: it carries a `Request-Id` and JSON's content type, as what Stripe itself says does."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stripes: bool = True


type Change = Callable[[Answer], Answer]


def of_error(error: StripeError) -> Answer:
    return Answer(error.status, orjson.dumps(error.body()), error.headers)


def refusal(status: int, message: str, type: str = "invalid_request_error", code: str | None = None, **headers: str) -> Answer:
    """An error document of Stripe's. `Stripe_Should_Retry="true"` becomes that header."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return of_error(StripeError(status, message, type=type, code=code, headers=told))


def limited(retry: bool | None = None, code: str = "rate_limit") -> Answer:
    """A 429, which says that a repeat makes sense, that it makes none, or nothing of it."""
    told = {} if retry is None else {"Stripe_Should_Retry": "true" if retry else "false"}
    reason = {"Stripe_Rate_Limited_Reason": "global-rate"} if code == "rate_limit" else {}
    return refusal(429, "Too many requests hit the API too quickly.", code=code, **told, **reason)


def unauthorised() -> Answer:
    return refusal(401, "Invalid API Key provided: rk_test_*******************0000")


def forbidden(permission: str = "rak_charge_write") -> Answer:
    return refusal(
        403,
        "The provided key 'rk_test_*0000' does not have the required permissions for this endpoint on account 'acct_1'. "
        f"Having the '{permission}' permission would allow this request to continue.",
    )


def in_use(key: str = "…") -> Answer:
    return refusal(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other "
        f"request is still going through): {key}. Please try again later.",
        "idempotency_error",
        "idempotency_key_in_use",
    )


def failed(status: int = 500) -> Answer:
    """Stripe's own failure."""
    return refusal(status, "An unknown error occurred", "api_error")


def declined() -> Answer:
    """A 402 as a card gives one."""
    return refusal(402, "Your card was declined.", "card_error", "card_declined")


def page(status: int = 502, *, request_id: bool = False) -> Answer:
    """A proxy's page."""
    return Answer(status, b"<html><head><title>x</title></head><body>x</body></html>", {"Content-Type": "text/html"}, stripes=request_id)


def instead(answer: Answer) -> Change:
    """Arrives whatever Stripe has said."""
    return lambda _: answer


def cut(parts: float = 0.5) -> Change:
    """So much of the body arrives, and the connection does not tell that something is missing."""
    return lambda told: replace(told, body=told.body[: int(len(told.body) * parts)])


def changed(*, status: int | None = None, body: bytes | None = None, request_id: bool | None = None) -> Change:
    """Another status, another body, with or without Stripe's request id; the rest as Stripe has said it."""

    def make(told: Answer) -> Answer:
        facts: dict[str, Any] = {"status": status, "body": body, "stripes": request_id}
        return replace(told, **{name: value for name, value in facts.items() if value is not None})

    return make

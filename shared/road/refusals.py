"""The words of the road's own refusals and failures. Each names the attempt it speaks of and says what to do next."""

from typing import Any

from shared.errors import AttemptFacts, BillyError, StripeFacts
from shared.policy.decide import Deny
from shared.road.attempt import Attempt, State

SECOND_CHANCE = 1  # seconds after which somebody who has to wait asks again

SAME_CALL = "Repeat the same call, with the same idempotency_key if it had one."
NEW_KEY = "A new idempotency_key or another tool changes nothing."
MEANT = "If it is meant to happen once more, call again with repeat_of set to this attempt's id. " + NEW_KEY


def denied(decision: Deny, attempt: str | None = None) -> BillyError:
    """The error of a decision that says no."""
    return BillyError("not_allowed", decision.reason, next=decision.next, who_can=decision.who_can, attempt=attempt)


def no_attempt() -> BillyError:
    return BillyError(
        "not_found", "There is no attempt with this id.", next="List the attempts: those of others are not shown, but to the owner."
    )


def another_request(attempt: str, facts: AttemptFacts | None = None) -> BillyError:
    return BillyError(
        "conflict",
        "This idempotency key was used before with other arguments.",
        next="Look with get_attempt what this key was used for. If that is what you want, repeat it with the arguments it had; "
        "a new idempotency_key is for another change alone.",
        attempt=attempt,
        attempt_facts=facts,
    )


def under_way(attempt: Attempt) -> BillyError:
    """The same call is being made by somebody else just now."""
    return BillyError(
        "unavailable",
        "A call with the same idempotency key is under way.",
        next="Repeat the same call with the same idempotency_key in a second: it returns the first result. " + NEW_KEY,
        retry_after=SECOND_CHANCE,
        attempt=attempt.id,
        attempt_facts=attempt.facts,
    )


def not_known(attempt: Attempt, cause: BillyError | None = None) -> BillyError:
    """Nobody knows whether the attempt did what it meant to; it is found out, and this call did not do it again."""
    code = cause.code if cause is not None and cause.code in ("stripe_error", "rate_limited") else "unavailable"
    return BillyError(
        code,
        "It is not known whether this was done: no whole answer came."
        if cause is None or cause.outcome_unknown
        else f"It is not known whether this was done before, and now: {cause.detail}",
        next="Do not ask for it in another way. It is found out within minutes: look with get_attempt, or repeat the same call with the "
        f"same idempotency_key if it had one. {NEW_KEY}",
        retry_after=cause.retry_after if cause is not None and cause.retry_after else 5,
        stripe=cause.stripe if cause is not None else None,
        rate_limit=cause.rate_limit if cause is not None else None,
        reference=cause.reference if cause is not None else None,
        attempt=attempt.id,
        attempt_facts=attempt.facts,
        outcome_unknown=True,
    )


def duplicate(attempt: Attempt, repeat_of: str | None = None) -> BillyError:
    """The same movement is under way, may have happened, or happened a short while ago; or another one than was named is the last."""
    if attempt.open:
        return BillyError(
            "possible_duplicate",
            "The same thing was asked for before, and it is not yet known whether it was done.",
            next=f"Wait and call again: it is being found out, and nothing moves meanwhile. Who asked first, and the owner, can look with get_attempt. {NEW_KEY}",
            retry_after=SECOND_CHANCE if attempt.state is State.STARTED else 60,
            attempt=attempt.id,
            attempt_facts=attempt.facts,
        )
    return BillyError(
        "possible_duplicate",
        "The same thing was done less than ten minutes ago."
        if repeat_of is None
        else f"The last one that did the same is another one than repeat_of names ({repeat_of}).",
        next=f"Look at attempt_result: most likely this is done already. {MEANT}",
        attempt=attempt.id,
        attempt_facts=attempt.facts,
    )


def being_recorded(attempt: str, wait: int) -> BillyError:
    """A claim names an attempt that is not there (yet)."""
    return BillyError(
        "possible_duplicate",
        "The same thing is being asked for at this moment.",
        next=f"Call again in {wait} seconds. {NEW_KEY}",
        retry_after=wait,
        attempt=attempt,
    )


def claim_unreadable() -> BillyError:
    return BillyError(
        "unavailable",
        "It cannot be seen whether the same thing is under way, so nothing is done.",
        next="Call again in a few seconds.",
        retry_after=5,
    )


def late(attempt: str) -> BillyError:
    """Whoever was to act has no right to it any more: too much time passed, or somebody else took its place."""
    return BillyError(
        "unavailable",
        "Too much time passed before this could be sent, so it was not sent.",
        next=SAME_CALL,
        retry_after=SECOND_CHANCE,
        attempt=attempt,
    )


def too_long() -> BillyError:
    """The time of the call was over before it had ended."""
    return BillyError("unavailable", "This took too long.", next=SAME_CALL, retry_after=5)


def revoked(attempt: str) -> BillyError:
    return BillyError(
        "unauthenticated",
        "The key of this call was revoked or expired before anything was sent.",
        next="Nothing was done. Use a key that works.",
        attempt=attempt,
    )


def no_way(attempt: str) -> BillyError:
    return BillyError(
        "unavailable",
        "Nothing can tell what became of this attempt.",
        next="An owner ends it with end_attempt (POST /api/attempts/{id}/end).",
        attempt=attempt,
    )


def not_recorded(attempt: str) -> BillyError:
    """The act was done, and the record of it could not be written."""
    return BillyError(
        "unavailable",
        "This was done, and could not be written down yet.",
        next=f"Do not ask for it again. It is written down within minutes: look with get_attempt. {NEW_KEY}",
        retry_after=60,
        attempt=attempt,
        outcome_unknown=True,
    )


NOT_SENT = BillyError(
    "unavailable",
    "The call was cut off before anything was sent.",
    next=SAME_CALL,
    retry_after=SECOND_CHANCE,
)
NOT_DONE = BillyError("unavailable", "The call was cut off before it was done.", next="Call again with a new idempotency_key.")
SAID_NOT_DONE = BillyError("unavailable", "An owner said that this was not done.", next="Call again with a new idempotency_key.")


def undone(outcome: str) -> BillyError:
    """Stripe made it and it failed at once, or before anybody saw it succeed."""
    return BillyError(
        "stripe_error",
        f"Stripe answered that this is {outcome}: no money moved.",
        next="Read failure_reason in attempt_result, then decide what to do instead. A new call needs a new idempotency_key.",
    )


def kept(error: BillyError, *, retryable: bool) -> dict[str, Any]:
    """What is kept of a failure, so that a repeat gives the same answer."""
    stripe = error.stripe
    return {
        "code": error.code,
        "detail": error.detail,
        "next": error.next,
        "stripe": {name: getattr(stripe, name) for name in stripe.__slots__} if stripe else None,
        "retryable": retryable,
    }


def of_failed(attempt: Attempt) -> BillyError:
    """The error that a failed attempt was recorded with."""
    document = attempt.error or kept(NOT_DONE, retryable=False)
    stripe = document.get("stripe")
    return BillyError(
        document["code"],
        document["detail"],
        next=document.get("next"),
        stripe=StripeFacts(**stripe) if stripe else None,
        attempt=attempt.id,
        attempt_facts=attempt.facts,
    )


def is_retryable(attempt: Attempt) -> bool:
    """Whether a failed attempt did certainly nothing and may be made again under its own id."""
    return attempt.state is State.FAILED and bool((attempt.error or {}).get("retryable"))

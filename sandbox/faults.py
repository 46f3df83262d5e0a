"""What goes wrong on purpose: faults that are asked for over the control routes, and rate limits."""

from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.errors import StripeError

KINDS = ("status", "drop_before", "drop_after", "delay")


@dataclass(slots=True)
class Fault:
    """`match` is `METHOD /path`, with `*` for anything. A `status` of 500 is remembered under the request's idempotency key as Stripe
    does once execution has begun, other statuses are not; `saved` overrides that."""

    match: str
    kind: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    ms: int = 0
    times: int = 1
    saved: bool | None = None
    code: str | None = None

    def error(self) -> StripeError:
        if self.status == 429:
            return StripeError(
                429, "Too many requests.", type="invalid_request_error", code=self.code or "rate_limit", headers=self.headers
            )
        type = "api_error" if self.status >= 500 or self.status == 409 else "invalid_request_error"
        words = {
            500: "An unknown error occurred",
            409: "Another request is changing this object.",
            503: "Stripe is temporarily unavailable.",
        }
        return StripeError(
            self.status, words.get(self.status, "This request was refused on purpose."), type=type, code=self.code, headers=self.headers
        )

    @property
    def remembered(self) -> bool:
        return self.status == 500 if self.saved is None else self.saved


class Faults:
    """The faults still to come, in the order they were asked for."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []
        self.per_second: float | None = None
        self.should_retry = True
        self._recent: deque[float] = deque()

    def add(self, wanted: dict[str, Any]) -> None:
        """Raises TypeError or ValueError for what is no fault."""
        fault = Fault(**wanted)
        if fault.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        self._coming.append(fault)

    def clear(self) -> None:
        self._coming.clear()

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that hit this request: at most one of each kind, each used once more."""
        hit: dict[str, Fault] = {}
        for fault in self._coming:
            if fault.kind not in hit and fnmatchcase(f"{method} {path}", fault.match):
                hit[fault.kind] = fault
                fault.times -= 1
        self._coming = [fault for fault in self._coming if fault.times > 0]
        return list(hit.values())

    def limit(self, now: float) -> None:
        """Raise 429 when this second has had its share."""
        if self.per_second is None:
            return
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.per_second:
            raise StripeError(
                429,
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
                type="invalid_request_error",
                code="rate_limit",
                headers={"Stripe-Should-Retry": "true" if self.should_retry else "false"},
            )
        self._recent.append(now)

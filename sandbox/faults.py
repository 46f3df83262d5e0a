"""What goes wrong on purpose: faults that are asked for over the control routes, and rate limits."""

from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, get_type_hints

from sandbox import idempotency
from sandbox.errors import StripeError

# The options of each kind, beside `match` and `times`.
OPTIONS: dict[str, set[str]] = {
    "status": {"status", "headers", "saved", "code", "after"},
    "drop_before": set(),
    "drop_after": set(),
    "delay": {"ms", "late"},
    "cut": {"at"},
    "malformed": {"status", "headers", "body", "request_id"},
}
PAGE = "<!DOCTYPE html><html><head><title>Stripe</title></head><body><h1>We will be right back.</h1></body></html>"
WORDS = {
    500: "An unknown error occurred",
    409: "Another request is changing this object.",
    503: "Stripe is temporarily unavailable.",
    429: "Too many requests.",
    "lock_timeout": "This object cannot be accessed right now because another API request or Stripe process is currently accessing it."
    " If you see this error intermittently, retry the request.",
}


@dataclass(slots=True)
class Fault:
    """`match` is `METHOD /path`, with `*` for anything. A `status` of 500 is remembered under the request's idempotency key as Stripe
    does once execution has begun, other statuses are not; `saved` overrides that. With `after` the effect happens all the same."""

    match: str
    kind: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    ms: int = 0
    late: bool = False
    times: int = 1
    saved: bool | None = None
    code: str | None = None
    after: bool = False
    body: str = PAGE
    request_id: bool = True
    at: int = -1

    def __post_init__(self) -> None:
        self.status = self.status or (200 if self.kind == "malformed" else 500)

    def error(self, key: str | None = None) -> StripeError:
        """Stripe's document about it; `key` is the idempotency key of the request."""
        if self.code == "idempotency_key_in_use":
            error = idempotency.in_use(key or "")
            error.status, error.headers = self.status, self.headers
            return error
        type, code = "invalid_request_error", self.code
        if self.status == 429:
            code = code or "rate_limit"
        elif self.status >= 500 or self.status == 409:
            type = "api_error"
        words = WORDS.get(code or "", WORDS.get(self.status, "This request was refused on purpose."))
        return StripeError(self.status, words, type=type, code=code, headers=self.headers)

    @property
    def remembered(self) -> bool:
        return self.status == 500 if self.saved is None else self.saved


_HINTS = get_type_hints(Fault)


class Faults:
    """The faults still to come, in the order they were asked for."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []
        self.per_second: float | None = None
        self.should_retry: bool | None = None
        self._recent: dict[bool, deque[float]] = {False: deque(), True: deque()}

    def add(self, wanted: dict[str, Any]) -> None:
        """Raises TypeError or ValueError for what is no fault."""
        fault = Fault(**wanted)
        if fault.kind not in OPTIONS:
            raise ValueError(f"kind is one of {', '.join(OPTIONS)}")
        if strange := wanted.keys() - OPTIONS[fault.kind] - {"match", "kind", "times"}:
            raise ValueError(f"{fault.kind} has no option {', '.join(sorted(strange))}")
        for name, value in wanted.items():
            if not isinstance(value, dict if name == "headers" else _HINTS[name]):
                raise TypeError(f"{name} cannot be {value!r}")
        if fault.at < 0 and "at" in wanted:
            raise ValueError("at is a number of bytes")
        if not 200 <= fault.status < 600:
            raise ValueError("status is one of an answer: 200 to 599")
        self._coming.append(fault)

    def clear(self) -> None:
        self._coming.clear()

    def take(self, method: str, path: str) -> dict[str, Fault]:
        """The faults that hit this request by their kind: at most one of each, each used once more."""
        hit: dict[str, Fault] = {}
        for fault in self._coming:
            if fault.kind not in hit and fnmatchcase(f"{method} {path}", fault.match):
                hit[fault.kind] = fault
                fault.times -= 1
        self._coming = [fault for fault in self._coming if fault.times > 0]
        return hit

    def limit(self, now: float, livemode: bool) -> None:
        """Raise 429 when this second has had its share in this mode."""
        if self.per_second is None:
            return
        recent = self._recent[livemode]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self.per_second:
            hint = {} if self.should_retry is None else {"Stripe-Should-Retry": "true" if self.should_retry else "false"}
            raise StripeError(
                429,
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
                type="invalid_request_error",
                code="rate_limit",
                headers=hint,
            )
        recent.append(now)

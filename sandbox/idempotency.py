"""Idempotency keys: an answer once given to a key is given again, for 24 hours."""

from dataclasses import dataclass
from hashlib import sha256

from sandbox.errors import StripeError
from sandbox.store import Store

KEPT = 24 * 3600


@dataclass(frozen=True, slots=True)
class Saved:
    status: int
    body: bytes
    request: str


def in_use(key: str) -> StripeError:
    """409 for a key whose first request is still going on."""
    return StripeError(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the"
        f" other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
    )


class Keys:
    """The keys of one running sandbox. `in_progress` is what makes the second of two simultaneous requests a 409."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_progress: set[tuple[bool, str]] = set()

    def begin(self, livemode: bool, key: str, method: str, path: str, body: bytes, now: int) -> Saved | None:
        """What was answered before, or None after marking the key as in progress (end it with `end`)."""
        if len(key) > 255:
            raise StripeError(400, "Idempotency keys are limited to 255 characters.", type="idempotency_error")
        if (livemode, key) in self._in_progress:
            raise in_use(key)
        row = self._store.db.execute(
            "SELECT created, method, path, digest, status, body, request FROM idempotency WHERE livemode = ? AND key = ?", (livemode, key)
        ).fetchone()
        if row is not None and row[0] > now - KEPT:
            if (row[1], row[2]) != (method, path):
                raise StripeError(
                    400,
                    f"Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}' vs '{row[2]}')."
                    f" Try using a key other than '{key}' if you meant to execute a different request.",
                    type="idempotency_error",
                )
            if row[3] != sha256(body).hexdigest():
                raise StripeError(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other"
                    f" than '{key}' if you meant to execute a different request.",
                    type="idempotency_error",
                )
            return Saved(row[4], row[5], row[6])
        self._in_progress.add((livemode, key))
        return None

    def save(self, livemode: bool, key: str, method: str, path: str, body: bytes, now: int, answer: Saved) -> None:
        self._store.db.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (livemode, key, now, method, path, sha256(body).hexdigest(), answer.request, answer.status, answer.body),
        )

    def end(self, livemode: bool, key: str) -> None:
        self._in_progress.discard((livemode, key))

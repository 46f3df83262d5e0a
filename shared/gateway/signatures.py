"""Stripe's webhook signatures, verified without the SDK, whose import would cost a cold start more than the whole request."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import StrEnum

TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
LONGEST = 4_096  # characters of a header that are worth reading


class Verdict(StrEnum):
    """What a signature is worth; every value but `VALID` is a reason to refuse."""

    VALID = "valid"
    MISSING = "missing"
    MALFORMED = "malformed"
    MISMATCH = "mismatch"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


def verify(payload: bytes, header: str | None, secrets: Iterable[str], now: float, tolerance: int) -> Verdict:
    """Whether one of the header's v1 signatures of the raw payload was made with one of the secrets.

    Its timestamp may lie at most `tolerance` seconds from `now`, in the past or in the future. Every secret is tried
    against every signature in constant time, so that the time taken tells nothing about either.
    """
    if not header:
        return Verdict.MISSING
    parts = [part.partition("=") for part in header.split(",")] if len(header) <= LONGEST else []
    times = [value.strip() for name, _, value in parts if name.strip() == "t"]
    given = [value.strip().encode() for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not TIMESTAMP.fullmatch(times[0]) or not given:
        return Verdict.MALFORMED
    signed = times[0].encode() + b"." + payload
    matches = False
    for secret in secrets:
        if not secret:
            continue
        expected = hmac.digest(secret.encode(), signed, hashlib.sha256).hex().encode()
        for signature in given:
            matches |= hmac.compare_digest(expected, signature)
    if not matches:
        return Verdict.MISMATCH
    age = now - int(times[0])
    return Verdict.TOO_OLD if age > tolerance else Verdict.TOO_NEW if age < -tolerance else Verdict.VALID


def sent_at(header: str) -> int:
    """The second of Stripe's clock at which a verified delivery was sent: what it tells was true by then."""
    return next(int(value) for name, _, value in (part.partition("=") for part in header.split(",")) if name.strip() == "t")

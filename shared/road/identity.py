"""What makes two calls the same: whose they are, their key, what was given, and what would move.

Each digest has a form, with a number: a record is compared in the form in which it was written, and a movement is claimed in every form
that a running version may use, so that a new version changes no identity.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.actor import Actor
from shared.context import ALPHABET
from shared.road.forms import is_placeholder

ATTEMPT = r"^att_[0-9a-z]{26}$"
FORM = 2  # of what is written now
LEGACY = 1  # version 0.1.0: all settled arguments made a movement
LEGACY_FACTS = {"create_refund": frozenset({"charge", "amount", "currency", "reason", "customer"})}  # the movements of version 0.1.0

_VISIBLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_LEFT_EMPTY = re.compile(r"(^|[-_:/. ])(undefined|null|none|nan)$", re.IGNORECASE)  # a template that had no value to put at its end
NO_VALUE = "a text of your own for this one change; this is a placeholder: leave the key out, or give one such as ticket-5678"


def canonical_key(text: str) -> str:
    """The one spelling of an idempotency key. Raises ValueError, in words, for what is none: a placeholder is not a value."""
    key = text.strip(" \t")
    if not key:
        raise ValueError(NO_VALUE)
    if not _VISIBLE.fullmatch(key):
        raise ValueError("1 to 255 visible ASCII characters")
    if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'`":
        raise ValueError("the key itself, without quotes around it")
    if is_placeholder(key) or _LEFT_EMPTY.search(key):
        raise ValueError(NO_VALUE)
    return key


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value in canonical form, as hexadecimal text."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def attempt_id(actor: Actor, operation: str, key: str) -> str:
    """The same identity's same key for the same operation is the same attempt, on every instance and in every version."""
    number = int.from_bytes(hashlib.sha256(f"{actor.identity}\n{operation}\n{key}".encode()).digest()[:17]) & (1 << 130) - 1
    return "att_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def derived_id(prefix: str, attempt: str) -> str:
    """The id of what an attempt makes here: found again by the attempt's id alone."""
    return f"{prefix}_{attempt.removeprefix('att_')}"


def request_digest(given: Mapping[str, Any], form: int = FORM) -> str:
    """What was given, in a form: arguments that were left out do not count, so a version that takes one more changes nothing."""
    return digest(dict(given)) if form == LEGACY else digest([form, dict(given)])


def movements(operation: str, facts: tuple[str, ...], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The claims of a movement, in every form that is alive, the one that decides first. None where the operation names no facts."""
    if not facts:
        return ()
    now = digest([FORM, operation, {name: arguments.get(name) for name in facts}])
    if operation not in LEGACY_FACTS:
        return (now,)
    return now, digest([operation, {name: value for name, value in arguments.items() if name in LEGACY_FACTS[operation]}])

"""Where an audit row lies in Table Storage: spread over shards for writing, newest first in each for reading.

Rows of one partition are written at 2,000 a second at most, and Azure spreads load by ranges of partition keys. A key that begins with
the time would send every write to the same range. So a row's shard comes first, drawn from its id, and within the shard the time runs
backwards, because the service gives rows in ascending order alone and people read the newest first.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

SHARDS = 8  # 16,000 rows a second at most, near the account's own limit. Never changed: a reader asks every shard
BUCKET = 9  # characters of an id that name its partition: `aud_` and 5 of time, which is 9.3 hours
PREFIX, ALPHABET = "aud_", "0123456789abcdefghjkmnpqrstvwxyz"  # an id is the prefix and 26 of these, 10 of time and 16 of chance
TIME = 10
LAST = "g"  # above every hexadecimal digit, so that an id comes before what it begins with
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KEY = re.compile(r"key_[0-9a-z]{1,40}")


def backwards(id: str) -> str:
    """Text that sorts in the opposite order of the ids, in every collation."""
    return bytes(255 - each for each in id.encode()).hex() + LAST


def forwards(text: str) -> str:
    """The id that `backwards` made a text of."""
    return bytes(255 - each for each in bytes.fromhex(text.removesuffix(LAST))).decode()


def shard_of(id: str) -> int:
    """The shard of a row, 0 to 7."""
    return sha256(id.encode()).digest()[0] % SHARDS


def partition(shard: int, id: str) -> str:
    """The partition in which a shard keeps rows of that time."""
    return f"{shard}-{backwards(id[:BUCKET])}"


def bounds(shard: int) -> tuple[str, str]:
    """Below and above every partition of a shard."""
    return f"{shard}-", f"{shard}."


def attempt_partition(attempt: object) -> str | None:
    """The partition that holds copies of an attempt's rows, or None for what is no attempt's id."""
    return f"attempt-{attempt}" if isinstance(attempt, str) and _PLAIN.fullmatch(attempt) else None


def object_partition(object: object) -> str | None:
    """The partition that holds copies of the rows about one key, or None for any other object, whose rows are too many to be kept twice."""
    return f"object-{object}" if isinstance(object, str) and _KEY.fullmatch(object) else None


def right_partition(right: object) -> str | None:
    """The partition that holds copies of the rows that give or take rights of a kind."""
    return f"right-{right}" if isinstance(right, str) and _PLAIN.fullmatch(right) else None


def taken_partition(id: object) -> str | None:
    """The partition that holds nothing but the row by which a right was taken away: it is asked for at every use, however much is told of it."""
    return f"taken-{id}" if isinstance(id, str) and _PLAIN.fullmatch(id) else None


COPIES = {
    "taken": taken_partition,
    "attempt": attempt_partition,
    "object": object_partition,
    "right": right_partition,
}  # by the field that is looked up


def copies_of(row: Mapping[str, Any]) -> list[str]:
    """The partitions, besides that of its time, in which a row is kept."""
    return [place for field, of in COPIES.items() if (place := of(row.get(field))) is not None]


def moment(id: str) -> int:
    """The milliseconds since 1970 in a row's id. Any text has some, never fewer than a text that sorts before it."""
    if not id.startswith(PREFIX):
        return 0 if id < PREFIX else len(ALPHABET) ** TIME - 1
    number = 0
    for place in range(TIME):
        character = id[len(PREFIX) + place : len(PREFIX) + place + 1]
        digit = bisect_right(ALPHABET, character) - 1
        rest = 5 * (TIME - 1 - place)
        if digit < 0:
            return number << rest + 5
        number = number << 5 | digit
        if ALPHABET[digit] != character:
            return (number + 1 << rest) - 1
    return number


def first_of(moment: int) -> str:
    """Text above every id of the milliseconds before, and below every id of that one; at the end of time, of the last."""
    number = min(moment, len(ALPHABET) ** TIME - 1)
    return PREFIX + "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(TIME)))

"""The one reader of JSON that comes from outside: one text has one meaning, and its cost is bounded before anything is built of it.

orjson reads, and refuses what is no JSON (NaN, lone surrogates, bytes that are not UTF-8, numbers beyond a double). What it forgives is
refused here: a member given twice, of which it would keep the last, and a number whose digits a double cannot keep. Both show in the bare
text, the text with its strings emptied: outside of strings every colon belongs to one member and every comma to one more place.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from shared.errors import BillyError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LEVELS = 32  # of arrays and objects within each other, in whatever is read

_QUOTES = 4  # that a member has at most, around its name and a text
_LONG_NUMBER = re.compile(rb"[0-9][0-9.eE+-]{15,}")  # shorter ones are kept whole by a double and by 64 bits
_LONGEST_NUMBER = 64  # characters
_NESTING = (dict, list)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read at a door: `size` in bytes, `members` of objects and places of arrays in all.

    `exact` refuses a fraction that a double would round; the numbers of somebody who never sees our answer are taken as a double has them.
    """

    size: int
    members: int = 1000
    exact: bool = True


CALL = Bounds(256 * 1024)  # a call of an operation, over REST or MCP
EVENT = Bounds(1024 * 1024, members=100_000, exact=False)  # of Stripe's, who documents no bound; ten bytes a member as it writes them


def read_json(body: bytes, bounds: Bounds, next: str) -> Any:
    """The value of a JSON text. Raises `too_large` or `invalid_request` in fixed words, with `next` as what to do; repeats nothing of it."""
    check_size(len(body), bounds, next)
    text = body.removeprefix(BYTE_ORDER_MARK)
    bare = _bare(text, bounds, next)
    members = bare.count(b":")
    if max(members, bare.count(b","), bare.count(b"{") + bare.count(b"[") - 1) > bounds.members:
        raise _too_many(bounds, next)
    _check_numbers(bare, bounds, next)
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BillyError("invalid_request", "The body is not JSON in UTF-8.", next=next) from None
    if _members(value, bounds, next) != members:
        raise BillyError("invalid_request", "A member is given twice in one object.", next=f"Give each member once. {next}")
    return value


def check_size(size: int, bounds: Bounds, next: str) -> None:
    """Raises `too_large` for a body of more bytes than are read here."""
    if size > bounds.size:
        raise BillyError("too_large", f"The body is larger than {bounds.size // 1024} KiB.", next=f"Send less in one request. {next}")


def _bare(text: bytes, bounds: Bounds, next: str) -> bytes:
    """The text with its strings emptied. A backslash stands in strings alone, and what it escapes is no end of one."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') > _QUOTES * bounds.members + 2:
        raise _too_many(bounds, next)
    return b'"'.join(text.split(b'"')[::2])


def _check_numbers(bare: bytes, bounds: Bounds, next: str) -> None:
    for found in _LONG_NUMBER.findall(bare):
        if not _is_kept(found.decode(), bounds):
            raise BillyError("invalid_request", "A number has more digits than can be kept.", next=f"Give a shorter number. {next}")


def _is_kept(number: str, bounds: Bounds) -> bool:
    if len(number) > _LONGEST_NUMBER:
        return False
    if number.isdigit() or not bounds.exact:  # a whole number that is too large stays too large for every schema
        return True
    try:
        return Decimal(number) == Decimal(repr(float(number)))
    except (ArithmeticError, ValueError):  # it is no number at all, which the parser says better
        return True


def _members(value: Any, bounds: Bounds, next: str) -> int:
    """How many members the objects in a value have in all. Raises where it is nested too deeply or holds too much."""
    members = places = 0
    level: list[Any] = [value] if isinstance(value, _NESTING) else []
    for _ in range(LEVELS):
        if not level:
            return members
        inner: list[Any] = []
        for each in level:
            places += len(each)
            values: Iterable[Any] = each
            if isinstance(each, dict):
                members += len(each)  # pyright: ignore[reportUnknownArgumentType]
                values = each.values()  # pyright: ignore[reportUnknownVariableType]
            inner += [one for one in values if isinstance(one, _NESTING)]  # pyright: ignore[reportUnknownVariableType]
        if places > bounds.members:
            raise _too_many(bounds, next)
        level = inner
    if level:
        raise BillyError("invalid_request", f"The body is nested deeper than {LEVELS} levels.", next=next)
    return members


def _too_many(bounds: Bounds, next: str) -> BillyError:
    return BillyError("invalid_request", f"The body holds more than {bounds.members} members.", next=f"Send less in one request. {next}")

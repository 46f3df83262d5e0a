"""How a value of Stripe's JSON is read for a view: each reader takes what a field may hold, and says `Odd` to everything else.

Nothing here raises anything but `Odd`: one odd value costs its own field, never the object or the list around it.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shared.money import Money, exponent
from shared.untrusted import clean, clean_all

LATEST = 2**32 - 1  # the last second that is taken for one, in 2106: milliseconds are later
LARGEST = 2**53 - 1  # the largest whole number that every client reads exactly
LONGEST = 255  # letters of an id or an enumerated word
DEEPEST = 8  # levels of a value that is shown whole, such as an address
CURRENCY = re.compile(r"[a-z]{3}")
DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")

type Reader = Callable[[Any], Any]


class Odd(ValueError):
    """The value is not what the field may hold."""


def word(value: Any) -> str | None:
    """An enumerated word or a code; as text of others where it is more than that."""
    if value is None:
        return None
    if value.__class__ is not str:
        raise Odd
    plain = len(value) <= LONGEST and value.isascii() and value.isprintable() and "<" not in value and "!" not in value
    return value if plain else clean(value, LONGEST)


def id_of(value: Any) -> str | None:
    """The id of an object, which stands there itself or expanded."""
    return word(expanded(value))


def expanded(value: Any) -> Any:
    """What stands for an object that may be expanded: its id."""
    if value.__class__ is not dict:
        return value
    if value.get("id").__class__ is not str:
        raise Odd
    return value["id"]


def number(value: Any) -> int | None:
    """A whole number, also of minor units."""
    if value is not None and (value.__class__ is not int or not -LARGEST <= value <= LARGEST):
        raise Odd
    return value


def share(value: Any) -> float | None:
    """A percentage."""
    return value if value.__class__ is float else number(value)


def flag(value: Any) -> bool | None:
    if value is not None and value.__class__ is not bool:
        raise Odd
    return value


def second(value: Any) -> int | None:
    """Epoch seconds."""
    if value is not None and (value.__class__ is not int or not 0 <= value <= LATEST):
        raise Odd
    return value


def decimal(value: Any) -> str | None:
    """A decimal number as text, such as 0.89 minor units."""
    if value is not None and (value.__class__ is not str or not DECIMAL.fullmatch(value)):
        raise Odd
    return value


def currency(value: Any) -> str | None:
    """Three lower-case letters."""
    if value is not None and (value.__class__ is not str or not CURRENCY.fullmatch(value)):
        raise Odd
    return value


def text(value: Any) -> str | None:
    """What somebody wrote."""
    if value is None:
        return None
    if value.__class__ is not str:
        raise Odd
    return clean(value)


def tree(value: Any) -> Any:
    """What somebody wrote into several places: an address, metadata."""
    if value is None:
        return None
    if value.__class__ not in (dict, list) or _deeper(value, DEEPEST):
        raise Odd
    return clean_all(value)


def ids(value: Any) -> list[str | None] | None:
    """A short list of ids, or of expanded objects."""
    if value is None:
        return None
    if value.__class__ is not list:
        raise Odd
    return [id_of(each) for each in value[:50]]


def formatted(amount: int | None, code: str | None) -> str | None:
    """An amount of minor units as people write it; None without a currency, which is never made up."""
    return None if amount is None or code is None else str(Money(amount, code))


def formatted_decimal(amount: str | None, code: str | None) -> str | None:
    """The same with fractions of a minor unit, none of which is rounded away."""
    if amount is None or code is None:
        return None
    digits = exponent(code)
    whole = Decimal(amount).scaleb(-digits)
    least = -int(whole.normalize().as_tuple().exponent) if whole else 0
    return f"{whole:,.{max(digits, least)}f} {code.upper()}"


def formatted_balance(amount: int | None, code: str | None) -> str | None:
    """A customer's balance in words: Stripe writes a credit as a negative number."""
    if amount is None:
        return None
    money = formatted(abs(amount), code) or f"{abs(amount)} in minor units (Stripe names no currency)"
    return "nothing" if amount == 0 else f"credit: {money} in the customer's favour" if amount < 0 else f"owed: {money} by the customer"


def _deeper(value: Any, levels: int) -> bool:
    if value.__class__ is dict:
        value = value.values()
    elif value.__class__ is not list:
        return False
    return levels == 0 or any(_deeper(each, levels - 1) for each in value)

"""NCRONTAB, as far as a schedule can be judged before the host reads it: six fields, from seconds to days of the week."""

import re
from dataclasses import dataclass

from shared.entered import Unfit

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|\w+(?:-\w+)?)(?:/([0-9]{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    least: int
    most: int
    names: tuple[str, ...] = ()

    def read(self, text: str) -> set[int]:
        """The values that a field names. Raises `Unfit`."""
        return {value for part in text.split(",") for value in self._part(part)}

    def _part(self, text: str) -> range:
        found = _PART.fullmatch(text)
        if found is None:
            raise Unfit
        span, step = found[1], int(found[2] or 1)
        if span == "*":
            first, last = self.least, self.most
        else:
            begin, _, end = span.partition("-")
            first = self._value(begin)
            last = self._value(end) if end else self.most if found[2] else first
        if step == 0 or first > last:
            raise Unfit
        return range(first, last + 1, step)

    def _value(self, text: str) -> int:
        word = text.lower()
        value = self.names.index(word) + self.least if word in self.names else int(text) if re.fullmatch(r"[0-9]{1,2}", text) else -1
        if not self.least <= value <= self.most:
            raise Unfit
        return value


_FIELDS = (_Field(0, 59), _Field(0, 59), _Field(0, 23), _Field(1, 31), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))


def read_schedule(text: str) -> str:
    """The schedule with one space between its fields. Raises `Unfit` for what is none, and for days that never come."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise Unfit
    *_, days, months, _ = (field.read(part) for field, part in zip(_FIELDS, parts, strict=True))
    if all(min(days) > _LONGEST[month - 1] for month in months):
        raise Unfit
    return " ".join(parts)

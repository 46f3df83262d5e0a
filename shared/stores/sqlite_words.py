"""The words of objects and of queries: folded alike, so that what is typed begins what is kept."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
MOST = 32  # words of one query that are looked for


def fold(text: str) -> list[str]:
    """The runs of letters and digits in `text`, in lower case and without diacritics: `Zoë@x.io` is `zoe`, `x`, `io`."""
    if text.isascii():
        return _WORD.findall(text.lower())
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)).casefold().translate(_LETTERS))


def indexed(id: str, words: str) -> str:
    """What is kept in the index for an object: its id and its words."""
    return " ".join(fold(f"{id} {words}"))


def phrases(text: str) -> list[list[str]]:
    """The words of a query. One with punctuation inside (`ann.smith@x`) is several runs that must follow each other."""
    found = (fold(word) for word in text.split())
    return [runs for runs in found if runs][:MOST]

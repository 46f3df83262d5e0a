"""The words of objects and of queries: folded alike, so that what is typed begins what is kept."""

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
MOST = 32  # words of one query that are looked for

# An id is one word. Were its prefix a word of its own, every charge would have the word `ch`, and finding one id would
# mean walking all of them.
_ID = re.compile(
    "(?<![a-z0-9])(acct|ba|card|ch|cn|cs|cus|dp|du|evt|ii|il|in|inpay|pi|plink|pm|po|price|prod|promo|py|pyr|re|seti|si|src|sub|tok|tr|txi|txn|txr|we)"
    "_(?=([a-z0-9]+))"
)


def fold(text: str) -> list[str]:
    """The runs of letters and digits in `text`, in lower case and without diacritics: `Zoë@x.io` is `zoe`, `x`, `io`.

    The prefix of one of Stripe's ids belongs to its run: `cus_A1` is `cusa1`.
    """
    return _WORD.findall(_ID.sub(r"\1", _plain(text)))


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold().translate(_LETTERS)


def indexed(id: str, words: str) -> str:
    """What is kept in the index for an object: its id and its words.

    What only looks like an id, as `in_progress` does, has no digit, and is found by its parts too.
    """
    plain = _plain(f"{id} {words}")
    runs = _WORD.findall(_ID.sub(r"\1", plain))
    for look in _ID.finditer(plain):
        if look[2].isalpha():
            runs += [look[1], look[2]]
    return " ".join(runs)


def phrases(text: str) -> list[list[str]]:
    """The words of a query. One with punctuation inside (`ann.smith@x`) is several runs that must follow each other."""
    found = (fold(word) for word in text.split())
    return [runs for runs in found if runs][:MOST]


def holds(text: str, sought: Sequence[Sequence[str]]) -> bool:
    """Whether every phrase stands in the text: its words one after the other, the last one begun."""
    words = text.split()
    return all(any(_follows(words[at : at + len(runs)], runs) for at in range(len(words))) for runs in sought)


def _follows(words: Sequence[str], runs: Sequence[str]) -> bool:
    return len(words) == len(runs) and list(words[:-1]) == list(runs[:-1]) and words[-1].startswith(runs[-1])

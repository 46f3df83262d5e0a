"""What a key may be called: a name is kept for ever, read by people in tables and audit rows, and must stand for nobody else."""

import re
import unicodedata

from shared.credentials import holds_credential
from shared.errors import BillyError
from shared.untrusted import clean

LONGEST = 80  # characters
FORMULA = tuple("=+-@")  # with which a spreadsheet takes a cell for something to be worked out
QUOTES = "'\" "  # that it drops from the beginning

_LOOKALIKE = str.maketrans(  # letters of other scripts, and digits, that are drawn like these
    "аӏіјеосрхуѕԁһԛԝɡαειікορτυχνκıɩɑ01l!", "aiijeocpxysdhqwgaeiikoptuxvkiiaoiii"
)
# Who acts, or seems to, in audit rows.
_ACTORS = (
    "system",
    "Agent Billy",
    "Billy",
    "Stripe",
    "Stripe support",
    "unknown",
    "anonymous",
    "nobody",
    "timer",
    "queue",
    "setup",
    "webhook",
)
_OWN = ("key", "att", "aud", "run", "ref", "mem", "inv", "apr")
_STRIPES = (
    *("acct", "ch", "cn", "cus", "dp", "du", "evt", "in", "pi", "plink", "pm", "po", "price", "prod", "promo", "py", "pyr", "re", "seti"),
    *("si", "src", "sub", "tok", "tr", "txn", "we"),
)
_ID = re.compile(
    rf"(?<![a-z0-9_])(?:(?:{'|'.join(_OWN)})_[a-z0-9]{{20,}}|(?:{'|'.join(_STRIPES)})_(?=[a-z0-9]*\d)[a-z0-9]{{6,}})", re.IGNORECASE
)


def key_name(text: str) -> str:
    """The name as it is kept. Raises `invalid_request`, in words that do not repeat it."""
    name = clean(text, LONGEST).strip()
    if not any(each.isalnum() for each in name):
        raise _refused("The name holds nothing that can be read.", "Give the key a name that people recognise.")
    if holds_credential(clean(text, len(text))):
        raise _refused(
            "The name looks like a credential or a card number, and names are kept for ever.",
            "Give a name without it. If it was a real key, revoke that key: it has travelled where it should not.",
        )
    if name.lstrip(QUOTES)[:1] in FORMULA or text.strip(" ")[:1] in "\t\r\n":
        raise _refused(
            "The name begins like a formula, which a spreadsheet would work out.", "Begin it with a letter or a digit: not with = + - or @."
        )
    if _ID.search(name):
        raise _refused("The name looks like an id, so it would be taken for one.", "Give the key a name that people recognise.")
    if _skeleton(name) in _OTHERS:
        raise _refused("The name is one under which something else acts.", "Say whose key it is, such as refunds agent or Jane's laptop.")
    return name


def _skeleton(name: str) -> str:
    """What a reader sees of a name at a glance."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(each))
    return "".join(each for each in bare.translate(_LOOKALIKE) if each.isalnum())


_OTHERS = frozenset(_skeleton(each) for each in _ACTORS)


def _refused(detail: str, next: str) -> BillyError:
    return BillyError("invalid_request", detail, next=next, fields=({"field": "name", "problem": "not a name"},))

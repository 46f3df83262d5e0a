"""Text that is kept for ever, such as in an audit row, is cleared of credentials first: what cannot be deleted may hold no key."""

import re
from functools import lru_cache
from ipaddress import ip_address

from shared.untrusted import clean

REMOVED = "[removed]"
READ = 4096  # characters of a text that are looked through; no more are kept

# Prefixes that their makers chose so that they are found, and forms that nothing else has. A key that was cut off is one too.
_TOKENS = re.compile(
    r"""  billy_[A-Za-z0-9_-]{24,}                                  # our own
    | (?:sk|rk|ek|pk)_(?:org_)?(?:live|test)_[^\s"'<>]+          # Stripe's keys
    | whsec_[^\s"'<>]+                                           # and webhook secrets
    | [a-z]+_[A-Za-z0-9]+_secret_[A-Za-z0-9]+                      # and secrets of payments, for a browser
    | eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*  # JWT, JWS, JWE
    | \bsk-[A-Za-z0-9_-]{20,}                                      # keys of language models
    | \b(?:gh[opsur]|github_pat|glpat|xox[abeprs]|npm|pypi)[_-][A-Za-z0-9_-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b | \bAIza[A-Za-z0-9_-]{30,}
    | \b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{16,}
    | \b(?:AccountKey|SharedAccessKey|client_secret|api[_-]?key|password|passwd)\s*[=:]\s*[^\s;&]+
    | \bsig=[^\s&]{16,}                                           # a signature in an address of Azure's
    | (?<=://)[^\s/@]+:[^\s/@]+(?=@)                               # name and password in an address
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----.*""",
    re.VERBOSE | re.IGNORECASE,
)
# What every one of these has in it, in small letters: without any, the text is not looked at closer, since every row passes here.
_HINTS = (
    *("billy_", "_live_", "_test_", "whsec_", "eyj", "sk-", "ghp", "gho", "ghs", "ghu", "ghr", "github_pat", "glpat", "xox", "npm", "pypi"),
    *("akia", "asia", "aiza", "bearer", "basic", "key", "secret", "passw", "sig=", "://", "-----begin"),
)
_RUN = re.compile(r"\d+(?:[ ._/\-\u2010-\u2015]{1,3}\d+)*")
_GROUP = re.compile(r"\d+")
CARD = range(13, 20)  # digits of a card number


def cleared(text: str) -> str:
    """The text with `[removed]` in the place of every credential and card number."""
    small = text.lower()
    if any(hint in small for hint in _HINTS):
        text = _TOKENS.sub(REMOVED, text)
    if sum(map(str.isdigit, text)) >= CARD.start:
        text = _RUN.sub(lambda run: _without_cards(run[0]), text)
    return text


def holds_credential(text: str) -> bool:
    """Whether a text holds what looks like a key, a token, a webhook secret or a card number."""
    return cleared(text) != text


def label(text: str, longest: int) -> str | None:
    """What somebody calls themselves, as one line that may be kept for ever; None where nothing of it can be read."""
    plain = cleared(clean(text, READ))
    return (plain if len(plain) <= longest else plain[: longest - 1] + "…") or None


@lru_cache(maxsize=256)
def address(text: str | None) -> str | None:
    """An IP address in its one spelling, without brackets and port; None for what is none."""
    given = (text or "").strip()
    if given.startswith("["):
        given = given[1:].partition("]")[0]
    elif given.count(":") == 1:
        given = given.partition(":")[0]
    try:
        return ip_address(given.partition("%")[0]).compressed  # a zone is free text
    except ValueError:
        return None


def _without_cards(run: str) -> str:
    """A run of groups of digits without those that together are a card number, wherever in the run it stands."""
    if len(run) < CARD.start:
        return run
    groups = list(_GROUP.finditer(run))
    kept, since, first = "", 0, 0
    while first < len(groups):
        last = next((last for last in range(first, min(first + CARD.stop, len(groups))) if _is_card(groups[first : last + 1])), None)
        if last is None:
            first += 1
            continue
        kept, since, first = kept + run[since : groups[first].start()] + REMOVED, groups[last].end(), last + 1
    return kept + run[since:]


def _is_card(groups: list[re.Match[str]]) -> bool:
    """Luhn's sum, by which every card number is checked."""
    text = "".join(each[0] for each in groups)
    if len(text) not in CARD:
        return False
    digits = [int(each) for each in text]
    doubled = (each * 2 - 9 * (each > 4) for each in digits[-2::-2])
    return any(digits) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0

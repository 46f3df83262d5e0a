"""Text that customers and third parties wrote: cleaned to one harmless line, and kept apart from our own words."""

import re
import unicodedata

LONGEST = 500
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
SPACES = re.compile(r"\s+")
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})  # controls, formats, tags and directions, private use, surrogates, unassigned


def clean(text: str, longest: int = LONGEST) -> str:
    """One line in Unicode's compatibility form without anything invisible, at most `longest` characters."""
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text
    plain = unicodedata.normalize("NFKC", ANSI.sub("", text[: longest * 4]))
    spaced = SPACES.sub(" ", plain)
    visible = "".join(letter for letter in spaced if unicodedata.category(letter) not in HIDDEN).strip()
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def clean_all(value: object) -> object:
    """The same for every text in a small JSON value; keys are text of others too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key), 80): clean_all(item) for key, item in list(value.items())[:50]}  # pyright: ignore
    if isinstance(value, list):
        return [clean_all(item) for item in value[:50]]  # pyright: ignore
    return value

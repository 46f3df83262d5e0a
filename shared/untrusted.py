"""Text that others wrote: cleaned to one harmless line, and kept apart from our own words.

Nothing invisible is left, no terminal obeys it, and no program that renders Markdown fetches anything because of it.
"""

import re
import unicodedata

LONGEST = 500

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which `unicodedata` does not know: drawn as nothing by design.
IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
BLANK = ((0x2800, 0x2800), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159))  # symbols and marks whose picture is empty
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})  # controls, formats, tags and directions, private use, surrogates, unassigned

_INVISIBLE = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in (*IGNORABLE, *BLANK)) + "]")
_TERMINAL = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c)"  # strings that a terminal takes: titles, links, the clipboard
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_SPACES = re.compile(r"\s+")
_FETCHING = re.compile(
    r"!(?=\[)|<(?=/?(?:img|image|picture|source|video|audio|track|iframe|frame|object|embed|svg|link|script|style|meta|base|input|body)\b)",
    re.IGNORECASE,
)


def clean(text: str, longest: int = LONGEST) -> str:
    """One line in Unicode's compatibility form without anything invisible, at most `longest` characters.

    What would be an image in Markdown or HTML keeps its letters, parted by a backslash or a space that makes them plain text.
    """
    if text.isascii() and text.isprintable():
        visible = _SPACES.sub(" ", text[: longest * 4]).strip() if len(text) > longest else text
    else:
        plain = unicodedata.normalize("NFKC", _seen(_TERMINAL.sub("", text[: longest * 4])))
        visible = _seen(_SPACES.sub(" ", plain)).strip()
    if "![" in visible or "<" in visible:
        visible = _FETCHING.sub(lambda found: "!\\" if found[0] == "!" else "< ", visible)
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def _seen(text: str) -> str:
    """Without what is not seen; spaces of every kind stay."""
    return "".join(letter for letter in _INVISIBLE.sub("", text) if letter.isspace() or unicodedata.category(letter) not in HIDDEN)


def clean_all(value: object) -> object:
    """The same for every text in a small JSON value; keys are text of others too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key), 80): clean_all(item) for key, item in list(value.items())[:50]}  # pyright: ignore
    if isinstance(value, list):
        return [clean_all(item) for item in value[:50]]  # pyright: ignore
    return value

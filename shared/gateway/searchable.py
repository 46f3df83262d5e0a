"""What of an object is searched for: names, ids and numbers before prose, because each store keeps the beginning of it."""

from collections.abc import Iterator, Mapping
from typing import Any

MOST_WORDS = 4_000  # characters of searchable text kept for one object
FEW_WORDS = 128  # characters that hold no more words than any store finds
SHORT = 100  # characters of a text that is a name, an id or a number rather than prose


def searchable(paths: tuple[str, ...], value: Mapping[str, Any]) -> str:
    """The texts at the dotted paths and the values of the metadata. Where that is long, the object's own short ones come first, then
    all else by length: so a number in the metadata is found behind whatever prose."""
    own, metadata = list(_texts(paths, value)), value.get("metadata")
    more = [each for each in metadata.values() if each.__class__ is str] if metadata and metadata.__class__ is dict else []
    words = " ".join([*own, *more])
    if len(words) <= FEW_WORDS:
        return words
    first = [each for each in own if len(each) <= SHORT]
    rest = sorted(more + [each for each in own if len(each) > SHORT], key=len)
    return " ".join([*first, *rest])[:MOST_WORDS]


def _texts(paths: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[str]:
    for path in paths:
        found = reach(value, path)
        if found.__class__ is dict:
            found = found.get("id")
        if found.__class__ is str and found:
            yield found


def reach(value: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; where it ends early, what is there."""
    name, _, rest = path.partition(".")
    found: Any = value.get(name)
    while rest and found.__class__ is dict:
        name, _, rest = rest.partition(".")
        found = found.get(name)
    return found

"""What a row says it was about: the object, what the operation tells of its call, and the effects of these arguments besides money."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.instants import twins
from shared.road.identity import derived_id
from shared.road.operation import ROAD, Operation, Write

MOST = 20  # ids of a row
TOLD = ("object", "about", "effects")  # the facts of a row that are found here
TIMES = ("expires",)  # epoch seconds among what is told, which get their readable twin
STRIPE_ID = re.compile(
    r"(?![A-Za-z0-9_]*_secret_)"  # a client secret begins with the id of its object, and is none
    r"(?:acct|ba|card|ch|cn|cs|cus|dp|du|evt|fr|ii|il|in|mandate|pi|plink|pm|po|price|prod|promo|py|pyr|re|req|seti|si|src|sub|sub_sched|tr|txn|we)"
    r"_[A-Za-z0-9_]{1,80}"
)
OWN_ID = re.compile(r"(?:key|att|aud|run)_[0-9a-z]{26}")


def facts(operation: Operation, arguments: Any, attempt: str | None = None, *, parsed: bool = True) -> dict[str, Any]:
    """The facts of a call for its rows, as far as its arguments say them. `attempt` gives the id of what the operation makes here.

    Only what was parsed or settled is told beyond ids: a text that nobody has read is in no row.
    """
    if not isinstance(operation, Write) or not isinstance(arguments, Mapping):
        return {}
    given: Mapping[str, Any] = arguments  # pyright: ignore[reportUnknownVariableType]
    told = {name: given[name] for name in operation.declared.told if name in given} if parsed else {}
    told |= twins({name: told[name] for name in TIMES if name in told})
    found: dict[str, Any] = {"about": told or None, "effects": operation.declared.effects_of(given) or None}
    if attempt is not None and operation.derives is not None:
        found["object"] = derived_id(operation.derives, attempt)
    return {name: value for name, value in found.items() if value is not None}


def object_of(arguments: Any) -> str | None:
    """What a call is about: its `id`, or else the first of its arguments that has the form of an id."""
    if not isinstance(arguments, Mapping):
        return None
    given: Mapping[str, Any] = arguments  # pyright: ignore[reportUnknownVariableType]
    each = (given.get("id"), *(value for name, value in given.items() if name not in ROAD))
    return next((value for value in each if isinstance(value, str) and (STRIPE_ID.fullmatch(value) or OWN_ID.fullmatch(value))), None)


def ids(value: Any, form: re.Pattern[str]) -> list[str]:
    """Every id of a form among the values of a small JSON value, sorted, at most 20."""
    found: set[str] = set()
    waiting: list[Any] = [value]
    while waiting:
        each: Any = waiting.pop()
        if isinstance(each, Mapping):
            waiting.extend(each.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(each, Sequence) and not isinstance(each, str | bytes):
            waiting.extend(each)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(each, str) and form.fullmatch(each):
            found.add(each)
    return sorted(found)[:MOST]

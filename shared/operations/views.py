"""How an object of Stripe's is shown: its facts under Stripe's own names, money and times in two forms, third-party text set apart.

A value that a field may not hold is shown as null and named in `unreadable`; nothing in a body keeps the rest from being shown.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.operations import embedded
from shared.operations.chosen_ids import chosen
from shared.operations.fields import Odd, currency, flag, word
from shared.operations.shapes import SHAPES, Field, Group


def show(kind: str, body: bytes | Mapping[str, Any], *, whole: bool = True) -> dict[str, Any]:
    """The view of a mirrored object; a deleted one is its id and `deleted`. Raises nothing, whatever the object holds.

    Without `whole`, as in a list, of the lists inside the object only those are shown that say what it is.
    """
    value: Any = orjson.loads(body) if isinstance(body, bytes) else dict(body)
    shown: dict[str, Any] = {"id": None, "object": kind, "livemode": None}
    if value.__class__ is not dict:
        return shown | {"untrusted": {}, "unreadable": ["object"]}
    odd: dict[str, None] = {}  # names, each once, in order
    shown["id"] = _read(value.get("id"), word, "id", odd)
    live = value.get("livemode")
    shown["livemode"] = False if live is None else _read(live, flag, "livemode", odd)
    untrusted: dict[str, Any] = {}
    if value.get("deleted") is True:
        shown["deleted"] = True
    else:
        shape = SHAPES[kind]
        code = _currency(value.get("currency"))
        _place(shown, shape.facts, value, code, odd)
        for name, shows, everywhere in shape.lists:
            if whole or everywhere:
                shown |= embedded.show(value.get(name), name, shows, code, odd)
        _place(untrusted, shape.texts, value, code, odd)
    shown["untrusted"] = untrusted
    if ids := chosen(kind, value, shown):
        shown["chosen_ids"] = ids
    if odd:
        shown["unreadable"] = list(odd)
    return shown


def _place(target: dict[str, Any], groups: tuple[Group, ...], value: Mapping[str, Any], code: str | None, odd: dict[str, None]) -> None:
    """Puts fields and their readable twins where they stand in Stripe's object."""
    for group in groups:
        there = value.get(group.name)
        if there is None and group.seldom:
            continue
        if not group.inside:  # the value itself: most are
            (field,) = group.fields
            found = None if there is None else _read(there, field.read, field.name, odd)
            if found or not field.seldom or field.name in odd:
                target[field.last] = found
                if field.write is not None:
                    target[field.twin] = field.write(found, code)
        elif group.seldom and there.__class__ is not dict:
            odd[group.name] = target[group.name] = None
        else:
            _place_inside(target, group, there, code, odd)


def _place_inside(target: dict[str, Any], group: Group, there: Any, code: str | None, odd: dict[str, None]) -> None:
    for field in group.fields:
        found = _reached(there, field, odd)
        if field.seldom and not found and field.name not in odd:
            continue
        into = target
        for name in field.above:
            into = into.setdefault(name, {})
        into[field.last] = found
        if field.write is not None:
            into[field.twin] = field.write(found, code)


def _reached(found: Any, field: Field, odd: dict[str, None]) -> Any:
    """The field's value, read from that of its first name."""
    for name in field.below:
        if found is None:
            return None
        if found.__class__ is not dict:
            odd[field.name.rpartition(f".{name}")[0]] = None
            return None
        found = found.get(name)
    return None if found is None else _read(found, field.read, field.name, odd)


def _read(value: Any, read: Any, name: str, odd: dict[str, None]) -> Any:
    try:
        return read(value)
    except Odd:
        odd[name] = None
        return None


def _currency(value: Any) -> str | None:
    """The currency of the object's amounts. That it is odd is said where it is shown."""
    try:
        return currency(value)
    except Odd:
        return None

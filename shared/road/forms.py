"""Forms of one value: what agents write in place of a number, a truth value or nothing, where nothing is lost by taking it.

A schema keeps one type for each argument. Here "25" and 30.0 become the number, "true" the truth value, and null is an argument left out, so
that one movement has one digest in every form. All else stays as it was sent, for the strict model to refuse.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

EXACT = 1 << 53  # below it a double holds every whole number
EXAMPLES = {int: "a whole number such as 25", bool: "true or false", str: "a text"}

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_PLACEHOLDERS = frozenset(
    [
        *("null", "none", "nil", "undefined", "nan", "n/a", "na", "false", "true", "string", "str", "text", "key", "uuid", "guid"),
        *("idempotency_key", "idempotency-key", "idempotencykey", "idempotency key", "your-key-here", "your_key_here", "your key here"),
        *("your-idempotency-key", "your_idempotency_key", "your idempotency key", "[object object]", "...", "…", "-", "--", "_", "?"),
        *("<>", "empty", "blank", "unset", "not set", "not specified", "not provided", "unspecified", "optional", "todo", "tbd"),
    ]
)
_TEMPLATE = re.compile(r"\{\{.*\}\}|\$\{.*\}|\$\(.*\)|%\(.*\)s|^<.*>$|^\{[a-z_ ]*\}$|^\$[A-Za-z_]+$", re.IGNORECASE | re.DOTALL)


def in_one_form(model: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a model with null left out and each number and truth value as such, where its form loses nothing."""
    kinds = _kinds(model)
    return {name: _plain(kinds.get(name), value) for name, value in arguments.items() if value is not None}


def placeholders(model: type[BaseModel], arguments: Mapping[str, Any]) -> list[str]:
    """The optional texts that say nothing: what a template or a model left where there was no value. They are told apart from a value."""
    optional = _optional_texts(model)
    return [name for name, value in arguments.items() if name in optional and isinstance(value, str) and is_placeholder(value)]


def is_placeholder(text: str) -> bool:
    """Whether a whole text stands for no value: null in some language, a schema's own word, a template that nobody filled in, blanks."""
    word = text.strip().strip("\"'`").strip().lower()
    return not word or word in _PLACEHOLDERS or _TEMPLATE.search(word) is not None


def takes(model: type[BaseModel], name: str) -> str:
    """What an argument takes, in words, with its own description: what would have been right."""
    field = model.model_fields[name]
    kind = EXAMPLES.get(_kinds(model).get(name, object), "")
    return ". ".join(part for part in (kind, field.description or "") if part)


def _plain(kind: type | None, value: Any) -> Any:
    if kind is int:
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
            return int(value)
    if kind is bool and value in ("true", "false"):
        return value == "true"
    return value


@cache
def _kinds(model: type[BaseModel]) -> dict[str, type]:
    """The one plain type of each argument that has one; choices have none, they are compared as they are."""
    return {name: kind for name, field in model.model_fields.items() if isinstance(kind := _kind(field.annotation), type)}


@cache
def _optional_texts(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, kind in _kinds(model).items() if kind is str and not model.model_fields[name].is_required())


def _kind(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [each for each in get_args(annotation) if each is not type(None)]
        return _kind(kinds[0]) if len(kinds) == 1 else None
    return annotation

"""Requests checked against the SDK's own TypedDicts: coerced, enums held, anything unknown refused, also deep inside."""

import functools
import operator
import sys
import types
from decimal import Decimal, InvalidOperation
from typing import Any, ForwardRef, Literal, NotRequired, Required, Union, get_args, get_origin

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

from sandbox.errors import StripeError, invalid, missing

_OPTIONS = frozenset(RequestOptions.__annotations__)


def _resolve(hint: Any, module: dict[str, Any]) -> Any:
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    return eval(hint, {**vars(types), **module}) if isinstance(hint, str) else hint  # noqa: S307 — the SDK's own annotations


def _strip(hint: Any, module: dict[str, Any]) -> Any:
    hint = _resolve(hint, module)
    while get_origin(hint) in (NotRequired, Required):
        hint = _resolve(get_args(hint)[0], module)
    return hint


@functools.cache
def fields(shape: type) -> tuple[dict[str, Any], frozenset[str]]:
    """Names with their hints, and which are required, of one of the SDK's parameter classes."""
    module = {"Union": Union, "Literal": Literal, "NotRequired": NotRequired, **vars(sys.modules[shape.__module__])}
    hints = {name: _strip(hint, module) for name, hint in shape.__annotations__.items() if name not in _OPTIONS}
    # Nested forward references ("List['X']") are resolved here once.
    return {name: _deep(hint, module) for name, hint in hints.items()}, frozenset(shape.__required_keys__) - _OPTIONS  # type: ignore[attr-defined]


def _deep(hint: Any, module: dict[str, Any]) -> Any:
    hint = _resolve(hint, module)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal or not inner:
        return hint
    inner = tuple(_deep(arg, module) for arg in inner)
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, inner)
    return types.GenericAlias(origin, inner) if origin in (list, dict) else hint


def words(shape: type, name: str) -> frozenset[str]:
    """The literal values that the SDK knows for a parameter, or for the items of a list."""
    hint = fields(shape)[0][name]
    hint = get_args(hint)[0] if get_origin(hint) is list else hint
    return frozenset(word for option in _alternatives(hint) if get_origin(option) is Literal for word in get_args(option))


def _path(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def check(shape: type | None, given: dict[str, Any], *, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Typed values of a request. `shape` None allows `expand` only; `extra` names hints of parameters that Stripe takes
    and the SDK's class does not list. Raises Stripe's 400 with the parameter in brackets."""
    hints, required = fields(shape) if shape else ({}, frozenset())
    return _table({"expand": list[str], **hints, **(extra or {})}, required, given, "")


def _table(hints: dict[str, Any], required: frozenset[str], given: dict[str, Any], prefix: str) -> dict[str, Any]:
    unknown = [name for name in given if name not in hints]
    if unknown:
        names = ", ".join(_path(prefix, name) for name in unknown)
        raise invalid(
            f"Received unknown parameter{'s' if len(unknown) > 1 else ''}: {names}",
            code="parameter_unknown",
            param=_path(prefix, unknown[0]),
        )
    for name in sorted(required):
        if name not in given:
            raise missing(_path(prefix, name))
    return {name: _value(hints[name], value, _path(prefix, name)) for name, value in given.items()}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _value(hint: Any, given: Any, at: str) -> Any:
    options = _alternatives(hint)
    words = [word for option in options if get_origin(option) is Literal for word in get_args(option)]
    options = [option for option in options if get_origin(option) is not Literal and option is not type(None)]
    if isinstance(given, dict):
        return _hash(options, given, at)
    if given in words:
        return given
    named = [word for word in words if word != ""]
    if named and all(option is str for option in options):
        raise invalid(f"Invalid {at}: must be one of {_sentence(named)}", param=at)
    refusal: StripeError | None = None
    for option in options:
        try:
            return _scalar(option, given, at)
        except StripeError as error:
            refusal = refusal or error
    raise refusal or invalid(f"Invalid {at}: must be one of {_sentence(named)}", param=at)


def _sentence(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}{',' if len(words) > 2 else ''} or {words[-1]}"


def _hash(options: list[Any], given: dict[str, Any], at: str) -> Any:
    refusal: StripeError | None = None
    for option in options:
        origin = get_origin(option) or option
        try:
            if is_typeddict(option):
                hints, required = fields(option)
                return _table(hints, required, given, at)
            if origin is list:
                return [_value(get_args(option)[0], item, _path(at, key)) for key, item in _ordered(given, at)]
            if origin is dict:
                return {key: _value(get_args(option)[1], item, _path(at, key)) for key, item in given.items()}
            if option is Any:
                return given
        except StripeError as error:
            refusal = refusal or error
    raise refusal or invalid(f"Invalid {'string' if str in options else 'value'}: {at} must not be a hash.", param=at)


def _ordered(given: dict[str, Any], at: str) -> list[tuple[str, Any]]:
    if not all(key.isdigit() for key in given):
        raise invalid(f"Invalid array: {at}", param=at)
    return sorted(given.items(), key=lambda pair: int(pair[0]))


def _scalar(option: Any, given: str, at: str) -> Any:
    if option is str or option is Any:
        return given
    origin = get_origin(option) or option
    if option is bool:
        if given not in ("true", "false"):
            raise invalid(f"Invalid boolean: {given}", param=at)
        return given == "true"
    if given == "":
        raise invalid(
            f"You passed an empty string for '{at}'. We assume empty values are an attempt to unset a parameter; however '{at}' cannot be"
            f" unset. You should remove '{at}' from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=at,
        )
    if option is int:
        try:
            return int(given)
        except ValueError:
            raise invalid(f"Invalid integer: {given}", code="parameter_invalid_integer", param=at) from None
    if option in (float, Decimal):
        try:
            number = Decimal(given)
        except InvalidOperation:
            raise invalid(f"Invalid decimal: {given}", param=at) from None
        return float(number) if option is float else number
    if origin is list:
        raise invalid(f"Invalid array: {at}", param=at)
    raise invalid(f"Invalid object: {at}", param=at)

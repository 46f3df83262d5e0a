"""`expand[]`: ids replaced by the objects they name, as far as the SDK's classes say a field may be expanded."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, ForwardRef, Union, get_args, get_origin

import stripe
from stripe._object_classes import OBJECT_CLASSES, get_object_class

from sandbox.errors import invalid
from sandbox.world import Object, World, shown

Include = Callable[[World, Object], Any]
INCLUDES: dict[tuple[str, str], Include] = {}


def on_expand(kind: str, field: str) -> Callable[[Include], Include]:
    """Register what fills a field that is absent unless asked for (`charge.refunds`, `customer.tax_ids`)."""

    def register(include: Include) -> Include:
        INCLUDES[kind, field] = include
        return include

    return register


def apply(world: World, answer: Any, paths: list[str]) -> Any:
    """The answer with every path expanded; refuses what cannot be, and more than four levels."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > 4:
            raise invalid(f"You cannot expand more than 4 levels of a property. Property: {path}", param="expand")
        _walk(world, None, answer, steps, path)
    return answer


def _walk(world: World, shape: type | None, node: Any, steps: list[str], path: str) -> None:
    if isinstance(node, list):
        for item in node:
            _walk(world, shape, item, steps, path)
        return
    if not isinstance(node, dict) or not steps or node.get("deleted"):
        return
    kind = node.get("object")
    if kind == "list":
        if steps[0] != "data":
            raise invalid(
                f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.", param="expand"
            )
        _walk(world, None, node["data"], steps[1:], path)
        return
    if isinstance(kind, str) and kind in OBJECT_CLASSES:
        shape = get_object_class("V1", kind)
    step, rest = steps[0], steps[1:]
    if isinstance(kind, str) and (kind, step) in INCLUDES:
        if not isinstance(node.get(step), dict):
            node[step] = INCLUDES[kind, step](world, node)
        _walk(world, None, node[step], rest, path)
        return
    targets, inner = _field(shape, step)
    if targets:
        node[step] = _expanded(world, node.get(step), targets)
    elif inner is None and not isinstance(node.get(step), dict | list):
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    _walk(world, inner, node.get(step), rest, path)


def _expanded(world: World, value: Any, targets: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_expanded(world, item, targets) for item in value]
    if not isinstance(value, str):
        return value
    for kind in targets:
        found = world.get(kind, value, deleted=True)
        if found is not None:
            return shown(found)
    return value


@cache
def _field(shape: type | None, name: str) -> tuple[tuple[str, ...], type | None]:
    """The kinds that a field may expand to, and the class of what is nested in it."""
    if shape is None:
        return (), None
    inner = getattr(shape, "_inner_class_types", {}).get(name)
    options = get_args(inspect.get_annotations(shape).get(name))
    if len(options) == 1 or (len(options) == 2 and options[1] is type(None)):
        # A list of expandable ids: the options are one level deeper.
        options = get_args(options[0]) if get_origin(options[0]) in (list, Union) else options
        options = get_args(options[0]) if len(options) == 1 else options
    if str not in options:
        return (), inner
    names = [option.__forward_arg__ if isinstance(option, ForwardRef) else getattr(option, "__name__", "") for option in options]
    classes = [getattr(stripe, name.rpartition(".")[2], None) for name in names if name]
    return tuple(cls.OBJECT_NAME for cls in classes if cls is not None and hasattr(cls, "OBJECT_NAME")), inner

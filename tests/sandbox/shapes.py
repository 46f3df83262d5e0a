"""Compares an object with the class that the SDK has for it: nothing it does not know, nothing missing that it promises."""

import inspect
import types
from functools import cache
from typing import Any, Union, get_args, get_origin

import stripe
from stripe._object_classes import OBJECT_CLASSES, get_object_class

# Hashes of the payment method's own kind, where the classes know more than one method needs to show.
OPEN = {"payment_method_options", "metadata", "next_action"}


@cache
def fields(shape: type) -> dict[str, bool]:
    """Names with whether they are always there."""
    found: dict[str, bool] = {}
    for cls in reversed(shape.__mro__):
        if cls.__module__.startswith("stripe._") and cls not in (stripe.StripeObject, *stripe.StripeObject.__mro__):
            for name, hint in inspect.get_annotations(cls).items():
                if not name.startswith("_") and name != "OBJECT_NAME":
                    found[name] = not _optional(hint)
    return found


def _optional(hint: Any) -> bool:
    if isinstance(hint, str):
        return hint.startswith("Optional[") or "|None" in hint.replace(" ", "")
    if get_origin(hint) in (Union, types.UnionType):
        return type(None) in get_args(hint) or any(_optional(one) for one in get_args(hint))
    return False


def differences(node: Any, shape: type | None = None, at: str = "") -> list[str]:
    """One line for each field too many or too few, with its path."""
    if isinstance(node, list):
        return [line for item in node for line in differences(item, shape, f"{at}[]")]
    if not isinstance(node, dict):
        return []
    kind = node.get("object")
    if node.get("deleted"):
        return []
    if kind == "list":
        return differences(node["data"], None, at)
    if isinstance(kind, str) and kind in OBJECT_CLASSES:
        shape = get_object_class("V1", kind)
        at = at or kind
    if shape is None:
        return []
    known = fields(shape)
    if not known:
        return []
    wrong = [f"{at}.{name} is not in the SDK's class" for name in node if name not in known]
    wrong += [f"{at}.{name} is missing" for name, required in known.items() if required and name not in node]
    inner = getattr(shape, "_inner_class_types", {})
    for name, value in node.items():
        if name not in OPEN:
            wrong += differences(value, inner.get(name), f"{at}.{name}")
    return wrong

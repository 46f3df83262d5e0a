"""Form bodies and query strings with brackets: `items[0][price]=p` becomes `{"items": {"0": {"price": "p"}}}`."""

from typing import Any
from urllib.parse import parse_qsl

from sandbox.errors import invalid


def decode(text: str) -> dict[str, Any]:
    """Nested dictionaries of strings. `a[]=x` counts up; which dictionaries are lists is for the schema to say."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = name.partition("[")
        keys = [head, *rest.removesuffix("]").split("][")] if rest else [head]
        node = tree
        for key in keys[:-1]:
            key = key or str(len(node))
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise invalid(f"Invalid request: {name} is both a value and a hash.", param=head)
            node = child
        last = keys[-1] or str(len(node))
        if isinstance(node.get(last), dict):
            raise invalid(f"Invalid request: {name} is both a value and a hash.", param=head)
        node[last] = value
    return tree

"""Route templates as ASP.NET Core reads them, as far as function apps use them, and the table that matches them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from devhost.settings import StartRefused

T = TypeVar("T")

RESERVED = ("admin", "runtime")
"""No route may begin with these words, whatever follows: `administrators` is refused too, as the real host does."""

_PATTERNS = {
    "": r"[^/]+",
    "alpha": r"[A-Za-z]+",
    "int": r"-?[0-9]{1,10}",
    "long": r"-?[0-9]{1,19}",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}",
}
_LENGTHS = {"minlength": r"[^/]{%s,}", "maxlength": r"[^/]{1,%s}", "length": r"[^/]{%s}"}
_RANGES = {"int": 2**31, "long": 2**63}
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_DECLARED = re.compile(r"(\*{0,2})([A-Za-z_][A-Za-z0-9_]*)(?::([A-Za-z]+)(?:\(([0-9]+(?:,[0-9]+)?)\))?)?(\??)")


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed route: where it matches, how specific it is, and which parameters need a number in range."""

    text: str
    literal: str | None
    """The whole path when the template has no parameter, lower case."""
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]
    shape: str
    """The template without its parameters' names: two routes of one shape match the same paths."""
    ranges: dict[str, int]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters found in a path without its first slash, or None."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: value for name, value in found.groupdict().items() if value}
        for name, limit in self.ranges.items():
            if name in values and not -limit <= int(values[name]) < limit:
                return None
        return values


def parse_template(route: str) -> Template:
    """StartRefused with the reason when the route is reserved or uses what this host does not know."""
    text = route.strip("/")
    if text.lower().startswith(RESERVED):
        raise StartRefused(f"the route {route!r} begins with a reserved word ({', '.join(RESERVED)})")
    if "{" not in text:
        segments = text.split("/") if text else []
        return Template(text, text.lower(), re.compile(re.escape(text), re.IGNORECASE), (1,) * len(segments), text.lower(), {})
    expression, precedence, shape, ranges = "", [], [], {}
    for index, segment in enumerate(text.split("/")):
        part, digit, optional = _segment(segment, route, ranges)
        slash = "/" if index else ""
        expression += f"(?:{slash}{part})?" if optional else slash + part
        precedence.append(digit)
        shape.append(_PARAMETER.sub(lambda found: "{" + _without_name(found.group(1)) + "}", segment).lower())
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise StartRefused(f"the route {route!r} cannot be read: {error}") from None
    return Template(text, None, pattern, tuple(precedence), "/".join(shape), ranges)


def _without_name(declared: str) -> str:
    return re.sub(r"[A-Za-z_][A-Za-z0-9_]*", "", declared, count=1)


def _segment(segment: str, route: str, ranges: dict[str, int]) -> tuple[str, int, bool]:
    """The expression of one segment, its digit of precedence (1 most specific), and whether it may be missing."""
    expression, position, digit, optional = "", 0, 1, False
    for found in _PARAMETER.finditer(segment):
        literal = segment[position : found.start()]
        position = found.end()
        declared = _DECLARED.fullmatch(found.group(1))
        if declared is None or "{" in literal or "}" in literal:
            raise StartRefused(f"the route {route!r}: {found.group(0)} is not understood")
        star, name, constraint, argument, question = declared.groups()
        alone = found.group(0) == segment
        if star:
            expression, digit, optional = expression + f"(?P<{name}>.*)", 5, True
        else:
            expression += f"(?i:{re.escape(literal)})" if literal else ""
            expression += f"(?P<{name}>{_pattern_of(constraint or '', argument, route)})"
            digit = 2 if constraint or not alone else 3
            optional = optional or bool(question)
            if constraint in _RANGES:
                ranges[name] = _RANGES[constraint]
        if (star or question) and not alone:
            raise StartRefused(f"the route {route!r}: {found.group(0)} must be a whole segment")
    rest = segment[position:]
    if "{" in rest or "}" in rest:
        raise StartRefused(f"the route {route!r}: braces do not match")
    return expression + (f"(?i:{re.escape(rest)})" if rest else ""), digit, optional


def _pattern_of(constraint: str, argument: str | None, route: str) -> str:
    if argument is None and constraint in _PATTERNS:
        return _PATTERNS[constraint]
    if argument is not None and constraint in _LENGTHS:
        return _LENGTHS[constraint] % argument
    raise StartRefused(f"the route {route!r}: the constraint {constraint!r} is not served by this host")


@dataclass(frozen=True, slots=True)
class _Route[T]:
    template: Template
    methods: frozenset[str]
    target: T

    def serves(self, method: str) -> bool:
        return not self.methods or method in self.methods


class Router[T]:
    """Finds what serves a path and method: the most specific template whose methods allow it, as ASP.NET Core does.

    A path that exists with other methods is not found either, as on the real host.
    """

    def __init__(self) -> None:
        self._literal: dict[str, list[_Route[T]]] = {}
        self._patterns: list[_Route[T]] = []

    def add(self, template: Template, methods: Iterable[str], target: T) -> None:
        """StartRefused when another route of the same shape serves one of the methods already."""
        route = _Route(template, frozenset(methods), target)
        siblings = self._patterns if template.literal is None else self._literal.setdefault(template.literal, [])
        for other in siblings:
            both = not other.methods or not route.methods or other.methods & route.methods
            if other.template.shape == template.shape and both:
                methods_text = ", ".join(sorted(route.methods & other.methods)) or "every method"
                raise StartRefused(f"the route {template.text!r} with {methods_text} is served already")
        siblings.append(route)
        if template.literal is None:
            self._patterns.sort(key=lambda item: item.template.precedence)

    def match(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """`path` as it came, still percent-encoded. Parameters come back decoded; an encoded slash stays encoded."""
        plain = path.strip("/")
        if "%" in plain:
            plain = "/".join(_decoded(part) for part in plain.split("/"))
        for route in self._literal.get(plain.lower(), ()):
            if route.serves(method):
                return route.target, {}
        for route in self._patterns:
            if route.serves(method):
                values = route.template.match(plain)
                if values is not None:
                    return route.target, values
        return None


def _decoded(segment: str) -> str:
    parts = re.split(r"(%2[Ff])", segment)
    return "".join(part if index % 2 else unquote(part) for index, part in enumerate(parts))

"""What a caller sees: what the role permits, narrowed by method and by tag.

The filter is the same at `/api/tools` and at `/mcp`: `methods[0]=read&tags[0]=core`. `methods[]=`, `methods=` and lists with commas mean
the same. Within one list any match counts; the two lists narrow each other.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.errors import BillyError
from shared.policy import roles
from shared.road.operation import Operation

METHODS = ("read", "write")
LISTS = ("methods", "tags")  # whose members add up, also under one name given several times
CORE = frozenset({"core"})

_MEMBER = re.compile(r"(methods|tags)(?:\[\d{0,2}\])?")


@dataclass(frozen=True, slots=True)
class Selection:
    """The methods and tags a caller asked for. None is no wish, so everything passes."""

    methods: frozenset[str] | None = None
    tags: frozenset[str] | None = None

    def admits(self, operation: Operation) -> bool:
        return (self.methods is None or operation.method in self.methods) and (
            self.tags is None or not self.tags.isdisjoint(operation.tags)
        )


def read_selection(query: Mapping[str, str], catalogue: Iterable[Operation]) -> Selection:
    """The selection in a query string. Raises `invalid_request` for an unknown parameter, method or tag, naming what is known."""
    given: dict[str, set[str]] = {}
    for name, text in query.items():
        member = _MEMBER.fullmatch(name)
        if member is None:
            raise _refused("query", "Unknown parameter.", "The parameters are methods[0]=…, methods[1]=…, tags[0]=…, tags[1]=… .")
        given.setdefault(member[1], set()).update(word.strip() for word in text.split(","))
    known = {"methods": frozenset(METHODS), "tags": frozenset(tag for operation in catalogue for tag in operation.tags)}
    for name, words in given.items():
        if not words <= known[name]:
            raise _refused(name, f"Not one of the known {name}.", f"Known {name}: {', '.join(sorted(known[name]))}.")
    return Selection(*(frozenset(given[name]) if name in given else None for name in LISTS))


def offered(catalogue: Iterable[Operation], role: str, selection: Selection | None = None) -> tuple[Operation, ...]:
    """The operations for agents that a role permits and a selection admits, in the catalogue's order."""
    wanted = selection or Selection()
    return tuple(each for each in catalogue if each.agents and roles.may(role, each.permission) and wanted.admits(each))


def _refused(field: str, message: str, next: str) -> BillyError:
    return BillyError("invalid_request", "The filter cannot be read.", next=next, fields=({"field": field, "message": message},))

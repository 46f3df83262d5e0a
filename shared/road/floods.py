"""Refusals of nobody in particular, counted: the first few of an address leave a row each, the rest of a minute one row with their number.

Each instance counts for itself, in memory; a process that is killed takes the numbers of its last minute with it. What was refused
after somebody was known is never summed, and a flood of one kind hides nothing of another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from shared.actor import Actor, Origin
from shared.context import Context

FEW = 10  # rows of one address, surface and code that stand alone in a window
WINDOW = 60.0  # seconds
SINGLE = 200  # rows that stand alone in a window, of all addresses together
ADDRESSES = 100  # that are counted apart; what comes from more of them is one sum
ELSEWHERE = "elsewhere"

type Kind = tuple[str, str, str, str]  # surface, address or its network, code, the key that no longer works


@dataclass(slots=True)
class Flood:
    """The refusals of one kind in one window. `more` are those without a row. `who` is the holder of a key that was revoked or has expired."""

    origin: Origin
    code: str
    operation: str
    began: float
    who: Actor | None = None
    key_state: str | None = None
    rows: int = 0
    more: int = 0

    @property
    def kind(self) -> Kind:
        return self.origin.surface, _neighbourhood(self.origin.address), self.code, self.who.id if self.who else ""


def is_alone(context: Context, new: Flood) -> bool:
    """Whether this refusal gets a row of its own; where not, it is counted for the sum. `new` begins a window where there is none."""
    counted: dict[Kind, Flood] = context.counted
    kind: Kind = new.kind
    if kind not in counted and len(counted) >= ADDRESSES:
        kind, new = (ELSEWHERE, "", new.code, ""), Flood(Origin(new.origin.surface), new.code, new.operation, new.began)
    flood = counted.setdefault(kind, replace(new, origin=replace(new.origin, client=None)))
    if flood.operation != new.operation:
        flood.operation = "unknown"  # several were asked for
    if flood.rows < FEW and sum(each.rows for each in counted.values()) < SINGLE:
        flood.rows += 1
        return True
    flood.more += 1
    return False


def ended(context: Context, *, all: bool = False) -> Iterator[tuple[Kind, Flood]]:
    """Takes out the windows that are over, or `all`; those of which there is something to write."""
    until = context.seam.now() - WINDOW
    for kind, flood in list(context.counted.items()):
        if all or flood.began <= until:
            del context.counted[kind]
            if flood.more:
                yield kind, flood


def put_back(context: Context, kind: Kind, flood: Flood) -> None:
    """What could not be written is counted on."""
    other = context.counted.setdefault(kind, flood)
    if other is not flood:
        other.more += flood.more
        other.began = min(other.began, flood.began)


def _neighbourhood(address: str | None) -> str:
    """One caller has a whole /64 of addresses to call from."""
    if address is None or ":" not in address:
        return address or ""
    return str(ip_network((ip_address(address), 64), strict=False))

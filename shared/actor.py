"""Who acts, and from where."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a call came: the surface (`rest`, `mcp`, `timer`, `queue`, `setup`), the client's address and its name."""

    surface: str
    address: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """The one a decision is about. `id` is stable (`key_…`, or `system`); `name` is what people call it."""

    id: str
    name: str
    role: str
    kind: Literal["key", "system"]
    origin: Origin


def system(surface: str) -> Actor:
    """Billy itself: timers, queue functions and the set-up of a laptop."""
    return Actor(id="system", name="Agent Billy", role="owner", kind="system", origin=Origin(surface))

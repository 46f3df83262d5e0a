"""Who acts, and from where."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a call came: the surface (`rest`, `mcp`, `timer`, `queue`, `setup`), the client's address and its name."""

    surface: str
    address: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """The one a decision is about. `id` is stable (`key_…`, or `system`); `name` is what people call it.

    `lineage` is the identity that a rotated key shares with the keys it came from; without one it is the id. `record` names the
    record of the key that was shown, so that it can be asked once more whether it still works.
    """

    id: str
    name: str
    role: str
    kind: Literal["key", "system"]
    origin: Origin
    lineage: str = ""
    record: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> str:
        """Whose an intended change is."""
        return self.lineage or self.id


def system(surface: str) -> Actor:
    """Billy itself: timers, queue functions and the set-up of a laptop."""
    return Actor(id="system", name="Agent Billy", role="owner", kind="system", origin=Origin(surface))

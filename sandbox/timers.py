"""What happens by itself later: a refund that settles, a draft that is finalized. Kept in the store, run when the clock gets there."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.world import World

Rule = Callable[["World", str], None]
RULES: dict[str, Rule] = {}


def timer(name: str) -> Callable[[Rule], Rule]:
    """Register `rule(world, id)` under a name for `later`."""

    def register(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return register


def later(world: "World", seconds: int, name: str, id: str) -> None:
    """Run the rule of this name about this id once the sandbox's clock is `seconds` further."""
    world.store.db.execute(
        "INSERT INTO timers (at, name, id, livemode) VALUES (?, ?, ?, ?)", (world.clock.now() + seconds, name, id, world.livemode)
    )


def due(world: "World") -> bool:
    return world.store.db.execute("SELECT 1 FROM timers WHERE at <= ? LIMIT 1", (world.clock.now(),)).fetchone() is not None


def run(world: "World") -> None:
    """Run what is due in this world's mode, oldest first, including what that makes due."""
    db = world.store.db
    while row := db.execute(
        "SELECT rowid, name, id FROM timers WHERE at <= ? AND livemode = ? ORDER BY at, rowid LIMIT 1", (world.clock.now(), world.livemode)
    ).fetchone():
        db.execute("DELETE FROM timers WHERE rowid = ?", (row[0],))
        RULES[row[1]](world, row[2])

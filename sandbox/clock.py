"""The sandbox's time: the machine's clock plus what the control route advanced it by."""

import time
from collections.abc import Callable
from typing import Any

ADVANCED: list[Callable[[Any, int, int], None]] = []


class Clock:
    """Epoch seconds. `advance` moves it forward only."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def now(self) -> int:
        return int(time.time()) + self.offset

    def advance(self, seconds: int) -> None:
        self.offset += max(0, seconds)


def on_advance(rule: Callable[[Any, int, int], None]) -> Callable[[Any, int, int], None]:
    """Register `rule(world, before, after)`, called in one transaction when the clock is moved."""
    ADVANCED.append(rule)
    return rule

"""What happens to which request: queues for names that match a pattern, and a usual answer for the others."""

from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Self


class Script[T]:
    """Asked with anything whose `str()` names it: `POST /v1/refunds`, `records.insert attempts`.

    The first queue that matches and is not used up gives what comes next of it; after all of them `usual` does.
    """

    def __init__(self, usual: T | Callable[[], T]) -> None:
        self._usual = usual
        self._queues: list[tuple[str, deque[T]]] = []

    def add(self, match: str, *what: T) -> Self:
        """The next requests that match (`POST /v1/*`) meet these, in this order."""
        self._queues.append((match, deque(what)))
        return self

    def clear(self) -> None:
        self._queues.clear()

    def __call__(self, asked: object) -> T:
        name = str(asked)
        for match, queue in self._queues:
            if queue and fnmatchcase(name, match):
                return queue.popleft()
        return self._usual() if callable(self._usual) else self._usual

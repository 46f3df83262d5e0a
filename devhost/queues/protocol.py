"""What the host needs from a queue, whichever keeps it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A leased message. `body` is the text as it lies in the queue, still encoded; times are seconds since the epoch."""

    id: str
    body: str
    dequeue_count: int
    inserted: float
    expires: float
    next_visible: float
    pop_receipt: str


class Queues(Protocol):
    """Named queues, made when they are first used. A message is delivered at least once."""

    async def open(self) -> None:
        """Must be awaited once before anything else, in the loop that will use the queues."""
        ...

    async def put(self, queue: str, bodies: Sequence[str]) -> None:
        """Returns when every body is kept durably, in this order as far as the queue keeps one."""
        ...

    async def receive(self, queue: str, count: int, lease: float) -> list[Message]:
        """Leases at most `count` (up to 32) visible messages for `lease` seconds, oldest first; may answer none."""
        ...

    async def delete(self, queue: str, message: Message) -> bool:
        """Removes a message that is still leased by this receipt; False when the lease was lost meanwhile."""
        ...

    async def release(self, queue: str, message: Message, delay: float) -> bool:
        """Ends the lease: the message is visible again after `delay` seconds. False when the lease was lost."""
        ...

    async def extend(self, queue: str, message: Message, lease: float) -> Message | None:
        """Prolongs the lease to `lease` seconds from now and returns the message with its new receipt; None when lost."""
        ...

    async def move(self, queue: str, message: Message, target: str) -> None:
        """Puts a leased message into another queue and removes it from its own, never the other way round."""
        ...

    async def length(self, queue: str) -> int:
        """How many messages lie in the queue, leased and delayed ones included."""
        ...

    def arrival(self, queue: str) -> asyncio.Event:
        """Set whenever this process made a message of the queue visible; the waiter clears it."""
        ...

    async def close(self) -> None:
        """Ends after everything asked so far is done."""
        ...


class Arrivals:
    """One event per queue, set at once or after a delay; what both adapters answer `arrival` with."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def of(self, queue: str) -> asyncio.Event:
        if queue not in self._events:
            self._events[queue] = asyncio.Event()
        return self._events[queue]

    def announce(self, queue: str, delay: float = 0.0) -> None:
        if delay > 0:
            asyncio.get_running_loop().call_later(delay + 0.01, self.of(queue).set)
        else:
            self.of(queue).set()

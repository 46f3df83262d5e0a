"""A process that can be killed, or stand still for a while, between any two of its awaits of a store or of Stripe."""

import asyncio
import contextvars
from collections.abc import Coroutine, Mapping
from typing import Any

_current: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


class Killed(BaseException):
    """Nothing that runs in a process survives it; no code of ours catches this."""


class Process:
    """What runs inside it counts its steps: one when an await of a store or of Stripe begins, and one when it ends.

    With the step `dies_at` (the first is 1) it is dead, and so is everything in it that ever comes to a step again. What runs on without a
    step changes nothing outside. `trace` names the steps: `records.insert attempts ▸` before, `records.insert attempts ◂` after.

    With a step of `freezes_at` it stands still for so many virtual seconds, as a machine that is paused: what it was about to send leaves
    when it goes on, and no answer reaches it before. `freezes_on` does so with the first step of a name.
    """

    def __init__(
        self,
        name: str = "a",
        dies_at: int | None = None,
        freezes_at: Mapping[int, float] | None = None,
        freezes_on: Mapping[str, float] | None = None,
    ) -> None:
        self.name = name
        self.dies_at = dies_at
        self.freezes_at = freezes_at or {}
        self.freezes_on = dict(freezes_on or {})
        self.dead = False
        self._frozen_until = 0.0
        self.trace: list[str] = []

    def __repr__(self) -> str:
        return f"Process({self.name}, {self.steps} steps{', dead' if self.dead else ''})"

    @property
    def steps(self) -> int:
        return len(self.trace)

    @staticmethod
    def current() -> "Process | None":
        """The one in which this is asked."""
        return _current.get()

    def step(self, what: str) -> None:
        """Counts one. Raises `Killed` where the process is dead, or dies with it."""
        self.check()
        self.trace.append(what)
        if self.steps == self.dies_at:
            self.kill()
            self.check()
        if self.steps in self.freezes_at:
            self.freeze(self.freezes_at[self.steps])
        if what in self.freezes_on:
            self.freeze(self.freezes_on.pop(what))

    def check(self) -> None:
        """Raises `Killed` where the process is dead."""
        if self.dead:
            raise Killed(self.name)

    def kill(self) -> None:
        self.dead = True

    def freeze(self, seconds: float) -> None:
        self._frozen_until = asyncio.get_running_loop().time() + seconds

    @property
    def still(self) -> float:
        """Virtual seconds for which it stands still from now on."""
        return max(self._frozen_until - asyncio.get_running_loop().time(), 0.0)

    def start[T](self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Runs `work`, with all the tasks that it starts, inside the process."""
        context = contextvars.copy_context()
        context.run(_current.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` answers. Raises `Killed` where the process dies on the way."""
        return await self.start(work)


def outside() -> contextvars.Context:
    """A context in no process: what is on its way goes on when its sender dies."""
    return contextvars.Context()


def leave(what: str, process: Process | None) -> float:
    """The step at which something leaves the process, and the seconds after which it does. In no process nothing is counted."""
    if process is None:
        return 0.0
    process.step(f"{what} ▸")
    return process.still


async def enter(what: str, process: Process | None) -> None:
    """The step at which an answer reaches the process, once it does not stand still any more."""
    while process is not None and process.still:  # noqa: ASYNC110
        await asyncio.sleep(process.still)
    if process is not None:
        process.step(f"{what} ◂")

"""A store that is slow, away, or loses its answer; and whose callers can die between any two of their awaits."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, cast

from shared.errors import BillyError
from tests.road.process import Process, enter, leave, outside


def unavailable() -> Exception:
    """What every adapter raises where its engine cannot be reached."""
    return BillyError("unavailable", "The store cannot be reached.", next="Try again in a while.", retry_after=5)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one operation of a store meets; times are virtual seconds."""

    before: float = 0.0  # until the store gets it
    away: bool = False  # it never gets there, and the caller is told so
    after: float = 0.0  # until the caller has the answer
    lost: bool = False  # it is done, and the caller is told that the store is away
    lands: bool = False  # once sent it is done, also where its caller gives up or dies while it is on its way
    error: Callable[[], Exception] = unavailable


FINE = Trouble()


def Faulty[Store](store: Store, plan: Callable[[str], Trouble] = lambda _: FINE, process: Process | None = None, name: str = "") -> Store:
    """The store, each of whose asynchronous methods meets what `plan` answers to `records.insert attempts` (its name, and the collection).

    A step of `process`, or else of the one in which the caller runs, is counted before and after each of them.
    """
    return cast(Store, _Faulty(store, plan, process, name or type(store).__name__.lower()))


class _Faulty:
    def __init__(self, store: object, plan: Callable[[str], Trouble], process: Process | None, name: str) -> None:
        self._store = store
        self._plan = plan
        self._process = process
        self._name = name

    def __repr__(self) -> str:
        return f"Faulty({self._name})"

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._store, attribute)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **named: Any) -> Any:
            what = f"{self._name}.{attribute}"
            if given and isinstance(given[0], str):
                what += f" {given[0]}"
            return await self._call(what, lambda: found(*given, **named))

        self.__dict__[attribute] = call  # asked for once
        return call

    async def _call(self, what: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        process = self._process or Process.current()
        later, trouble = leave(what, process), self._plan(what)
        if later:
            trouble = replace(trouble, before=trouble.before + later, lands=True)
        on_its_way = _sent(trouble, work, None if trouble.lands else process)
        if trouble.lands:
            answer = await asyncio.shield(asyncio.get_running_loop().create_task(on_its_way, context=outside()))
        else:
            answer = await on_its_way
        await asyncio.sleep(trouble.after)
        await enter(what, process)
        if trouble.lost:
            raise trouble.error()
        if isinstance(answer, _Raised):
            raise answer.error
        return answer


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


async def _sent(trouble: Trouble, work: Callable[[], Coroutine[Any, Any, Any]], process: Process | None) -> Any:
    """The way there, and what the store makes of it. Dead senders' work does not arrive, unless it was to land."""
    await asyncio.sleep(trouble.before)
    if process is not None:
        process.check()
    if trouble.away:
        return _Raised(trouble.error())
    try:
        return await work()
    except Exception as error:
        return _Raised(error)

"""A store whose every call is a span of its own, named by the protocol: `mirror.get`, `records.insert`, `audit.append`."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from shared.telemetry.spans import span


def observed[Store](store: Store, protocol: str) -> Store:
    """The same store, seen from outside. Arguments and answers stay out of the span."""
    return cast(Store, _Observed(store, protocol))


class _Observed:
    def __init__(self, store: Any, protocol: str) -> None:
        self._store = store
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not iscoroutinefunction(found):
            return found
        call = cast(Callable[..., Awaitable[Any]], found)

        async def seen(*arguments: Any, **keywords: Any) -> Any:
            with span(f"{self._protocol}.{name}"):
                return await call(*arguments, **keywords)

        setattr(self, name, seen)
        return seen

"""Whether a Cosmos DB account shows to everybody what was written last, which every write relies on."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.errors import BillyError
from shared.stores.cosmos_layout import CONSISTENCY


class Consistency:
    """Asks the account before the first write of a process, and again before each until it was found strong.

    `ask` reads the account's default consistency, or None where it does not tell.
    """

    def __init__(self, ask: Callable[[], Awaitable[str | None]]) -> None:
        self._ask = ask
        self._is_strong = False
        self._asked = 0
        self._refusal: BaseException | None = None
        self._asking = asyncio.Lock()

    async def require(self) -> None:
        """Raises `unavailable` where a reader may be behind a writer, and what `ask` raises. Those who wait for an answer share it."""
        if self._is_strong:
            return
        asked = self._asked
        async with self._asking:
            if self._asked == asked:
                await self._learn()
                self._asked += 1
            if self._refusal is not None:
                raise self._refusal

    async def _learn(self) -> None:
        try:
            level = await self._ask()
        except Exception as error:
            self._refusal = error
            return
        self._is_strong = level == CONSISTENCY
        self._refusal = None if self._is_strong else _weak(level)


def _weak(level: str | None) -> BillyError:
    return BillyError(
        "unavailable",
        f"The store's account reads with the consistency {level or 'that it does not tell'}: what was written a moment ago may not be seen, "
        "so that a write could be done twice. Nothing is written.",
        next=f"Set the account's default consistency to {CONSISTENCY}, as the templates in infra/bicep do. Writes go on then by themselves.",
    )

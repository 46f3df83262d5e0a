"""The gateway to Stripe as a context holds it: opened on first use, and anew when the key has changed."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from shared.context import Stripe
from shared.entered import secret
from shared.errors import BillyError
from shared.settings import Settings
from shared.stores.protocols import Mirror, Records, Secrets

if TYPE_CHECKING:
    from shared.gateway.client import StripeGateway

SECRET = "stripe-api-key"  # noqa: S105 - the secret's name


class Closing(Protocol):
    async def close(self) -> None: ...


class Door:
    """`open` is the `stripe` of a context. `opened` are the stores beside it, closed in this order by `close_all`."""

    def __init__(self, settings: Settings, mirror: Mirror, records: Records, secrets: Secrets, opened: Sequence[Closing]) -> None:
        self._settings = settings
        self._secrets = secrets
        self._mirror = mirror
        self._records = records
        self._opened = opened
        self._key = ""
        self._gateway: StripeGateway | None = None
        self._opening = asyncio.Lock()  # two that open at once would close each other's connections

    async def open(self) -> Stripe:
        key = self._settings.stripe_api_key or cast(str | None, await secret(self._secrets, SECRET)) or ""
        if self._gateway is not None and key == self._key:
            return self._gateway
        async with self._opening:
            if self._gateway is None or key != self._key:
                await self._open_anew(key)
            assert self._gateway is not None
            return self._gateway

    async def _open_anew(self, key: str) -> None:
        from shared.gateway.account import pin
        from shared.gateway.client import StripeGateway

        if not key:
            raise BillyError(
                "unavailable", "No Stripe key is set.", next="Set BILLY_STRIPE_API_KEY to a restricted key (rk_test_… or rk_live_…)."
            )
        opened = StripeGateway(key, self._settings)
        try:
            await pin(self._records, self._mirror, opened, key)
        except BaseException:
            await opened.close()
            raise
        await self.close()
        self._gateway, self._key = opened, key

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.close()
            self._gateway = None

    async def close_all(self) -> None:
        """Also the stores that were opened beside it."""
        await self.close()
        for part in self._opened:
            await part.close()

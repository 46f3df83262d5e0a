"""The one place that knows which adapters run. The context is made on the first call that needs it, once a process."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from shared.context import Context, Seam, Stripe
from shared.errors import BillyError
from shared.settings import Settings, read_settings
from shared.stores.protocols import Secrets

if TYPE_CHECKING:
    from shared.gateway.client import StripeGateway

_made: Context | None = None
_making = asyncio.Lock()


async def context() -> Context:
    """The process's context."""
    global _made
    if _made is None:
        async with _making:
            if _made is None:
                _made = await make_context(read_settings())
    return _made


async def make_context(settings: Settings, seam: Seam | None = None) -> Context:
    """A context of its own over the stores that the settings choose. Close it with `close_context`."""
    if settings.store != "embedded":
        raise BillyError("unavailable", "The Azure stores are not built yet.", next="Set BILLY_STORE=embedded.")
    from shared.stores.local_secrets import LocalSecrets
    from shared.stores.sqlite_audit import SqliteAuditLog
    from shared.stores.sqlite_mirror import SqliteMirror
    from shared.stores.sqlite_records import SqliteRecords

    folder = _folder(settings)
    secrets = LocalSecrets.open(folder)
    door = _Door(settings, secrets)
    return Context(
        settings=settings,
        mirror=SqliteMirror.open(folder),
        records=SqliteRecords.open(folder),
        audit=SqliteAuditLog.open(folder),
        secrets=secrets,
        stripe=door.open,
        seam=seam or Seam(),
    )


def _folder(settings: Settings) -> Path:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.home


async def close_context(made: Context) -> None:
    """Closes the stores and the connections of a context."""
    for part in (made.mirror, made.records, made.audit):
        await part.close()  # type: ignore[attr-defined]
    door = made.stripe.__self__  # type: ignore[attr-defined]
    await door.close()


class _Door:
    """The gateway to Stripe, opened on first use, and anew when the key has changed."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._key = ""
        self._gateway: StripeGateway | None = None

    async def open(self) -> Stripe:
        key = self._settings.stripe_api_key or await self._secrets.get("stripe-api-key") or ""
        if self._gateway is None or key != self._key:
            from shared.gateway.client import StripeGateway

            if not key:
                raise BillyError(
                    "unavailable", "No Stripe key is set.", next="Set BILLY_STRIPE_API_KEY to a restricted key (rk_test_… or rk_live_…)."
                )
            await self.close()
            self._gateway, self._key = StripeGateway(key, self._settings), key
        return self._gateway

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.close()
            self._gateway = None

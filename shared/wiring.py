"""The one place that knows which adapters run. The context is made on the first call that needs it, once a process."""

import asyncio
from pathlib import Path

from shared.context import Context, Seam, Stripe
from shared.errors import BillyError
from shared.settings import Settings, read_settings

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

    folder = Path(settings.home)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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

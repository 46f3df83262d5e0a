"""The one place that knows which adapters run. The context is made on the first call that needs it, once a process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shared.context import Context, Seam, Stripe
from shared.errors import BillyError
from shared.settings import Settings, read_destination, read_settings
from shared.stores.protocols import AuditLog, Mirror, Queues, Records, Secrets
from shared.telemetry.invocation import began
from shared.telemetry.observed import observed
from shared.telemetry.spans import are_recorded

if TYPE_CHECKING:
    import azure.functions as func

    from shared.gateway.client import StripeGateway
    from shared.telemetry.exporting import Exporting


class _Closing(Protocol):
    async def close(self) -> None: ...


BELIEVED = 30.0  # seconds; a request to the audit log for each call would make every call slower
TOGETHER = 500  # expired records deleted in one transaction, which other writes wait for
PURGES = 100  # such transactions in one call

_made: Context | None = None
_life: AsyncGenerator[Context] | None = None
_making = asyncio.Lock()
_exporting: "Exporting | None" = None


@asynccontextmanager
async def invocation(host: "func.Context") -> AsyncGenerator[Context]:
    """The process's context for one invocation, which is a span of the host's trace. Raises `BillyError` alone."""
    export_telemetry()
    with began(host.function_name, host.trace_context.trace_parent, Seam()):
        yield await context()


def export_telemetry() -> None:
    """Sends what Billy tells of itself to where the environment says. The SDK is loaded by the first call, and only where there is such a place."""
    global _exporting
    if _exporting is None and (destination := read_destination()):
        from shared.telemetry.exporting import Exporting

        _exporting = Exporting(destination, Seam().id("ins"))


async def context() -> Context:
    """The process's context."""
    global _made, _life
    if _made is None:
        async with _making:
            if _made is None:
                _life = _living(await make_context(read_settings()))
                _made = await anext(_life)
    return _made


async def _living(made: Context) -> AsyncGenerator[Context]:
    """Nobody tells an app that its host ends; but a loop that ends ends its generators, and so the connections are closed."""
    try:
        yield made
    finally:
        await close_context(made)


async def make_context(settings: Settings, seam: Seam | None = None) -> Context:
    """A context of its own over the stores that the settings choose. Close it with `close_context`."""
    seam = seam or Seam()
    parts = await (_embedded(settings, seam) if settings.store == "embedded" else _azure(settings, seam))
    seen = observed if are_recorded() else _as_it_is
    return Context(
        settings=settings,
        mirror=seen(parts.mirror, "mirror"),
        records=seen(parts.records, "records"),
        audit=seen(parts.audit, "audit"),
        secrets=seen(parts.secrets, "secrets"),
        queues=parts.queues,
        stripe=_Door(settings, parts).open,
        shown=_witness,
        believed=0.0 if settings.store == "embedded" else BELIEVED,
        seam=seam,
    )


async def _witness(context: Context, kind: str, values: Sequence[Mapping[str, Any]]) -> None:
    """What Stripe shows of an attempt goes to the road, which is loaded with the first of it."""
    from shared.road.shown import witness

    await witness(context, kind, values)


def _as_it_is[Store](store: Store, protocol: str) -> Store:
    return store


async def repair(made: Context) -> int:
    """Ends what crashes have left in the mirror, and tells how many objects it met: 0 where a store changes all at once.

    Gives back the place of records whose time is over, where the engine does not do so itself.
    """
    purge = getattr(made.records, "purge", None)
    if purge is not None:
        for _ in range(PURGES):
            if await purge(TOGETHER) < TOGETHER:
                break
    mend = getattr(made.mirror, "repair", None)
    return int(await mend()) if mend is not None else 0


@dataclass(frozen=True, slots=True)
class _Parts:
    mirror: Mirror
    records: Records
    audit: AuditLog
    secrets: Secrets
    opened: tuple[_Closing, ...]  # closed in this order
    queues: Queues | None = None


async def _local_secrets(settings: Settings, seam: Seam) -> Secrets:
    """The secrets of a laptop, with that of the audit log's digests drawn where there is none. In Azure a person sets it."""
    from shared.road.digests import SECRET, first_version
    from shared.stores.local_secrets import LocalSecrets

    local = LocalSecrets.open(_folder(settings))
    with suppress(BillyError):  # a file that cannot be read is told to who needs a secret
        if await local.get(SECRET) is None:
            await local.set(SECRET, first_version(seam.token(32)))
    return local


async def _embedded(settings: Settings, seam: Seam) -> _Parts:
    from shared.stores.sqlite_audit import SqliteAuditLog
    from shared.stores.sqlite_mirror import SqliteMirror
    from shared.stores.sqlite_records import SqliteRecords

    folder = _folder(settings)
    mirror, records, audit = SqliteMirror.open(folder), SqliteRecords.open(folder, seam.now), SqliteAuditLog.open(folder)
    return _Parts(mirror, records, audit, await _local_secrets(settings, seam), (mirror, records, audit))


async def _azure(settings: Settings, seam: Seam) -> _Parts:
    """The stores in Azure, as the managed identity; or emulators on this machine, each with its key."""
    from shared.stores.cosmos import CosmosAccount
    from shared.stores.cosmos_mirror import CosmosMirror
    from shared.stores.cosmos_records import CosmosRecords
    from shared.stores.identity import is_loopback, managed_identity
    from shared.stores.keyvault import KeyVaultSecrets
    from shared.stores.queues import StorageQueues
    from shared.stores.tables import TablesAuditLog

    given = {"BILLY_COSMOS_ENDPOINT": settings.cosmos_endpoint, "BILLY_TABLES_ENDPOINT": settings.tables_endpoint}
    missing = [name for name, value in given.items() if not value]
    emulated = not missing and all(is_loopback(value) for value in given.values())
    if not settings.key_vault_url and not emulated:
        missing.append("BILLY_KEY_VAULT_URL")
    if missing:
        raise BillyError("unavailable", "The stores in Azure have no address.", next=f"Set {', '.join(missing)}.")
    if (settings.cosmos_key or settings.tables_key) and not emulated:
        raise BillyError("unavailable", "A key is for an emulator on this machine.", next="Unset BILLY_COSMOS_KEY and BILLY_TABLES_KEY.")
    identity = managed_identity(settings.identity_client_id)
    account = CosmosAccount(settings.cosmos_endpoint, settings.cosmos_key or identity)
    audit = TablesAuditLog.open(settings.tables_endpoint, settings.tables_key or identity)
    vault = KeyVaultSecrets.open(settings.key_vault_url, identity, seam.now) if settings.key_vault_url else None
    if emulated:
        await account.create_missing()
        await audit.create()
    queues = StorageQueues.open(settings.queues_endpoint, settings.tables_key or identity) if settings.queues_endpoint else None
    opened = (account, audit, *((vault,) if vault else ()), *((queues,) if queues else ()), identity)
    return _Parts(CosmosMirror(account), CosmosRecords(account), audit, vault or await _local_secrets(settings, seam), opened, queues)


def _folder(settings: Settings) -> Path:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.home


async def close_context(made: Context) -> None:
    """Closes the stores and the connections of a context, once what was counted is written."""
    if made.counted:
        from shared.road.trail import write_sums

        await write_sums(made, all=True)
    door = made.stripe.__self__  # type: ignore[attr-defined]
    await door.close_all()


class _Door:
    """The gateway to Stripe, opened on first use, and anew when the key has changed."""

    def __init__(self, settings: Settings, parts: _Parts) -> None:
        self._settings = settings
        self._secrets = parts.secrets
        self._records = parts.records
        self._opened = parts.opened
        self._key = ""
        self._gateway: StripeGateway | None = None
        self._opening = asyncio.Lock()  # two that open at once would close each other's connections

    async def open(self) -> Stripe:
        key = self._settings.stripe_api_key or await self._secrets.get("stripe-api-key") or ""
        if self._gateway is not None and key == self._key:
            return self._gateway
        async with self._opening:
            if self._gateway is None or key != self._key:
                await self._open_anew(key)
            assert self._gateway is not None
            return self._gateway

    async def _open_anew(self, key: str) -> None:
        from shared.gateway.client import StripeGateway
        from shared.gateway.mode import check_mode

        if not key:
            raise BillyError(
                "unavailable", "No Stripe key is set.", next="Set BILLY_STRIPE_API_KEY to a restricted key (rk_test_… or rk_live_…)."
            )
        opened = StripeGateway(key, self._settings)
        await check_mode(self._records, opened.livemode)
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

"""The one place that knows which adapters run. The context is made on the first call that needs it, once a process."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from shared import entered
from shared.context import Context, Seam
from shared.errors import BillyError
from shared.gateway.door import Closing, Door
from shared.settings import VERSION, Settings, SettingsRefused, Told, read_destination, read_settings, weakened
from shared.settings import sync_schedule as sync_schedule  # which an app needs while it is indexed
from shared.stores.protocols import AuditLog, Mirror, Queues, Records, Secrets
from shared.telemetry.correlation import Trace, begun_by
from shared.telemetry.invocation import began
from shared.telemetry.lines import say
from shared.telemetry.observed import observed
from shared.telemetry.spans import are_recorded

if TYPE_CHECKING:
    import azure.functions as func

    from shared.telemetry.exporting import Exporting


BELIEVED = 30.0  # seconds; a request to the audit log for each call would make every call slower
TOGETHER = 500  # expired records deleted in one transaction, which other writes wait for
PURGES = 100  # such transactions in one call

_settings: Settings | tuple[Told, ...] | None = None  # or what is wrong with them; once a process
_made: Context | None = None
_life: AsyncGenerator[Context] | None = None
_making = asyncio.Lock()
_exporting: "Exporting | Literal[False] | None" = None  # False: it was tried, and failed


def trace(host: "func.Context") -> Trace:
    """A trace of its own for one invocation; what the host hands over, which a caller may have drawn, is its parent."""
    return begun_by(host.trace_context.trace_parent, Seam().bits)


@asynccontextmanager
async def invocation(host: "func.Context", within: Trace | None = None) -> AsyncGenerator[Context]:
    """The process's context for one invocation, in the trace `within` or one of its own. Raises `BillyError` alone."""
    export_telemetry()
    _read_settings()  # what is wrong with them was said once, and is not said with every call
    with began(host.function_name, within or trace(host), Seam()):
        yield await context()


def export_telemetry() -> None:
    """Sends what Billy tells of itself to where the environment says. The SDK is loaded by the first call, and only where there is such a place.

    A destination that cannot be had is told in one line, and hinders nothing.
    """
    global _exporting
    if _exporting is None and (destination := read_destination()):
        try:
            from shared.telemetry.exporting import Exporting

            _exporting = Exporting(destination, Seam().id("ins"))
        except Exception as failure:
            _exporting = False
            say(logging.ERROR, "billy.telemetry_failed", error=type(failure).__name__)


def wrong_settings() -> tuple[Told, ...]:
    """The settings that are not what is needed, with what they take. Nothing is served while there is one."""
    global _settings
    if _settings is None:
        try:
            _settings = read_settings()
        except SettingsRefused as refused:
            _settings = refused.wrong
            say(logging.ERROR, "billy.settings_wrong", settings=str(refused))
    return _settings if isinstance(_settings, tuple) else ()


def _read_settings() -> Settings:
    wrong_settings()
    if not isinstance(_settings, Settings):
        raise BillyError("unavailable", "A setting of this deployment is wrong.", next="Ask GET /api/health which one, and mend it.")
    return _settings


async def context() -> Context:
    """The process's context. Raises `unavailable` while a setting is wrong."""
    global _made, _life
    if _made is None:
        async with _making:
            if _made is None:
                settings = _read_settings()
                _life = _living(await make_context(settings))
                _made = await anext(_life)
                opened = ", ".join(each.name for each in weakened(settings))
                level = logging.WARNING if opened else logging.INFO
                say(level, "billy.started", version=VERSION, store=settings.store, weakened=opened or None)
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
        stripe=Door(settings, parts.mirror, parts.records, parts.secrets, parts.opened).open,
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
    opened: tuple[Closing, ...]  # closed in this order
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
    async with _all_or_none() as opened:
        opened.append(mirror := SqliteMirror.open(folder))
        opened.append(records := SqliteRecords.open(folder, seam.now))
        opened.append(audit := SqliteAuditLog.open(folder))
        return _Parts(mirror, records, audit, await _local_secrets(settings, seam), tuple(opened))


async def _azure(settings: Settings, seam: Seam) -> _Parts:
    """The stores in Azure, as the managed identity; or emulators on this machine, each with its key."""
    from shared.stores.cosmos import CosmosAccount
    from shared.stores.cosmos_mirror import CosmosMirror
    from shared.stores.cosmos_records import CosmosRecords
    from shared.stores.identity import managed_identity
    from shared.stores.keyvault import KeyVaultSecrets
    from shared.stores.queues import StorageQueues
    from shared.stores.tables import TablesAuditLog

    given = {"BILLY_COSMOS_ENDPOINT": settings.cosmos_endpoint, "BILLY_TABLES_ENDPOINT": settings.tables_endpoint}
    missing = [name for name, value in given.items() if not value]
    emulated = not missing and all(entered.is_loopback(value) for value in given.values())
    if not settings.key_vault_url and not emulated:
        missing.append("BILLY_KEY_VAULT_URL")
    if missing:
        raise BillyError("unavailable", "The stores in Azure, which BILLY_STORE chose, have no address.", next=f"Set {', '.join(missing)}.")
    if (settings.cosmos_key or settings.tables_key) and not emulated:
        raise BillyError("unavailable", "A key is for an emulator on this machine.", next="Unset BILLY_COSMOS_KEY and BILLY_TABLES_KEY.")
    async with _all_or_none() as opened:
        opened.append(identity := managed_identity(settings.identity_client_id))
        opened.append(account := CosmosAccount(settings.cosmos_endpoint, settings.cosmos_key or identity))
        opened.append(audit := TablesAuditLog.open(settings.tables_endpoint, settings.tables_key or identity))
        secrets, queues = None, None
        if settings.key_vault_url:
            opened.append(secrets := KeyVaultSecrets.open(settings.key_vault_url, identity, seam.now))
        if settings.queues_endpoint:
            opened.append(queues := StorageQueues.open(settings.queues_endpoint, settings.tables_key or identity))
        if emulated:
            await account.create_missing()
            await audit.create()
        secrets = secrets or await _local_secrets(settings, seam)
        return _Parts(CosmosMirror(account), CosmosRecords(account), audit, secrets, tuple(reversed(opened)), queues)


@asynccontextmanager
async def _all_or_none() -> AsyncGenerator[list[Closing]]:
    """What is opened within is closed again where the start fails half of the way."""
    opened: list[Closing] = []
    try:
        yield opened
    except BaseException:
        for part in reversed(opened):
            with suppress(Exception):  # the start's own failure is what is told
                await part.close()
        raise


def _folder(settings: Settings) -> Path:
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        raise BillyError(
            "unavailable", "The folder of the stores cannot be used.", next="Set BILLY_HOME to a folder that can be written."
        ) from None
    return settings.home


async def close_context(made: Context) -> None:
    """Closes the stores and the connections of a context, once what was counted is written."""
    if made.counted:
        from shared.road.trail import write_sums

        await write_sums(made, all=True)
    door = made.stripe.__self__  # type: ignore[attr-defined]
    await cast(Door, door).close_all()

"""The environment, read in one place. `local.settings.sample.json` shows every name."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from shared import entered
from shared.entered import Reader, Unfit
from shared.schedules import read_schedule

VERSION = "0.1.0"
STRIPE = "https://api.stripe.com"  # Stripe's own address, and the only one that a live key goes to


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting Billy knows. The environment name of a field is `BILLY_` and the field in capitals."""

    store: Literal["embedded", "azure"] = "embedded"
    home: Path = Path(".billy")  # where the embedded stores live
    identity_client_id: str = ""  # the managed identity's client id; empty: the app's only one
    cosmos_endpoint: str = ""  # the mirror and the records
    cosmos_key: str = ""  # an emulator's, on this machine alone; Azure takes the identity
    tables_endpoint: str = ""  # the account of the audit log
    tables_key: str = ""  # an emulator's, on this machine alone
    queues_endpoint: str = ""  # the account of the queues, to measure how much waits; empty: not measured
    key_vault_url: str = ""  # empty only beside emulators: then secrets lie in BILLY_HOME
    stripe_api_base: str = STRIPE  # the sandbox's address on a laptop
    stripe_api_key: str = ""  # overrides the stored secret; never written anywhere
    stripe_webhook_secret: str = ""  # overrides the stored secrets; several are separated by commas
    allow_secret_key: bool = False  # accept an unrestricted sk_ key, with a standing warning
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")  # host names that /mcp answers to
    allowed_origins: tuple[str, ...] = ()  # browser origins that may call; none by default
    trusted_proxies: tuple[str, ...] = ()  # who is believed in X-Forwarded-For: azure, and addresses or networks; none by default
    webhook_tolerance: int = 300  # seconds a signature's timestamp may lie in the past or the future
    sync_schedule: str = "0 17 */6 * * *"  # NCRONTAB of the timed backfill
    sync_concurrency: int = 4  # Stripe list requests under way at once
    sync_requests_per_second: int = 20  # below Stripe's 25 a second for sandboxes and single endpoints


READERS: dict[str, Reader] = {
    "store": entered.choice("embedded", "azure"),
    "home": Reader(entered.PATH.takes, lambda text: Path(str(entered.PATH.read(text)))),
    "identity_client_id": entered.CLIENT_ID,
    "cosmos_endpoint": entered.address("the https address of the Cosmos account, without a path"),
    "cosmos_key": entered.EMULATORS_KEY,
    "tables_endpoint": entered.address("the https address of the account's table service, without a path", path=True),
    "tables_key": entered.EMULATORS_KEY,
    "queues_endpoint": entered.address("the https address of the account's queue service, without a path", path=True),
    "key_vault_url": entered.address("the https address of the vault, without a path"),
    "stripe_api_base": entered.address(f"{STRIPE}, or for test keys alone another https address, or http on this machine"),
    "stripe_api_key": entered.SECRETS["stripe-api-key"],
    "stripe_webhook_secret": Reader(
        entered.SECRETS["stripe-webhook-secrets"].takes,
        lambda text: ",".join(cast(tuple[str, ...], entered.SECRETS["stripe-webhook-secrets"].read(text))),
    ),
    "allow_secret_key": entered.flag(),
    "allowed_hosts": entered.HOSTS,
    "allowed_origins": entered.ORIGINS,
    "trusted_proxies": entered.PROXIES,
    "webhook_tolerance": entered.number(30, 600, " of seconds"),
    "sync_schedule": Reader("an NCRONTAB schedule of six fields, such as 0 17 */6 * * *", read_schedule),
    "sync_concurrency": entered.number(1, 100),
    "sync_requests_per_second": entered.number(1, 10_000),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A setting or a secret by its name, with what it takes or what it opens. Its value is nowhere."""

    name: str
    says: str


class SettingsRefused(ValueError):
    """Some settings are not what is needed. Its text names them with what they take, never with their values."""

    def __init__(self, wrong: tuple[Told, ...]) -> None:
        super().__init__("; ".join(f"{each.name} is {each.says}" for each in wrong))
        self.wrong = wrong


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; what is blank is left out. Raises `SettingsRefused`, a `ValueError`, for all that is wrong at once."""
    source = os.environ if environment is None else environment
    given: dict[str, Any] = {}
    wrong: list[Told] = []
    for field in fields(Settings):
        text = entered.trimmed(source.get(variable(field.name)) or "")
        if not text:
            continue
        try:
            value = READERS[field.name].read(text)
        except Unfit:
            wrong.append(Told(variable(field.name), READERS[field.name].takes))
            continue
        if value != ():
            given[field.name] = value
    settings = Settings(**given)
    if is_live(settings.stripe_api_key) and settings.stripe_api_base != STRIPE:
        wrong.append(Told(variable("stripe_api_base"), f"{STRIPE} beside a live key, which goes nowhere else"))
    if wrong:
        raise SettingsRefused(tuple(wrong))
    return settings


def variable(field: str) -> str:
    return f"BILLY_{field.upper()}"


def is_live(key: str) -> bool:
    return key.startswith(("rk_live_", "sk_live_"))


def sync_schedule() -> str:
    """The schedule of the environment, or the default where that is none: an app is indexed whatever its settings hold."""
    text = entered.trimmed(os.environ.get(variable("sync_schedule"), ""))
    try:
        return read_schedule(text) if text else Settings().sync_schedule
    except Unfit:
        return Settings().sync_schedule


def weakened(settings: Settings) -> tuple[Told, ...]:
    """The settings that open a guard farther than it is by itself, each with what it opens."""
    usual = Settings()
    opened = {
        "stripe_api_base": (settings.stripe_api_base != STRIPE, "Stripe's test key goes to another address than Stripe's"),
        "allow_secret_key": (settings.allow_secret_key, "an unrestricted Stripe key is accepted"),
        "allowed_origins": (bool(settings.allowed_origins), "web pages of other origins may call"),
        "trusted_proxies": (bool({*settings.trusted_proxies} - {"azure"}), "other proxies than Azure's say from which address a call came"),
        "webhook_tolerance": (settings.webhook_tolerance > usual.webhook_tolerance, "a signed delivery may be repeated for longer"),
    }
    return tuple(Told(variable(name), says) for name, (is_open, says) in opened.items() if is_open)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes, by the names that Azure and OpenTelemetry gave their settings; an empty one sends nothing."""

    application_insights: str = ""  # APPLICATIONINSIGHTS_CONNECTION_STRING
    collector: str = ""  # OTEL_EXPORTER_OTLP_ENDPOINT; the exporter reads it, and what else OpenTelemetry knows, by itself
    share: float = 1.0  # of the traces that is kept, from OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG

    def __bool__(self) -> bool:
        return bool(self.application_insights or self.collector)


def read_destination(environment: Mapping[str, str] | None = None) -> Destination:
    """The destination that the environment names. What cannot be read keeps every trace: telemetry turns nobody away."""
    source = os.environ if environment is None else environment
    texts = (entered.trimmed(source.get(name) or "") for name in ("APPLICATIONINSIGHTS_CONNECTION_STRING", "OTEL_EXPORTER_OTLP_ENDPOINT"))
    return Destination(*texts, share=_share(source))


def _share(source: Mapping[str, str]) -> float:
    sampler = entered.trimmed(source.get("OTEL_TRACES_SAMPLER") or "").lower().removeprefix("parentbased_")
    share = entered.trimmed(source.get("OTEL_TRACES_SAMPLER_ARG") or "")
    if sampler == "always_off":
        return 0.0
    if sampler == "traceidratio" and re.fullmatch(r"0?\.[0-9]{1,9}|[01](\.0{1,9})?", share, re.ASCII):
        return float(share)
    return 1.0

"""The environment, read in one place. `local.settings.sample.json` shows every name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

VERSION = "0.1.0"


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
    stripe_api_base: str = "https://api.stripe.com"  # the sandbox's address on a laptop
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


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes, by the names that Azure and OpenTelemetry gave their settings; an empty one sends nothing."""

    application_insights: str = ""  # APPLICATIONINSIGHTS_CONNECTION_STRING
    collector: str = ""  # OTEL_EXPORTER_OTLP_ENDPOINT; the exporter reads it, and what else OpenTelemetry knows, by itself

    def __bool__(self) -> bool:
        return bool(self.application_insights or self.collector)


def read_destination(environment: Mapping[str, str] | None = None) -> Destination:
    """The destination that the environment names."""
    source = os.environ if environment is None else environment
    return Destination(source.get("APPLICATIONINSIGHTS_CONNECTION_STRING", ""), source.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. Raises `ValueError` naming the variable, never its value."""
    source = os.environ if environment is None else environment
    given: dict[str, object] = {}
    for field in fields(Settings):
        raw = source.get(f"BILLY_{field.name.upper()}")
        if raw is None or raw == "":
            continue
        given[field.name] = _parsed(field.name, raw)
    return Settings(**given)  # type: ignore[arg-type]


def _parsed(name: str, raw: str) -> object:
    default = getattr(Settings(), name)
    variable = f"BILLY_{name.upper()}"
    if name == "store" and raw not in ("embedded", "azure"):
        raise ValueError(f"{variable} is either embedded or azure")
    if name == "trusted_proxies":
        return _proxies(variable, raw)
    if isinstance(default, bool):
        if raw.lower() not in ("true", "false"):
            raise ValueError(f"{variable} is either true or false")
        return raw.lower() == "true"
    if isinstance(default, int):
        if not raw.isdigit():
            raise ValueError(f"{variable} is a whole number")
        return int(raw)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return Path(raw) if isinstance(default, Path) else raw


def _proxies(variable: str, raw: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    named = tuple(part.strip().lower() for part in raw.split(",") if part.strip())
    try:
        for each in named:
            if each != "azure":
                ip_network(each, strict=False)
    except ValueError:
        raise ValueError(f"{variable} is azure, and addresses or networks such as 10.0.0.0/8, separated by commas") from None
    return named

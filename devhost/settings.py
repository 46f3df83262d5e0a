"""What configures a host: `host.json`, `local.settings.json`, and settings named between percent signs."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StartRefused(Exception):
    """The app cannot be served as it is; the text says which function or setting is at fault."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`extensions.queues` of host.json; durations in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    visibility_timeout: float = 0.0
    max_dequeue_count: int = 5
    max_polling_interval: float = 60.0
    message_encoding: str = "base64"


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What of host.json this host obeys."""

    route_prefix: str
    queues: QueueOptions


_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")


def timespan(text: str) -> float:
    """Seconds of a .NET TimeSpan such as `00:00:30` or `1.00:00:00`; ValueError for anything else."""
    found = _TIMESPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time span (hh:mm:ss)")
    days, hours, minutes, seconds = found.groups()
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


def read_host_options(app_dir: Path) -> HostOptions:
    """Reads `host.json`; StartRefused when it is missing, is not version 2.0 or holds a value the real host refuses."""
    path = app_dir / "host.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise StartRefused(f"{path} is missing") from None
    except ValueError as error:
        raise StartRefused(f"{path} is not JSON: {error}") from None
    if document.get("version") != "2.0":
        raise StartRefused(f'{path}: "version" must be "2.0"')
    extensions = document.get("extensions", {})
    prefix = extensions.get("http", {}).get("routePrefix", "api").strip("/")
    try:
        return HostOptions(prefix, _queue_options(extensions.get("queues", {})))
    except (TypeError, ValueError) as error:
        raise StartRefused(f"{path}: extensions.queues: {error}") from None


def _queue_options(raw: dict[str, Any]) -> QueueOptions:
    batch_size = _whole(raw, "batchSize", 16, least=1, most=32)
    encoding = str(raw.get("messageEncoding", "base64")).lower()
    if encoding not in ("base64", "none"):
        raise ValueError("messageEncoding must be base64 or none")
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=_whole(raw, "newBatchThreshold", batch_size // 2, least=0),
        visibility_timeout=timespan(raw.get("visibilityTimeout", "00:00:00")),
        max_dequeue_count=_whole(raw, "maxDequeueCount", 5, least=1),
        max_polling_interval=max(0.1, timespan(raw.get("maxPollingInterval", "00:01:00"))),
        message_encoding=encoding,
    )


def _whole(raw: dict[str, Any], name: str, default: int, *, least: int, most: int | None = None) -> int:
    number = raw.get(name, default)
    if not isinstance(number, int) or number < least or (most is not None and number > most):
        raise ValueError(f"{name} must be a whole number from {least}" + (f" to {most}" if most else ""))
    return number


def apply_local_settings(app_dir: Path) -> None:
    """Puts the "Values" of `local.settings.json`, when there is one, into the environment; what is set already wins."""
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")  # as Microsoft's own local host does
    path = app_dir / "local.settings.json"
    if not path.exists():
        return
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise StartRefused(f"{path} is not JSON: {error}") from None
    for name, setting in document.get("Values", {}).items():
        os.environ.setdefault(name, str(setting))


LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of a request, where no setting says otherwise. The real host's own default is 100 MiB, which eight strangers make most of a GiB of."""


def read_largest_body() -> int:
    """Bytes, from the real host's setting `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`; StartRefused for what is no number of bytes."""
    name = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
    text = os.environ.get(name, "").strip()
    if not text:
        return LARGEST_BODY
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise StartRefused(f"{name}: this is a number of bytes, such as {LARGEST_BODY}")
    return int(text)


def is_disabled(function: str) -> bool:
    """Whether an app setting turns the function off: `AzureWebJobs.NAME.Disabled`, or with `__` where a dot cannot be."""
    return any(os.environ.get(f"AzureWebJobs{dot}{function}{dot}Disabled", "").strip().lower() in ("true", "1") for dot in (".", "__"))


def expand(text: str, where: str) -> str:
    """Replaces `%NAME%` by the setting of that name; StartRefused, naming `where`, when there is none."""

    def setting(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise StartRefused(f"{where}: the setting {name} that %{name}% asks for does not exist")
        return os.environ[name]

    return re.sub(r"%([^%]+)%", setting, text)

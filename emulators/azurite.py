"""Azurite, Microsoft's emulator of Azure Storage: blobs, queues and tables, each at a port of its own."""

import re
from collections.abc import Mapping
from pathlib import Path

from emulators.packages import emulator_packages, node_bin

ACCOUNT = "devstoreaccount1"
SERVICES = ("blob", "queue", "table")
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://127\.0\.0\.1:\d+)")


def command(location: Path | None = None, ports: Mapping[str, int] | None = None) -> list[str]:
    """Its command line. Data lies in the folder `location`, or in memory without one; a service whose port is not given takes a free one.

    What lies in memory is written to the folder every five seconds, and at a SIGTERM: after a SIGKILL up to five seconds are lost.
    """
    script = emulator_packages() / "azurite" / "dist" / "src" / "azurite.js"
    line = [str(node_bin()), str(script), "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    line += ["--inMemoryPersistence"] if location is None else ["--location", str(location)]
    for service in SERVICES:
        line += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str((ports or {}).get(service, 0))]
    return line


def accounts(key: str) -> dict[str, str]:
    """What its environment needs to hold, so that `key` (base64) opens it, and not the one that is published with Azurite for everybody."""
    return {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"}


def addresses(said: str) -> dict[str, str] | None:
    """Where each service listens, of what Azurite said on standard output; None while one of them does not yet."""
    found = {service.lower(): address for service, address in _LISTENING.findall(said)}
    return found if len(found) == len(SERVICES) else None


def connection_string(found: Mapping[str, str], key: str) -> str:
    """What Azure's clients take, of `addresses` and the key of `accounts`."""
    endpoints = ";".join(f"{service.capitalize()}Endpoint={address}/{ACCOUNT}" for service, address in found.items())
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};{endpoints};"

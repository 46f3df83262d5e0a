"""Vercel's server of Cosmos DB's HTTP interface, over plain HTTP."""

import re
from pathlib import Path

from emulators.packages import emulator_packages, node_bin


def account(key: str) -> dict[str, str]:
    """What its environment needs to hold, so that only who signs with `key` (base64) is answered. Without it everybody is."""
    return {"COSMOS_ACCOUNT_KEY": key}


def command(file: Path | None = None, port: int = 0) -> list[str]:
    """Its command line; port 0 takes a free one.

    What it holds lies in memory, and with `file` (SQLite) there too before an answer is given: then nothing is lost, however the process ends.
    """
    package = emulator_packages() / "@vercel" / "cosmosdb-server"
    script = Path(__file__).with_name("cosmos_server.js")
    # The server says on standard error of what it cannot do; what Node says of node:sqlite being young is no news.
    return [str(node_bin()), "--disable-warning=ExperimentalWarning", str(script), str(package), str(port), *([str(file)] if file else [])]


def endpoint(said: str) -> str | None:
    """Where it listens, of what it said on standard output; None while it does not yet."""
    found = re.search(r"^\d+$", said, re.MULTILINE)
    return f"http://127.0.0.1:{found.group()}" if found else None

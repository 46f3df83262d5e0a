"""Vercel's server of Cosmos DB's HTTP interface, over plain HTTP."""

from pathlib import Path

from emulators.packages import emulator_packages, node_bin

KEY = "bm8gc2VjcmV0LCB0aGUgc3RhbmQtaW4gdGFrZXMgYW55"  # the server takes any


def command(file: Path | None = None, port: int = 0) -> list[str]:
    """Its command line; its first line on standard output is its port, of which 0 takes a free one.

    What it holds lies in memory, and with `file` (SQLite) there too before an answer is given: then nothing is lost, however the process ends.
    """
    package = emulator_packages() / "@vercel" / "cosmosdb-server"
    script = Path(__file__).with_name("cosmos_server.js")
    # The server says on standard error of what it cannot do; what Node says of node:sqlite being young is no news.
    return [str(node_bin()), "--disable-warning=ExperimentalWarning", str(script), str(package), str(port), *([str(file)] if file else [])]

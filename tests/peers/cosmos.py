"""Vercel's stand-in for Cosmos DB's HTTP interface, as a process of its own on loopback, over plain HTTP and in memory."""

import selectors
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.node import node_bin, node_env, node_modules

KEY = "bm8gc2VjcmV0LCB0aGUgc3RhbmQtaW4gdGFrZXMgYW55"  # the stand-in takes any
# Its own command closes the connection after each answer, which costs more than the answer. And its read of a document
# that is not there fails with 500, unless a header lets it past the comparison of partition keys: then it is 404 as in Azure.
_START = """
const { createHttpServer } = require(process.argv[1]);
const server = createHttpServer({ keepAlive: true });
server.keepAliveTimeout = 600000;
server.prependListener("request", (request) => {
  if (request.method === "GET") request.headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@contextmanager
def running_cosmos(home: Path, seconds: float = 60.0) -> Iterator[str]:
    """Yields the endpoint; the account is empty, and forgotten at the end. What the server says stands in `home`/cosmos.log."""
    home.mkdir(parents=True, exist_ok=True)
    package = node_modules() / "@vercel" / "cosmosdb-server"
    with open(home / "cosmos.log", "wb") as log:
        process = subprocess.Popen(
            [str(node_bin()), "-e", _START, str(package)], stdout=subprocess.PIPE, stderr=log, cwd=home, env=node_env()
        )
    assert process.stdout is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(seconds)
        port = process.stdout.readline().strip() if ready else b""
        if not port.isdigit():
            raise RuntimeError("The Cosmos server did not start:\n" + (home / "cosmos.log").read_text()[-3000:])
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        process.kill()  # it keeps nothing
        process.wait(timeout=30)
        process.stdout.close()

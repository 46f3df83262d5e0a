"""The Cosmos DB server for a test: a process of its own with everything in memory, ended without more ado."""

import selectors
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulators.cosmos import account, command
from emulators.packages import node_env

__all__ = ["KEY", "running_cosmos"]

KEY = "dGhlIGtleSBvZiBhIHRlc3QncyBDb3Ntb3M="


@contextmanager
def running_cosmos(home: Path, seconds: float = 60.0, *, file: Path | None = None, port: int = 0) -> Iterator[str]:
    """Yields the endpoint. The account is empty and forgotten at the end, unless it is kept in `file`. What the server says stands in
    `home`/cosmos.log."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "cosmos.log", "wb") as log:
        process = subprocess.Popen(command(file, port), stdout=subprocess.PIPE, stderr=log, cwd=home, env=node_env() | account(KEY))
    assert process.stdout is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(seconds)
        said = process.stdout.readline().strip() if ready else b""
        if not said.isdigit():
            raise RuntimeError("The Cosmos server did not start:\n" + (home / "cosmos.log").read_text()[-3000:])
        yield f"http://127.0.0.1:{int(said)}"
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()

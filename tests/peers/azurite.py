"""Azurite for a test: a process of its own, stopped at the end."""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from emulators.azurite import ACCOUNT, accounts, addresses, command, connection_string
from emulators.packages import node_env

__all__ = ["ACCOUNT", "KEY", "running_azurite"]

KEY = "dGhlIGtleSBvZiBhIHRlc3QncyBBenVyaXRl"


@contextmanager
def running_azurite(
    home: Path, seconds: float = 60.0, *, location: Path | None = None, ports: Mapping[str, int] | None = None
) -> Iterator[str]:
    """Blob, queue and table services, run in the folder `home`; yields the connection string. Data lies in memory, or in `location`."""
    process = subprocess.Popen(
        command(location, ports), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home, env=node_env() | accounts(KEY)
    )
    try:
        yield connection_string(_addresses(process, seconds), KEY)
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


def _addresses(process: subprocess.Popen[str], seconds: float) -> dict[str, str]:
    """What Azurite says of where each of its three services listens; its output is read on to the end, unseen."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    said, deadline = "", monotonic() + seconds
    while (found := addresses(said)) is None:
        try:
            line = lines.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            raise RuntimeError(f"Azurite did not start within {seconds} s: {said}") from None
        if not line:
            raise RuntimeError(f"Azurite ended: {said}")
        said += line
    return found

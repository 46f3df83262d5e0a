"""Azurite, Microsoft's emulator of Azure Storage, as a process of its own on loopback."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from tests.peers.node import node_bin, node_env, node_modules

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # published with Azurite, for everybody
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://127\.0\.0\.1:\d+)")


@contextmanager
def running_azurite(home: Path, seconds: float = 60.0) -> Iterator[str]:
    """Blob, queue and table services with their data in memory, run in the folder `home`; yields the connection string."""
    script = node_modules() / "azurite" / "dist" / "src" / "azurite.js"
    command = [str(node_bin()), str(script), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    for service in ("blob", "queue", "table"):
        command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home, env=node_env())
    try:
        addresses = _addresses(process, seconds)
        endpoints = ";".join(f"{service}Endpoint={address}/{ACCOUNT}" for service, address in addresses.items())
        yield f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints};"
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
    said, found, deadline = "", {}, monotonic() + seconds
    while len(found) < 3:
        try:
            line = lines.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            raise RuntimeError(f"Azurite did not start within {seconds} s: {said}") from None
        if not line:
            raise RuntimeError(f"Azurite ended: {said}")
        said += line
        if match := _LISTENING.search(line):
            found[match.group(1)] = match.group(2)
    return found

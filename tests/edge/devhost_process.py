"""Runs the local host as a process of its own, on a free port, around an app."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from devhost.queues.embedded_sql import queue_lengths

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_APP = Path(__file__).parent / "app"
NEVER = "0 0 0 1 1 *"


@dataclass
class RunningHost:
    url: str
    home: Path
    process: subprocess.Popen[str]
    client: httpx.Client

    @property
    def journal(self) -> list[str]:
        """What the sample app noted, one line each; a line that a kill cut short is left out."""
        path = self.home / "journal.txt"
        return [line for line in path.read_text().split("\n")[:-1] if line] if path.exists() else []

    @property
    def log(self) -> str:
        return (self.home / "host.log").read_text()

    @property
    def master_key(self) -> str:
        return json.loads((self.home / "keys.json").read_text())["master"]

    def lengths(self) -> dict[str, int]:
        """Messages in the embedded queues."""
        return queue_lengths(self.home / "queue.sqlite")

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Looks again and again until the condition holds; AssertionError says what did not happen in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def environment(home: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AzureWebJobs", "SAMPLE_"))}
    ours = {
        "PYTHONPATH": str(ROOT),
        "SAMPLE_JOURNAL": str(home / "journal.txt"),
        "SAMPLE_QUEUE": "work",
        "SAMPLE_TICK": NEVER,
        "AzureWebJobsStorage": "",
    }
    return inherited | ours | settings


@contextmanager
def running_host(home: Path, *options: str, app: Path = SAMPLE_APP, **settings: str) -> Iterator[RunningHost]:
    """The host, ready to answer; stopped at the end if it still runs."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "devhost", "--app", str(app), "--port", "0", "--home", str(home), *options]
    with (home / "host.log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(home, **settings))
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Listening on "), (home / "host.log").read_text()
        with httpx.Client(base_url=line.split()[-1], timeout=30) as client:
            yield RunningHost(line.split()[-1], home, process, client)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
        process.stdout.close()


def refusal(home: Path, app: Path, **settings: str) -> str:
    """What the host says of an app that it does not serve."""
    command = [sys.executable, "-m", "devhost", "--app", str(app), "--port", "0", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(home, **settings), timeout=60, check=False)
    assert done.returncode == 1, f"served or crashed: {done.returncode} {done.stdout} {done.stderr}"
    assert "Listening" not in done.stdout
    return done.stderr

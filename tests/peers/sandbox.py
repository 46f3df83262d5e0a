"""A sandbox of its own for a test: the real process on a free port, stopped at the end."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import stripe

ROOT = Path(__file__).resolve().parents[2]


# The control tokens of the sandboxes that this process has started or has read of in a run.json, by address.
TOKENS: dict[str, str] = {}


def control(url: str, method: str, name: str, wanted: Any = None) -> httpx.Response:
    """A call of `/_sandbox/NAME` with the token that goes with the address."""
    headers = {"sandbox-token": TOKENS[url]}
    return httpx.request(method, f"{url}/_sandbox/{name}", json=wanted, headers=headers, timeout=120, trust_env=False)


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """`url` has no slash at the end."""

    url: str
    process: subprocess.Popen[bytes]
    home: Path
    token: str

    def kill(self) -> None:
        """As a power cut would: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def start(home: Path, *, timeout: float = 60, **options: object) -> RunningSandbox:
    """Start `python -m sandbox --home HOME`; options such as `seed=1, scale=0.1, port=0` become flags. Raises RuntimeError when it is not ready."""
    home.mkdir(parents=True, exist_ok=True)
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", *([] if value is None else [str(value)]))]
    with open(home / "sandbox.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--home", str(home), *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        ready = selector.select(timeout)
    url = process.stdout.readline().decode().strip() if ready else ""
    if not url.startswith("http"):
        process.kill()
        process.wait(10)
        process.stdout.close()
        raise RuntimeError("the sandbox did not start:\n" + (home / "sandbox.log").read_text()[-3000:])
    token = (home / "control.token").read_text()
    TOKENS[url] = token
    return RunningSandbox(url, process, home, token)


def stop(running: RunningSandbox) -> None:
    """SIGTERM, and SIGKILL after ten seconds."""
    if running.process.poll() is None:
        running.process.terminate()
        try:
            running.process.wait(10)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait(10)
    assert running.process.stdout is not None
    running.process.stdout.close()


@contextmanager
def running_sandbox(home: Path, **options: object) -> Iterator[RunningSandbox]:
    """`with running_sandbox(tmp_path) as sandbox: … sandbox.url`."""
    running = start(home, **options)
    try:
        yield running
    finally:
        stop(running)


def client_of(sandbox: RunningSandbox, key: str = "rk_test_everything1234", retries: int = 0) -> stripe.StripeClient:
    """stripe-python, pointed at a sandbox."""
    return stripe.StripeClient(key, base_addresses={"api": sandbox.url}, max_network_retries=retries)

"""`make run` for a test: the real processes on free ports, with their state in a folder of the test's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from emulators import cosmos
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.protocols import Mirror
from shared.stores.sqlite_mirror import SqliteMirror

ROOT = Path(__file__).resolve().parents[2]

# Two systems may run side by side, one on each of the stores.
STORES = [pytest.param(store, marks=pytest.mark.xdist_group(f"whole system, {store}")) for store in ("embedded", "azure")]


@dataclass(slots=True)
class System:
    """A running Billy; `facts` is what run.json holds."""

    home: Path
    process: subprocess.Popen[bytes]
    facts: dict[str, str]
    store: str

    def api(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key or self.facts['owner_key']}", **options.pop("headers", {})}
        return httpx.request(method, self.facts["url"] + path, headers=headers, timeout=30, **options)

    def mcp(self, tool: str, arguments: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        return self.api("POST", "/mcp", key=key, json=message, headers=headers).json()["result"]

    def stripe(self, method: str, path: str, form: dict[str, Any] | None = None, key: str = "rk_test_system") -> dict[str, Any]:
        answer = httpx.request(method, self.facts["sandbox_url"] + path, data=form, headers={"authorization": f"Bearer {key}"}, timeout=30)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def control(self, method: str, name: str, wanted: Any = None) -> Any:
        """What `/_sandbox/NAME` answers."""
        headers = {"sandbox-token": self.facts["sandbox_token"]}
        answer = httpx.request(method, f"{self.facts['sandbox_url']}/_sandbox/{name}", json=wanted, headers=headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def charge(self, amount: int) -> str:
        form = {
            "amount": amount,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
        return self.stripe("POST", "/v1/payment_intents", form)["latest_charge"]

    def pid(self, command: str = "devhost") -> int:
        """The child whose command line holds that text; by default the process that serves the app. Raises CalledProcessError without one."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", command], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])

    def ring(self, timer: str) -> None:
        """Runs a timer's function now."""
        key = json.loads((self.home / "host" / "keys.json").read_text())["master"]
        rung = httpx.post(f"{self.facts['url']}/admin/functions/{timer}", json={}, headers={"x-functions-key": key}, timeout=30)
        assert rung.status_code == 202, rung.text

    def mirror(self) -> Mirror:
        """A mirror of its own over what the system keeps."""
        if self.store == "embedded":
            return SqliteMirror.open(self.home)
        endpoint = cosmos.endpoint((self.home / "logs" / "cosmos.log").read_text())
        assert endpoint is not None
        return CosmosMirror(CosmosAccount(endpoint, self.emulator_keys()["cosmos"]))

    def emulator_keys(self) -> dict[str, str]:
        return json.loads((self.home / "azure" / "keys.json").read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a run on the embedded stores, unless the settings say otherwise; nothing of whoever runs the tests leads elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BILLY_", "AzureWebJobs"))}
    return inherited | {"BILLY_HOME": str(home)} | settings


SCALE = {"embedded": "0.1", "azure": "0.03"}  # the stores in Azure cost a request for each step


def start(home: Path, port: int, scale: str | None = None, store: str = "embedded", **settings: str) -> System:
    """Starts `python -m quickstart`, as `make run` does, and waits until the first synchronisation is done."""
    chosen = environment(home, PORT=str(port), BILLY_COMPANY_SCALE=scale or SCALE[store], BILLY_STORE=store, **settings)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "quickstart"], cwd=ROOT, env=chosen, stdout=log, stderr=log)
    run_file = home / "run.json"
    eventually(lambda: _alive(process, home) and run_file.exists(), 90, "run.json")
    system = System(home, process, json.loads(run_file.read_text()), store)
    eventually(lambda: system.api("GET", "/api/sync").json().get("complete"), 90, "the first synchronisation")
    return system


def _alive(process: subprocess.Popen[bytes], home: Path) -> bool:
    logs = "\n".join(path.read_text()[-2000:] for path in (home / "run.log", *sorted((home / "logs").glob("*.log"))) if path.exists())
    assert process.poll() is None, f"quickstart ended\n{logs}"
    return True


@contextmanager
def running_system(home: Path, scale: str | None = None, store: str = "embedded", **settings: str) -> Iterator[System]:
    system = start(home, free_port(), scale, store, **settings)
    try:
        yield system
    finally:
        if system.process.poll() is None:
            system.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer of a condition; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return answer

"""What all cells of the matrix of one store share: a sandbox, a host that lives as often as it is killed, and a clock that is moved."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from bench.home import STRIPE_KEY, sandbox
from bench.processes import ROOT
from shared.people.keys import make_key
from shared.settings import read_settings
from shared.wiring import close_context, make_context
from tests.edge.running_system import environment, eventually

PATIENCE = 60.0  # seconds for a process on a machine that does other things too


@dataclass(slots=True)
class Stage:
    """`folder` holds the files by which the host is told what to do; see `host.py`."""

    folder: Path
    sandbox: str
    key: str
    loaded: subprocess.Popen[str]
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE))
    url: str = ""
    pid: int = 0
    _said: SimpleQueue[str] = field(default_factory=SimpleQueue)
    _ahead: float = 0.0

    def listen(self) -> None:
        assert self.loaded.stdout is not None
        for line in self.loaded.stdout:
            self._said.put(line)
        self._said.put("Gone")

    def hear(self, word: str) -> str:
        """What follows a word that the host's processes say next."""
        try:
            line = self._said.get(timeout=PATIENCE).strip()
        except Empty:
            line = "nothing"
        assert line.startswith(word), f"{line} in place of {word}\n{(self.folder / 'host.log').read_text()[-3000:]}"
        return line.split(" ")[-1]

    def live(self) -> None:
        """One life of the host."""
        assert self.loaded.stdin is not None
        self.loaded.stdin.write("\n")
        self.loaded.stdin.flush()
        self.pid = int(self.hear("Begun"))
        self.url = self.hear("Listening on")

    def die(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.died()

    def died(self) -> None:
        """Waits for the end of a life."""
        assert self.hear("Ended") == "-9"
        self.pid = 0

    def revive(self) -> None:
        """A new life, whatever became of the one before."""
        (self.folder / "kill_at").unlink(missing_ok=True)
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            while not self._said.get(timeout=PATIENCE).startswith("Ended"):
                pass
        self.live()

    def kill_at(self, step: str) -> None:
        partial = self.folder / "partial"
        partial.write_text(step)
        partial.replace(self.folder / "kill_at")

    def now(self) -> float:
        """The second of Billy's clock."""
        return time.time() + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Moves Billy's clock on."""
        self._ahead += seconds
        partial = self.folder / "partial"
        partial.write_text(str(self._ahead))
        partial.replace(self.folder / "clock")

    def settle(self) -> None:
        """Runs the timer of attempts to its end."""
        file = self.folder / "settled"
        before, master = file.read_text(), (self.folder / "host" / "keys.json").read_text().split('"master": "')[1].split('"')[0]
        rung = self.client.post(f"{self.url}/admin/functions/settle_attempts", json={}, headers={"x-functions-key": master})
        assert rung.status_code == 202, rung.text
        eventually(lambda: file.read_text() not in ("", before), PATIENCE, "the timer of attempts")

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.client.request(method, self.url + path, headers=headers, **options)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.api("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stripe(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {STRIPE_KEY}", "sandbox-token": (self.folder / "sandbox" / "control.token").read_text()}
        answer = self.client.request(method, self.sandbox + path, headers=headers, **options)
        assert answer.status_code < 400, answer.text
        return answer.json()


@contextmanager
def stage(home: Path, store: str) -> Iterator[Stage]:
    """A stage with a living host."""
    home.mkdir(parents=True, exist_ok=True)
    for name, text in (("clock", "0"), ("settled", "0")):
        (home / name).write_text(text)
    with ExitStack() as started:
        stripe = started.enter_context(sandbox(home / "sandbox"))
        settings = {"BILLY_HOME": str(home), "BILLY_STORE": store, "BILLY_STRIPE_API_BASE": stripe.url, "BILLY_STRIPE_API_KEY": STRIPE_KEY}
        if store == "azure":
            settings |= _emulators(started, home)
        made = Stage(home, stripe.url, asyncio.run(_owner(settings)), started.enter_context(_loaded(home, settings)))
        started.enter_context(made.client)
        threading.Thread(target=made.listen, daemon=True).start()
        made.hear("Loaded")
        made.live()
        try:
            yield made
        finally:
            if made.pid:
                os.kill(made.pid, signal.SIGKILL)


def _emulators(started: ExitStack, home: Path) -> dict[str, str]:
    from tests.peers.azurite import running_azurite  # their Node is installed when it is first asked for
    from tests.peers.cosmos import KEY, running_cosmos

    cosmos = started.enter_context(running_cosmos(home / "cosmos"))
    connection = started.enter_context(running_azurite(home))
    facts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
    return {
        "BILLY_COSMOS_ENDPOINT": cosmos,
        "BILLY_COSMOS_KEY": KEY,
        "BILLY_TABLES_ENDPOINT": facts["TableEndpoint"],
        "BILLY_TABLES_KEY": facts["AccountKey"],
        "AzureWebJobsStorage": connection,
    }


async def _owner(settings: dict[str, str]) -> str:
    context = await make_context(read_settings(settings))
    try:
        return (await make_key(context, "owner", "owner", None, "system"))["key"]
    finally:
        await close_context(context)


@contextmanager
def _loaded(home: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The process from which the host's lives are forked."""
    options = ["--app", str(ROOT), "--port", "0", "--home", str(home / "host")]
    chosen = environment(home, BILLY_MATRIX=str(home), **{name: value for name, value in settings.items() if name != "BILLY_HOME"})
    with (home / "host.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.edge.kill_points.host", *options],
            cwd=ROOT,
            env=chosen,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()

"""The stores of Azure go away under a running system and come back: what was asked meanwhile is refused in words, or done; nothing is lost."""

import concurrent.futures
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.edge.running_system import System, eventually, running_system
from tests.peers.azurite import running_azurite
from tests.peers.cosmos import KEY, running_cosmos

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole system, azure")]


class Away:
    """The Cosmos server and Azurite, run by the test: each can be stopped and started again where it was, with what it held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cosmos, self._azurite = ExitStack(), ExitStack()
        self._ports: dict[str, int] = {}
        self.cosmos_endpoint = ""
        self.connection = ""

    def cosmos(self) -> None:
        port = urlsplit(self.cosmos_endpoint).port or 0
        kept = self._folder / "cosmos.sqlite"
        self.cosmos_endpoint = self._cosmos.enter_context(running_cosmos(self._folder / "log", file=kept, port=port))

    def no_cosmos(self) -> None:
        self._cosmos.close()

    def azurite(self) -> None:
        location = self._folder / "azurite"
        location.mkdir(exist_ok=True)
        self.connection = self._azurite.enter_context(running_azurite(self._folder, location=location, ports=self._ports))
        self._ports = {name: urlsplit(self.facts[f"{name.capitalize()}Endpoint"]).port or 0 for name in ("blob", "queue", "table")}

    def no_azurite(self) -> None:
        self._azurite.close()

    @property
    def facts(self) -> dict[str, str]:
        return dict(part.split("=", 1) for part in self.connection.strip(";").split(";"))

    @property
    def settings(self) -> dict[str, str]:
        return {
            "BILLY_COSMOS_ENDPOINT": self.cosmos_endpoint,
            "BILLY_COSMOS_KEY": KEY,
            "BILLY_TABLES_ENDPOINT": self.facts["TableEndpoint"],
            "BILLY_TABLES_KEY": self.facts["AccountKey"],
            "AzureWebJobsStorage": self.connection,
        }


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    emulators = Away(tmp_path_factory.mktemp("away"))
    emulators.cosmos()
    emulators.azurite()
    yield emulators
    emulators.no_cosmos()
    emulators.no_azurite()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, away: Away) -> Iterator[System]:
    """A system that is led to the emulators of the test, and starts none of its own; behind a proxy, which does not know this machine."""
    proxy = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    with running_system(tmp_path_factory.mktemp("led") / "billy", store="azure", **away.settings, **proxy) as running:
        assert not (running.home / "logs" / "cosmos.log").exists()
        yield running


def test_while_the_account_is_away_callers_are_told_and_events_wait_in_the_queue(system: System, away: Away) -> None:
    known = system.charge(1100)
    eventually(lambda: system.api("GET", f"/api/charges/{known}").status_code == 200, 10, "a charge before")
    away.no_cosmos()
    try:
        _says_unavailable(system.api("GET", "/api/charges"))
        _says_unavailable(system.api("POST", "/api/refunds", json={"charge": known, "amount": 100}))
        assert system.api("GET", "/api/health").status_code == 503
        missed = system.charge(1101)
        eventually(lambda: _deliveries(system) == {"delivered"}, 15, "Stripe's deliveries, which need the queue alone")
    finally:
        away.cosmos()
    eventually(lambda: system.api("GET", f"/api/charges/{missed}").status_code == 200, 30, "the charge of the event that waited")
    assert system.stripe("GET", f"/v1/refunds?charge={known}")["data"] == []


def test_while_the_queue_is_away_stripe_is_not_told_that_an_event_was_received(system: System, away: Away) -> None:
    away.no_azurite()
    try:
        made = system.charge(1200)
        eventually(lambda: 500 in _answers(system), 20, "a delivery that is answered 500")
        assert _deliveries(system) == {"delivered", "pending"}
        _says_unavailable(system.api("GET", "/api/charges"))  # the audit log is away too, and nothing is answered without its row
    finally:
        away.azurite()
    eventually(lambda: _deliveries(system) == {"delivered"}, 60, "the deliveries again")
    eventually(lambda: system.api("GET", f"/api/charges/{made}").status_code == 200, 15, "the charge")


def test_emulators_that_are_killed_in_mid_burst_come_again_and_every_refund_is_made_once(tmp_path: Path) -> None:
    with running_system(tmp_path / "billy", store="azure", scale="0.01") as system:
        charges = [system.charge(1000 + number) for number in range(12)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(_refund, system, charge) for charge in charges]
            made = [pool.submit(system.charge, 5000 + number) for number in range(12)]
            for process in ("cosmos_server.js", "azurite.js", "cosmos_server.js"):
                before = system.pid(process)
                os.kill(before, signal.SIGKILL)
                eventually(lambda before=before, process=process: _another(system, process, before), 10, f"{process} again")
                eventually(lambda: system.api("GET", "/api/charges?limit=1").status_code == 200, 30, "an answer")
            assert all(future.result() for future in asked)
            charges += [future.result() for future in made]
        for charge in charges[:12]:
            assert [refund["amount"] for refund in system.stripe("GET", f"/v1/refunds?charge={charge}")["data"]] == [100]
        # Azurite writes what it holds every five seconds: an event that was lost with it is in Stripe's list, which a timer reads every minute.
        system.ring("sync_watch")
        for charge in charges:
            eventually(lambda charge=charge: system.api("GET", f"/api/charges/{charge}").status_code == 200, 60, "every charge")
        for charge in charges[:12]:
            eventually(lambda charge=charge: system.api("GET", f"/api/charges/{charge}").json()["amount_refunded"] == 100, 60, "its refund")


def test_an_emulator_that_cannot_come_again_ends_the_run_in_words(tmp_path: Path) -> None:
    with running_system(tmp_path / "billy", store="azure", scale="0") as system:
        file = system.home / "azure" / "cosmos.sqlite"
        before = system.pid("cosmos_server.js")
        file.unlink()
        file.mkdir()
        os.kill(before, signal.SIGKILL)
        assert system.process.wait(60) == 1
        said = (system.home / "run.log").read_text()
    assert "The Cosmos server keeps ending: The Cosmos server ends: unable to open database file" in said
    assert "Traceback" not in said


def _another(system: System, process: str, before: int) -> bool:
    try:
        return system.pid(process) != before
    except subprocess.CalledProcessError:
        return False


def _says_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["code"] == "unavailable" and told["next"], told


def _deliveries(system: System) -> set[str]:
    return {each["state"] for each in _all(system)}


def _answers(system: System) -> set[int | None]:
    return {each["answer"] for each in _all(system)}


def _all(system: System) -> list[dict[str, object]]:
    return system.control("GET", "deliveries")["deliveries"]


def _refund(system: System, charge: str) -> bool:
    """Asks with one key until there is an answer, as a careful client does."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        answer = system.api("POST", "/api/refunds", json={"charge": charge, "amount": 100}, headers={"idempotency-key": charge})
        if answer.status_code == 200:
            return True
        assert answer.status_code in (409, 503), answer.text
        time.sleep(0.1)
    return False

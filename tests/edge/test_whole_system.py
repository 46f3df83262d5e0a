"""What `make run` promises a newcomer, and what a crash may not break."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.edge.running_system import ROOT, STORES, System, environment, eventually, running_system, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, store: str) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("system") / "billy", store=store) as running:
        yield running


@pytest.mark.requirement("AB-040", "AB-043")
def test_a_charge_made_at_stripe_is_readable_over_rest_and_mcp_within_two_seconds(system: System) -> None:
    charge = system.charge(4321)
    eventually(lambda: system.api("GET", "/api/charges?limit=5").json()["data"][0]["id"] == charge, 2, "the charge in the list")
    eventually(
        lambda: system.mcp("billy_get_charge", {"id": charge})["structuredContent"].get("amount") == 4321,
        2,
        "the charge as a tool's answer",
    )


@pytest.mark.requirement("AB-170")
def test_lists_are_answered_from_the_mirror_while_stripe_is_down(system: System) -> None:
    system.control("POST", "faults", {"match": "GET /v1/charges", "kind": "status", "status": 500, "times": 1})
    page = system.api("GET", "/api/charges?limit=1").json()
    system.control("DELETE", "faults")
    assert page["complete"] is True
    assert page["total"] > 1


def test_the_first_synchronisation_brought_every_object_of_the_company(system: System) -> None:
    for kind in ("charges", "customers", "invoices", "refunds"):
        total, starting_after = 0, ""
        while True:
            page = system.stripe("GET", f"/v1/{kind}?limit=100" + starting_after)
            total += len(page["data"])
            if not page["has_more"]:
                break
            starting_after = f"&starting_after={page['data'][-1]['id']}"
        eventually(lambda kind=kind, total=total: system.api("GET", f"/api/{kind}?limit=1").json()["total"] == total, 5, f"all {kind}")


def test_the_run_file_holds_the_addresses_and_the_key_and_is_private(system: System) -> None:
    file = system.home / "run.json"
    assert set(json.loads(file.read_text())) == {"url", "sandbox_url", "sandbox_token", "owner_key"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (system.home / "logs", *system.home.glob("azure"))} == {0o700}


def test_a_second_run_with_the_same_state_is_refused_in_words(system: System) -> None:
    second = subprocess.run([sys.executable, "-m", "quickstart"], cwd=ROOT, env=environment(system.home), capture_output=True, text=True)
    assert second.returncode == 1
    assert "runs already" in second.stderr


@pytest.mark.requirement("AB-030")
def test_no_log_of_the_system_holds_a_secret(system: System) -> None:
    system.api("GET", "/api/charges", key="billy_" + "x" * 43)
    secrets = [*json.loads((system.home / "secrets.json").read_text()).values(), system.facts["owner_key"]]
    logs = "".join(path.read_text() for path in (system.home / "logs").glob("*.log"))
    assert [secret[:8] for secret in secrets if secret in logs] == []
    if system.store == "azure":
        assert [name for name, key in system.emulator_keys().items() if key in logs + (system.home / "run.log").read_text()] == []


@pytest.mark.requirement("SC-32")
def test_a_refund_that_many_ask_for_at_once_is_made_once_and_leaves_a_row_for_each(system: System) -> None:
    charge = system.charge(9000)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert all(pool.map(lambda _: _refund(system, charge), range(12)))
    assert [refund["amount"] for refund in system.stripe("GET", f"/v1/refunds?charge={charge}")["data"]] == [100]
    rows = system.api("GET", "/api/audit?operation=create_refund&limit=100").json()["data"]
    attempts = {row["attempt"] for row in rows if row.get("attempt")}
    assert len(attempts) == 1
    assert len([row for row in rows if row["decision"] != "outcome"]) >= 12


@pytest.mark.requirement("SC-32", "SC-33", "SC-54")
def test_killing_the_host_at_any_moment_loses_no_event_and_repeats_no_refund(tmp_path: Path, store: str) -> None:
    with running_system(tmp_path / "billy", scale="0.02", store=store) as system:
        count = {"embedded": 30, "azure": 15}[store]
        charges = [system.charge(1000 + number) for number in range(count)]
        refused = 0
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(_refund, system, charge) for charge in charges]
            made = [pool.submit(system.charge, 5000 + number) for number in range(count)]
            for _ in range(3):
                time.sleep(0.15)
                pid = system.pid()
                os.kill(pid, signal.SIGKILL)
                eventually(lambda pid=pid: _another_host(system, pid), 30, "the host again")
            refused = sum(not future.result() for future in asked)
            more = [future.result() for future in made]
        assert refused == 0
        system.ring("sync_watch")  # reads the events whose deliveries met no host; by itself it does so every minute
        for charge in charges:
            assert [refund["amount"] for refund in system.stripe("GET", f"/v1/refunds?charge={charge}")["data"]] == [100]
        for charge in charges + more:
            eventually(lambda charge=charge: system.api("GET", f"/api/charges/{charge}").status_code == 200, 30, "every charge")
        for charge in charges:
            eventually(lambda charge=charge: system.api("GET", f"/api/charges/{charge}").json()["amount_refunded"] == 100, 30, "its refund")


def test_a_stop_is_clean_and_the_next_start_goes_on_with_its_data(tmp_path: Path, store: str) -> None:
    home = tmp_path / "billy"
    with running_system(home, scale="0.02", store=store) as system:
        charge = system.charge(777)
        eventually(lambda: system.api("GET", f"/api/charges/{charge}").status_code == 200, 5, "the charge")
        before, port = system.facts, int(system.facts["url"].rsplit(":", 1)[1])
        assert system.stop() == 0
        assert not (home / "run.json").exists()
    again = start(home, port, store=store)
    try:
        assert again.facts == before
        assert again.api("GET", f"/api/charges/{charge}").json()["amount"] == 777
        fresh = again.charge(778)
        eventually(lambda: again.api("GET", f"/api/charges/{fresh}").status_code == 200, 5, "an event after the restart")
    finally:
        again.stop()


def _refund(system: System, charge: str) -> bool:
    """Asks with one key until there is an answer, as a careful client does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = system.api("POST", "/api/refunds", json={"charge": charge, "amount": 100}, headers={"idempotency-key": charge})
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code == 200:
            return True
        time.sleep(0.05)
    return False


def _another_host(system: System, before: int) -> bool:
    try:
        return system.pid() != before and system.api("GET", "/api/health").status_code == 200
    except (httpx.TransportError, subprocess.CalledProcessError):
        return False

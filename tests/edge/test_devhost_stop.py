"""Whatever ends the host, what it has accepted is not lost."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.edge.conftest import Storage
from tests.edge.devhost_process import RunningHost, running_host, wait_until

pytestmark = pytest.mark.slow  # starts processes


def burst(host: RunningHost, prefix: str, until: Callable[[], bool], connections: int = 8) -> list[str]:
    """Posts messages over several connections until `until` holds or the host is gone; the names that were accepted."""
    accepted: list[str] = []

    def post(lane: int) -> None:
        with httpx.Client(base_url=host.url, timeout=30) as client:
            number = 0
            while not until():
                name = f"{prefix}-{lane}-{number}"
                try:
                    status = client.post("/api/jobs", content=name.encode()).status_code
                except httpx.HTTPError:
                    return
                if status == 202:
                    accepted.append(name)
                number += 1

    threads = [threading.Thread(target=post, args=(lane,)) for lane in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return accepted


def worked(host: RunningHost) -> set[str]:
    return {line.split()[1] for line in host.journal if line.startswith("work ")}


def test_kill_9_in_the_midst_of_a_burst_loses_no_accepted_message(tmp_path: Path, storage: Storage) -> None:
    home, accepted = tmp_path / "home", []
    for round_number in range(3):
        with running_host(home, "--lease", "2", **storage.settings) as host:
            killer = threading.Timer(0.5 + round_number * 0.2, host.process.kill)
            killer.start()
            accepted += burst(host, f"round{round_number}", until=lambda host=host: host.process.poll() is not None)
            killer.join()
            assert host.process.wait() == -signal.SIGKILL
    assert len(accepted) > 30
    with running_host(home, "--lease", "2", **storage.settings) as host:
        wait_until(lambda: set(accepted) <= worked(host), "every accepted message is worked on", seconds=60)


def test_a_message_at_work_during_kill_9_is_worked_on_again_after_the_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_host(home) as host:
        host.client.post("/api/jobs", content=b"sleep 3")
        wait_until(lambda: "work sleep 3 1" in host.journal, "it is at work")
        host.kill()
    with running_host(home) as host:
        wait_until(lambda: "slept sleep 3" in host.journal, "it is done")
        assert "work sleep 3 2" in host.journal


def test_a_stop_lets_requests_and_messages_at_work_end(tmp_path: Path, storage: Storage) -> None:
    home = tmp_path / "home"
    with running_host(home, **storage.settings) as host:
        host.client.post("/api/jobs", content=b"sleep 1.5")
        wait_until(lambda: "work sleep 1.5 1" in host.journal, "it is at work")
        answers: list[str] = []
        request = threading.Thread(target=lambda: answers.append(httpx.get(f"{host.url}/api/slow?seconds=1", timeout=30).text))
        request.start()
        wait_until(lambda: "slow began" in host.journal, "the request is at work")
        assert host.stop() == 0
        request.join()
        assert answers == ["slow"]
        assert "slept sleep 1.5" in host.journal
    with running_host(home, **storage.settings) as host:
        host.client.post("/api/jobs", content=b"next")
        wait_until(lambda: "work next 1" in host.journal, "the next one is worked on")
        assert "work sleep 1.5 2" not in host.journal


def test_a_stop_in_the_midst_of_a_burst_loses_and_doubles_nothing(tmp_path: Path, storage: Storage) -> None:
    home = tmp_path / "home"
    with running_host(home, **storage.settings) as host:
        stopper = threading.Timer(0.7, lambda: host.process.send_signal(signal.SIGTERM))
        stopper.start()
        accepted = burst(host, "stop", until=lambda: host.process.poll() is not None)
        assert host.process.wait(timeout=60) == 0
    assert len(accepted) > 10
    with running_host(home, **storage.settings) as host:
        wait_until(lambda: set(accepted) <= worked(host), "every accepted message is worked on", seconds=60)
        lines = [line for line in host.journal if line.startswith("work ")]
        assert len(lines) == len(set(lines)) == len(worked(host))


def test_work_that_outlasts_the_drain_is_given_back_at_once(tmp_path: Path, storage: Storage) -> None:
    home = tmp_path / "home"
    with running_host(home, "--drain", "0.5", **storage.settings) as host:
        host.client.post("/api/jobs", content=b"sleep 4")
        wait_until(lambda: "work sleep 4 1" in host.journal, "it is at work")
        assert host.stop() == 1
    with running_host(home, **storage.settings) as host:
        wait_until(lambda: "work sleep 4 2" in host.journal, "it is at work again, long before its lease of ten minutes ends")
        wait_until(lambda: "slept sleep 4" in host.journal, "it is done")


def test_a_thread_that_never_ends_does_not_keep_the_host_from_stopping(tmp_path: Path) -> None:
    with running_host(tmp_path / "home", "--drain", "0.5") as host:
        host.client.post("/api/jobs", content=b"block 30")
        wait_until(lambda: "work block 30 1" in host.journal, "it is at work")
        began = time.monotonic()
        assert host.stop() == 1
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_host_stops_at_once_and_takes_a_new_start(tmp_path: Path, number: signal.Signals) -> None:
    for _ in range(2):
        with running_host(tmp_path / "home") as host:
            assert host.client.get("/api/items/one").status_code == 200
            began = time.monotonic()
            host.process.send_signal(number)
            assert host.process.wait(timeout=30) == 0
            assert time.monotonic() - began < 3

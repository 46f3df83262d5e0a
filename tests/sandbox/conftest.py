"""One sandbox for each test module, the pinned SDK as its client, and no fault left behind."""

from collections.abc import Iterator

import httpx
import pytest
import stripe

from tests.peers.receiver import Receiver, running_receiver
from tests.peers.sandbox import RunningSandbox, client_of, control, running_sandbox

KEY = "rk_test_everything1234"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        tame(running)
        yield running


def tame(running: RunningSandbox) -> None:
    """Each event once and in order: a test says itself what else it wants."""
    wanted = {"delay_ms": 0, "duplicate": 0, "shuffle": False, "pause": False, "unpromised": False}
    control(running.url, "POST", "webhooks", wanted).raise_for_status()


@pytest.fixture
def client(sandbox: RunningSandbox) -> stripe.StripeClient:
    return client_of(sandbox)


@pytest.fixture
def wire(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """Raw HTTP with the same key."""
    headers = {"Authorization": f"Bearer {KEY}", "Sandbox-Token": sandbox.token}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=20, trust_env=False) as http:
        yield http
        http.delete("/_sandbox/faults")
        http.post("/_sandbox/limits", json={"per_second": None})
        tame(sandbox)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running

"""The queues are away: no delivery is answered as if it were kept, and the mirror follows Stripe's list of events meanwhile."""

import asyncio
import selectors
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from emulators.azurite import ACCOUNT, accounts, addresses, command, connection_string
from emulators.packages import node_env
from shared.gateway.webhook import SECRETS
from shared.operations.alarms import MIRROR_OLD, QUEUES_AWAY, alarms
from shared.people.keys import make_key
from shared.settings import Settings
from shared.stores.queues import StorageQueues
from shared.wiring import close_context, make_context
from tests.edge.devhost_process import ROOT, RunningHost, running_host, wait_until
from tests.peers.azurite import KEY
from tests.peers.sandbox import control, running_sandbox
from tests.spec.conftest import STRIPE_KEY, Stripe

pytestmark = pytest.mark.slow


@dataclass
class Storage:
    """Azurite, which keeps its address and what it holds from one start to the next."""

    home: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    connection: str = ""

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        environment = node_env() | accounts(KEY)
        self.process = subprocess.Popen(command(self.home, self.ports), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        assert self.process.stdout is not None
        said, end = "", time.monotonic() + 60
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while (found := addresses(said)) is None:
                assert selector.select(max(0.0, end - time.monotonic())), f"Azurite did not start: {said}"
                line = self.process.stdout.readline().decode()
                assert line, f"Azurite ended: {said}"
                said += line
        self.ports = {service: int(address.rpartition(":")[2]) for service, address in found.items()}
        self.connection = connection_string(found, KEY)

    def stop(self) -> None:
        """It writes what it holds, and is away: connections to it are refused."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(tmp_path / "azurite")
    made.start()
    yield made
    made.stop()


async def prepare(home: Path, secret: str | None = None) -> str:
    context = await make_context(Settings(home=home))
    if secret is not None:
        await context.secrets.set(SECRETS, secret)
    key = (await make_key(context, "the owner", "owner", None, "system"))["key"]
    await close_context(context)
    return key


def run(host: RunningHost, timer: str) -> None:
    """Starts a timer's function now, as its schedule would."""
    started = host.client.post(f"/admin/functions/{timer}", json={}, headers={"x-functions-key": host.master_key})
    assert started.status_code == 202


def waiting(stripe: Stripe) -> int:
    """Deliveries that the sandbox still means to make, again where they failed."""
    return control(stripe.url, "GET", "health").json()["pending_deliveries"]


def test_an_hour_without_queues_loses_nothing(storage: Storage, tmp_path: Path) -> None:
    home = tmp_path / "billy"
    key = asyncio.run(prepare(home))
    headers = {"authorization": f"Bearer {key}"}
    with running_sandbox(tmp_path / "sandbox", seed=5) as sandbox:
        stripe = Stripe(sandbox.url)
        settings = {"BILLY_HOME": str(home), "BILLY_STRIPE_API_BASE": sandbox.url, "BILLY_STRIPE_API_KEY": STRIPE_KEY}
        with running_host(tmp_path / "host", app=ROOT, AzureWebJobsStorage=storage.connection, **settings) as host:

            def reads(path: str) -> bool:
                return host.client.get(path, headers=headers).status_code == 200

            made = stripe.call("POST", "/v1/webhook_endpoints", {"url": f"{host.url}/webhooks/stripe", "enabled_events[0]": "*"})
            asyncio.run(prepare(home, made["secret"]))
            before = stripe.charge(1000)
            wait_until(lambda: reads(f"/api/charges/{before['id']}"), "the first charge, through the queue", 30)
            assert host.client.post("/api/sync", headers=headers, content=b"{}").status_code == 200
            wait_until(lambda: host.client.get("/api/sync", headers=headers).json()["complete"], "the first synchronisation", 60)

            storage.stop()
            during = stripe.charge(2000)
            wait_until(
                lambda: any("stripe_webhook" in line and "could not be kept" in line for line in host.log.splitlines()), "a delivery", 30
            )
            assert waiting(stripe) > 0, "what was not kept was not answered with success, so Stripe means to send it again"
            run(host, "sync_watch")
            wait_until(lambda: reads(f"/api/charges/{during['id']}"), "the charge, from Stripe's list of events", 30)
            assert reads(f"/api/charges/{before['id']}")

            storage.start()
            wait_until(lambda: waiting(stripe) == 0, "Stripe's repetitions", 120)
            after = stripe.charge(3000)
            wait_until(lambda: reads(f"/api/charges/{after['id']}"), "the next charge, through the queue again", 30)
            total = host.client.get("/api/charges", headers=headers).json()["total"]
            assert total == len(stripe.call("GET", "/v1/charges?limit=100")["data"])


async def test_a_queue_that_cannot_be_asked_is_told(storage: Storage, tmp_path: Path) -> None:
    service = f"http://127.0.0.1:{storage.ports['queue']}/{ACCOUNT}"
    context = await make_context(Settings(home=tmp_path / "billy"))
    queues = StorageQueues.open(service, KEY)
    asked = replace(context, queues=queues)
    assert [alarm.event for alarm in await alarms(asked)] == [MIRROR_OLD], "of this mirror nothing is known yet"
    storage.stop()
    assert [alarm.event for alarm in await alarms(asked)] == [MIRROR_OLD, QUEUES_AWAY]
    await queues.close()
    await close_context(context)

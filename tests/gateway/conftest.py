"""A gateway over a real sandbox and real stores, and a clock that a test moves."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.context import Context, Seam
from shared.settings import Settings
from shared.wiring import close_context, make_context
from tests.peers.sandbox import control, running_sandbox

KEY = "rk_test_gateway00000000000000"


@dataclass
class Clock:
    offset: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset


@dataclass
class Sent:
    """`context.Sending` without a road behind it: what was sent, and what of it was a no."""

    key: str
    seconds: float = 40.0
    begun: int = 0
    tries: int = 0
    noes: int = 0
    replays: int = 0

    async def begin(self) -> None:
        self.begun += 1

    def left(self) -> float:
        return self.seconds

    def sent(self) -> None:
        self.tries += 1

    def answered(self, *, no: bool, replayed: bool = False) -> None:
        self.noes += no
        self.replays += replayed


@dataclass(frozen=True)
class Double:
    """The sandbox, spoken to over plain HTTP."""

    url: str

    def call(self, method: str, path: str, form: dict[str, Any] | None = None, key: str = KEY) -> dict[str, Any]:
        answer = httpx.request(method, self.url + path, data=form, headers={"authorization": f"Bearer {key}"}, timeout=30)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def control(self, method: str, name: str, body: dict[str, Any] | None = None) -> Any:
        answer = control(self.url, method, name, body)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def fault(self, **fault: Any) -> None:
        self.control("POST", "faults", fault)

    def customer(self, **form: Any) -> dict[str, Any]:
        return self.call("POST", "/v1/customers", form or {"email": "ann@example.com"})

    def charge(self, amount: int = 2000, **form: Any) -> dict[str, Any]:
        asked = {"amount": amount, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
        never = {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
        intent = self.call("POST", "/v1/payment_intents", asked | never | form)
        return self.call("GET", f"/v1/charges/{intent['latest_charge']}")

    def referenced(self, refund: str) -> None:
        """Returns when a refund has its acquirer's reference, which comes within seconds and with events of its own."""
        deadline = time.monotonic() + 20
        while "reference" not in self.call("GET", f"/v1/refunds/{refund}")["destination_details"]["card"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def asked(self, method: str, path: str) -> int:
        """How many requests of that kind the sandbox has seen."""
        return sum((each["method"], each["path"]) == (method, path) for each in self.control("GET", "requests")["requests"])


@pytest.fixture(scope="session")
def shared_double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    with running_sandbox(tmp_path_factory.mktemp("gateway-sandbox"), seed=7) as sandbox:
        yield Double(sandbox.url)


@pytest.fixture
def double(shared_double: Double) -> Iterator[Double]:
    """The session's sandbox, without faults."""
    yield shared_double
    shared_double.control("DELETE", "faults")


@pytest.fixture
def own_double(tmp_path: Path) -> Iterator[Double]:
    """A sandbox that holds nothing of other tests."""
    with running_sandbox(tmp_path / "sandbox", seed=7) as sandbox:
        yield Double(sandbox.url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_context(tmp_path: Path, clock: Clock) -> AsyncIterator[Callable[..., Any]]:
    """`await open_context(double, **settings)`; the contexts of one test share one folder, as processes would."""
    opened: list[Context] = []

    async def open(double: Double, **settings: Any) -> Context:
        chosen = {"home": tmp_path / "billy", "stripe_api_base": double.url, "stripe_api_key": KEY, "sync_requests_per_second": 1000}
        opened.append(await make_context(Settings(**(chosen | settings)), Seam(now=clock.now)))
        return opened[-1]

    yield open
    for context in opened:
        await close_context(context)


@pytest.fixture
async def context(double: Double, open_context: Callable[..., Any]) -> Context:
    return await open_context(double)


def event_of(value: dict[str, Any], type: str, created: int, **facts: Any) -> dict[str, Any]:
    """A snapshot event as Stripe sends it."""
    event: dict[str, Any] = {
        "id": f"evt_{abs(hash((type, created, orjson.dumps(value)))):x}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": created,
        "data": {"object": value},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
    }
    return event | facts

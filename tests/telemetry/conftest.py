"""A running system that tells a collector of itself, after a day's worth of calls, faults and nonsense; once on each of the stores."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.edge.running_system import STORES, System, eventually, running_system
from tests.peers.collector import Collector, running_collector

CANARIES = {
    "name": "Kowalska-canary-4711",
    "email": "canary4711@example.com",
    "description": "canary4711 asks for her money back",
    "search": "canary4711-sought",
    "field": "canary4711_field",
    "body": "canary4711-body",
    "idempotency key": "canary4711-key",
    "wrong key": "billy_canary4711wrongkey",
    "event": "canary4711-event",
    "tool": "canary4711_tool",
}
OF_STRIPE = "This request was refused on purpose."  # the sentence of an answer that the sandbox refuses
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass
class Told:
    """`calls` holds the correlation id of each kind of call that was made."""

    system: System
    collector: Collector
    calls: dict[str, str] = field(default_factory=dict)
    charge: str = ""

    def secrets(self) -> dict[str, str]:
        """Every secret of the running system, by what it is."""
        home = self.system.home
        stored: dict[str, str] = json.loads((home / "secrets.json").read_text())
        keys: dict[str, str] = json.loads((home / "host" / "keys.json").read_text())
        return {**stored, **keys, "owner key": self.system.facts["owner_key"]}

    def call(self, name: str, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.system.api(method, path, **options)
        self.calls[name] = answer.headers.get("x-correlation-id", "")
        return answer

    def fault(self, **fault: Any) -> None:
        self.system.control("POST", "faults", fault)


@pytest.fixture(
    scope="module",
    params=STORES,
)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    home = tmp_path_factory.mktemp("told") / ".billy"
    with running_collector() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with running_system(home, scale="0.02", store=request.param, **settings) as system:
            told = Told(system, collector)
            _live_through(told)
            yield told


def _live_through(told: Told) -> None:
    system = told.system
    person = {name: CANARIES[name] for name in ("name", "email", "description")}
    customer = system.stripe("POST", "/v1/customers", person)["id"]
    told.charge = charge = system.charge(2_000)
    for path in (f"/api/customers/{customer}", f"/api/charges/{charge}"):
        eventually(lambda path=path: system.api("GET", path).status_code == 200, 20, path)
    told.call("read", "GET", f"/api/customers/{customer}", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    told.call("search", "GET", f"/api/search?q={CANARIES['search']}")
    told.call("unknown id", "GET", "/api/charges/ch_nobodyknowsit")
    told.call("unknown field", "GET", f"/api/charges?{CANARIES['field']}=1")
    told.call("no json", "POST", "/api/refunds", content=CANARIES["body"])
    told.call("wrong key", "GET", "/api/stats", key=CANARIES["wrong key"])
    told.call("forged event", "POST", "/webhooks/stripe", json={"id": CANARIES["event"]}, headers={"stripe-signature": "t=1,v1=00"})
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "billy_get_customer", "arguments": {"id": customer}}}
    accept = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    told.call("tool", "POST", "/mcp", json=message, headers=accept)
    told.call("no tool", "POST", "/mcp", json=message | {"params": {"name": CANARIES["tool"], "arguments": person}}, headers=accept)
    body = {"charge": charge, "amount": 500, "idempotency_key": CANARIES["idempotency key"]}
    told.fault(match="POST /v1/refunds", kind="status", status=400)
    told.call("refused refund", "POST", "/api/refunds", json=body | {"idempotency_key": "refused"})
    limited = {"stripe-rate-limited-reason": "global-concurrency", "ratelimit-remaining": "0"}
    told.fault(match=f"GET /v1/charges/{charge}", kind="status", status=429, headers=limited, times=1)
    told.call("limited refund", "POST", "/api/refunds", json=body | {"idempotency_key": "limited"})
    told.fault(match="POST /v1/refunds", kind="drop_after", times=1)
    assert told.call("refund", "POST", "/api/refunds", json=body).status_code == 200
    system.ring("raise_alarms")

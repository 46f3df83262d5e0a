"""One Billy for a test: its own stores, a real sandbox beside it, a key for each role, and two ways to call."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import azure.functions as func
import httpx
import pytest

from shared.actor import Origin
from shared.context import Context, Seam
from shared.people.keys import make_key
from shared.policy.roles import ROLES
from shared.road.catalogue import BY_NAME
from shared.settings import Settings
from shared.surfaces import mcp, rest
from shared.wiring import close_context, make_context
from tests.peers.sandbox import control, running_sandbox
from tests.road.conftest import home as home

STRIPE_KEY = "rk_test_specification000000000000"


@dataclass(slots=True)
class Clock:
    """A clock that a test moves."""

    offset: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset


@dataclass(frozen=True, slots=True)
class Answered:
    """What a surface said: `error` is the problem's code, or None; `wakes` the queue that it asks the edge to wake."""

    body: dict[str, Any]
    error: str | None
    wakes: str | None = None


@dataclass(slots=True)
class Stripe:
    """The sandbox, spoken to over plain HTTP."""

    url: str
    key: str = STRIPE_KEY

    def call(self, method: str, path: str, form: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = httpx.request(method, self.url + path, data=form, headers={"authorization": f"Bearer {self.key}"}, timeout=30)
        body = answer.json()
        assert answer.status_code < 400, body
        return body

    def charge(self, amount: int, currency: str = "usd", **form: Any) -> dict[str, Any]:
        intent = self.call(
            "POST",
            "/v1/payment_intents",
            {
                "amount": amount,
                "currency": currency,
                "payment_method": "pm_card_visa",
                "confirm": "true",
                "automatic_payment_methods[enabled]": "true",
                "automatic_payment_methods[allow_redirects]": "never",
                **form,
            },
        )
        return self.call("GET", f"/v1/charges/{intent['latest_charge']}")

    def fault(self, **fault: Any) -> None:
        assert control(self.url, "POST", "faults", fault).status_code < 300

    def no_faults(self) -> None:
        control(self.url, "DELETE", "faults")

    def referenced(self) -> None:
        """Returns when every refund of a card has its acquirer's reference, which comes within seconds and with events of its own."""
        deadline = time.monotonic() + 20
        while any("reference" not in each["destination_details"].get("card", {"reference": ""}) for each in self._all_refunds()):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _all_refunds(self) -> list[dict[str, Any]]:
        return self.call("GET", "/v1/refunds?limit=20")["data"]

    def refunds(self, charge: str) -> list[dict[str, Any]]:
        return self.call("GET", f"/v1/refunds?charge={charge}&limit=100")["data"]


@dataclass(slots=True)
class Billy:
    """`call` goes over the surface of the test; `rest` and `mcp` over a named one."""

    context: Context
    clock: Clock
    stripe: Stripe
    keys: dict[str, str]
    surface: str = "rest"

    async def call(self, role: str, operation: str, /, **arguments: Any) -> Answered:
        return await (self.mcp if self.surface == "mcp" else self.rest)(role, operation, **arguments)

    async def rest(self, role: str, operation: str, /, *, headers: dict[str, str] | None = None, **arguments: Any) -> Answered:
        facts = BY_NAME[operation]
        path = {name: str(arguments.pop(name)) for name in facts.path_fields if name in arguments}
        reads = facts.verb in ("GET", "DELETE")
        answered = await rest.answer(
            facts,
            func.HttpRequest(
                method=facts.verb,
                url="http://localhost" + facts.path.format(**{name: quote(value, safe="%") for name, value in path.items()}),
                headers={"authorization": f"Bearer {self.keys.get(role, role)}", "user-agent": "spec/1", **(headers or {})},
                params={name: _text(value) for name, value in arguments.items()} if reads else {},
                route_params=path,
                body=b"" if reads else json.dumps(arguments).encode(),
            ),
            self.context,
        )
        answer = answered.response
        body = json.loads(answer.get_body())
        return Answered(body, body["code"] if answer.status_code >= 400 else None, answered.wakes)

    async def mcp(self, role: str, operation: str, /, **arguments: Any) -> Answered:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": f"billy_{operation}", "arguments": arguments}}
        headers = {
            "host": "localhost:7071",
            "authorization": f"Bearer {self.keys.get(role, role)}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-11-25",
        }
        answer = await mcp.answer(
            mcp.Request(Origin("mcp", None, "spec/1"), "POST", headers, {}, json.dumps(message).encode()), self.context
        )
        result = json.loads(answer.body).get("result", {})
        body = result.get("structuredContent") or {}
        return Answered(body, body["code"] if result.get("isError") else None, answer.wakes)

    async def know(self, kind: str, id: str) -> None:
        """The mirror learns of an object, as from its event."""
        stripe = await self.context.stripe()
        await self.context.mirror.apply([(await stripe.retrieve(kind, id)).write])

    async def audit(self, **where: str) -> list[dict[str, Any]]:
        return list(await self.context.audit.list(limit=200, where=where))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox.url


TRACE = "0af7651916cd43dd8448eb211c80319c"


def invocation_of(function: str) -> Any:
    """What the host tells a function of its invocation."""
    return SimpleNamespace(function_name=function, trace_context=SimpleNamespace(trace_parent=f"00-{TRACE}-b7ad6b7169203331-01"))


@pytest.fixture(params=["rest", "mcp"])
def surface(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings that lead to Cosmos DB's and Table Storage's stand-ins, run for this test process."""
    from tests.peers.azurite import running_azurite
    from tests.peers.cosmos import KEY, running_cosmos

    home = tmp_path_factory.mktemp("emulators")
    with running_azurite(home) as connection, running_cosmos(home / "cosmos") as cosmos:
        facts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
        tables = {"tables_endpoint": facts["TableEndpoint"], "tables_key": facts["AccountKey"]}
        yield {"store": "azure", "cosmos_endpoint": cosmos, "cosmos_key": KEY, **tables}


async def emptied(emulators: dict[str, str]) -> None:
    """What the test before has left is gone."""
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.data.tables.aio import TableServiceClient

    from shared.stores.cosmos import CosmosAccount
    from tests.peers.azurite import ACCOUNT

    account = CosmosAccount(emulators["cosmos_endpoint"], emulators["cosmos_key"])
    cosmos = await account.client()
    async for each in cosmos.list_databases():
        await cosmos.delete_database(each["id"])
    await account.close()
    key = AzureNamedKeyCredential(ACCOUNT, emulators["tables_key"])
    async with TableServiceClient(emulators["tables_endpoint"], credential=key) as tables:
        async for each in tables.list_tables():
            await tables.delete_table(each.name)


@pytest.fixture(params=["embedded", pytest.param("azure", marks=pytest.mark.slow)])
async def stores(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of the stores that the test runs on."""
    if request.param == "embedded":
        return {}
    emulators = request.getfixturevalue("emulators")
    await emptied(emulators)
    return emulators


@pytest.fixture
async def billy(sandbox_url: str, tmp_path: Path, stores: dict[str, Any]) -> AsyncIterator[Billy]:
    clock = Clock()
    settings = Settings(home=tmp_path / "billy", stripe_api_base=sandbox_url, stripe_api_key=STRIPE_KEY, **stores)
    context = await make_context(settings, Seam(now=clock.now))
    keys = {role: (await make_key(context, f"the {role}", role, None, "system"))["key"] for role in ROLES}
    stripe = Stripe(sandbox_url)
    yield Billy(context, clock, stripe, keys)
    stripe.no_faults()
    await close_context(context)


@pytest.fixture
def both(billy: Billy, surface: str) -> Billy:
    """The same Billy, once over REST and once over MCP."""
    billy.surface = surface
    return billy

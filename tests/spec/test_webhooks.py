"""Stripe's deliveries: what is genuine is kept and applied, what is not leaves a row of refusal and nothing else."""

import asyncio
import hashlib
import hmac
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import azure.functions as func
import httpx
import orjson
import pytest

from functions import webhooks
from shared import wiring
from shared.errors import BillyError
from shared.gateway.webhook import FRESH, LARGEST_MESSAGE, SECRETS, accept, apply_message
from shared.people.keys import make_key
from shared.reading import EVENT
from shared.settings import Settings
from shared.telemetry.correlation import read_traceparent
from shared.wiring import close_context, make_context
from tests.edge.devhost_process import ROOT, RunningHost, running_host, wait_until
from tests.peers.sandbox import control, running_sandbox
from tests.spec.conftest import STRIPE_KEY, TRACE, Billy, Stripe, invocation_of

SECRET = "whsec_specification0000000000"
NEXT = "whsec_successor00000000000000"


def event(name: str = "evt_1", **value: Any) -> dict[str, Any]:
    charge = {
        "id": "ch_spec",
        "object": "charge",
        "created": 1_790_000_000,
        "amount": 100,
        "amount_captured": 100,
        "currency": "usd",
        "status": "succeeded",
    }
    return {
        "id": name,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_001,
        "livemode": False,
        "type": "charge.succeeded",
        "data": {"object": charge | value},
    }


def sign(payload: bytes, secret: str = SECRET, at: float | None = None) -> str:
    second = int(time.time() if at is None else at)
    return f"t={second},v1={hmac.new(secret.encode(), f'{second}.'.encode() + payload, hashlib.sha256).hexdigest()}"


async def deliver(billy: Billy, payload: bytes, signature: str | None) -> tuple[int, dict[str, Any], list[str]]:
    """Status, body and the messages that were queued, through the function itself."""
    queued: list[list[str]] = []

    class Out:
        def set(self, messages: list[str]) -> None:
            queued.append(messages)

    headers = {"user-agent": "Stripe/1.0"} | ({"stripe-signature": signature} if signature is not None else {})
    request = func.HttpRequest("POST", "http://localhost/webhooks/stripe", headers=headers, body=payload)
    answer = await webhooks.stripe_webhook._function.get_user_function()(request, invocation_of("stripe_webhook"), Out())
    return answer.status_code, json.loads(answer.get_body()), [message for messages in queued for message in messages]


@pytest.fixture
async def hooked(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Billy]:
    """A Billy whose webhook function is called, with a secret stored."""

    async def context() -> Any:
        return billy.context

    monkeypatch.setattr(wiring, "context", context)
    await billy.context.secrets.set(SECRETS, SECRET)
    yield billy


@pytest.mark.requirement("AB-050")
async def test_a_genuine_delivery_is_queued_and_answered(hooked: Billy) -> None:
    payload = json.dumps(event()).encode()
    status, body, messages = await deliver(hooked, payload, sign(payload))
    assert (status, body) == (200, {"received": True})
    assert [json.loads(message)["event"] for message in messages] == [event()]
    assert await hooked.audit(operation="stripe_webhook") == []


@pytest.mark.requirement("SC-52", "SC-48")
@pytest.mark.parametrize(
    "signature, says",
    [
        (lambda body: None, "not signed"),
        (lambda body: "t=1", "cannot be read"),
        (lambda body: sign(body, NEXT), "not valid"),
        (lambda body: sign(body + b" "), "not valid"),
        (lambda body: sign(body, at=time.time() - 310), "too old"),
        (lambda body: sign(body, at=time.time() + 310), "in the future"),
    ],
)
async def test_a_delivery_that_is_not_genuine_leaves_a_row_of_refusal_and_nothing_else(
    hooked: Billy, signature: Callable[[bytes], str | None], says: str
) -> None:
    payload = json.dumps(event()).encode()
    status, body, messages = await deliver(hooked, payload, signature(payload))
    assert (status, body["code"], messages) == (400, "invalid_request", [])
    assert says in body["detail"]
    (row,) = await hooked.audit(operation="stripe_webhook")
    assert (row["decision"], row["code"], row["client"]) == ("refused", "invalid_request", "Stripe/1.0")
    assert await hooked.context.records.find("events") == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"object": "event", "id": "evt_1"}',
        json.dumps(event("../evt")).encode(),
        json.dumps({"object": "v2.core.event", "id": "evt_thin", "type": "v1.charge.refunded"}).encode(),
        b"[" * 100_000,
    ],
)
async def test_a_signed_body_that_is_no_snapshot_event_is_refused(hooked: Billy, payload: bytes) -> None:
    status, body, messages = await deliver(hooked, payload, sign(payload))
    assert (status, body["code"], messages) == (400, "invalid_request", [])


@pytest.mark.requirement("SC-54")
async def test_a_huge_body_is_refused_before_anything_is_made_of_it(hooked: Billy) -> None:
    payload = b" " * (EVENT.size + 1)
    status, body, messages = await deliver(hooked, payload, sign(payload))
    assert (status, body["code"], messages) == (413, "too_large", [])


async def test_without_a_secret_the_webhook_says_that_it_is_not_configured(hooked: Billy) -> None:
    await hooked.context.secrets.set(SECRETS, " , ")
    payload = json.dumps(event()).encode()
    status, body, messages = await deliver(hooked, payload, sign(payload, ""))
    assert (status, body["code"], messages) == (503, "unavailable", [])


@pytest.mark.requirement("SC-54")
async def test_during_a_rotation_both_secrets_hold_and_within_a_minute_of_its_end_the_old_one_no_more(hooked: Billy) -> None:
    payload, secrets = json.dumps(event()).encode(), hooked.context.secrets

    async def genuine(secret: str) -> bool:
        return (await deliver(hooked, payload, sign(payload, secret, hooked.clock.now())))[0] == 200

    assert (await genuine(SECRET), await genuine(NEXT)) == (True, False)
    await secrets.set(SECRETS, f"{SECRET},{NEXT}")
    hooked.clock.offset += FRESH + 1
    assert (await genuine(SECRET), await genuine(NEXT)) == (True, True)
    await secrets.set(SECRETS, NEXT)
    hooked.clock.offset += FRESH + 1
    assert (await genuine(SECRET), await genuine(NEXT)) == (False, True)


async def test_the_setting_overrides_the_stored_secrets(billy: Billy, tmp_path: Path) -> None:
    context = await make_context(Settings(home=tmp_path / "other", stripe_webhook_secret=f"{NEXT}, {SECRET}"))
    await context.secrets.set(SECRETS, "whsec_stored0000")
    payload = json.dumps(event()).encode()
    for secret in (SECRET, NEXT):
        assert json.loads(await accept(context, payload, sign(payload, secret)))["event"] == event()
    with pytest.raises(BillyError):
        await accept(context, payload, sign(payload, "whsec_stored0000"))
    await close_context(context)


async def test_an_event_that_is_too_large_for_a_queue_is_fetched_when_it_is_applied(hooked: Billy) -> None:
    metadata = {f"metadata[key{number}]": "ä" * 500 for number in range(50)}
    customer = hooked.stripe.call("POST", "/v1/customers", {"name": "Large", **metadata})
    (large,) = [
        each
        for each in hooked.stripe.call("GET", "/v1/events?type=customer.created&limit=10")["data"]
        if each["data"]["object"]["id"] == customer["id"]
    ]
    payload = json.dumps(large).encode()
    assert len(orjson.dumps(large)) > LARGEST_MESSAGE
    _, _, (message,) = await deliver(hooked, payload, sign(payload))
    told = json.loads(message)
    ours = read_traceparent(told.pop("traceparent"))
    assert (told["refetch"], told["event"]["id"], told["event"]["type"]) == (True, large["id"], "customer.created")
    assert told["event"]["data"]["object"] == {"id": customer["id"], "object": "customer", "created": customer["created"]}, "no body"
    assert ours and ours.id != TRACE, "the work belongs to the delivery's own trace, which no caller draws"
    await apply_message(hooked.context, json.loads(message))
    stored = await hooked.context.mirror.get("customer", customer["id"])
    assert stored is not None and orjson.loads(stored.body) == customer


@dataclass(frozen=True)
class Whole:
    """The app under the local host, a sandbox that delivers to it, and the owner's key."""

    host: RunningHost
    stripe: Stripe
    key: str

    def get(self, path: str) -> httpx.Response:
        return self.host.client.get(path, headers={"authorization": f"Bearer {self.key}"})

    def reads(self, path: str, **fields: Any) -> bool:
        answer = self.get(path)
        return answer.status_code == 200 and all(answer.json().get(name) == value for name, value in fields.items())

    def deliver(self, payload: bytes, signature: str) -> int:
        return self.host.client.post("/webhooks/stripe", content=payload, headers={"stripe-signature": signature}).status_code


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app itself, with a queue that brings a failed message back at once and puts it aside after eight tries."""
    folder = tmp_path_factory.mktemp("app")
    for name in ("function_app.py", "functions", "shared"):
        os.symlink(ROOT / name, folder / name)
    host = json.loads((ROOT / "host.json").read_text())
    host["extensions"]["queues"] |= {"visibilityTimeout": "00:00:00", "maxDequeueCount": 8}
    (folder / "host.json").write_text(json.dumps(host))
    return folder


async def _prepare(home: Path) -> str:
    context = await make_context(Settings(home=home))
    await context.secrets.set(SECRETS, SECRET)
    key = (await make_key(context, "the owner", "owner", None, "system"))["key"]
    await close_context(context)
    return key


@pytest.fixture(scope="module")
def whole(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    home = tmp_path_factory.mktemp("whole")
    key = asyncio.run(_prepare(home / "billy"))
    with running_sandbox(home / "sandbox", seed=11) as sandbox:
        settings = {"BILLY_HOME": str(home / "billy"), "BILLY_STRIPE_API_BASE": sandbox.url, "BILLY_STRIPE_API_KEY": STRIPE_KEY}
        stripe = Stripe(sandbox.url)
        with running_host(home / "host", app=app, **settings) as host:
            made = stripe.call("POST", "/v1/webhook_endpoints", {"url": f"{host.url}/webhooks/stripe", "enabled_events[0]": "*"})
            asyncio.run(_store(home / "billy", f"{SECRET},{made['secret']}"))
            yield Whole(host, stripe, key)


async def _store(home: Path, secrets: str) -> None:
    context = await make_context(Settings(home=home))
    await context.secrets.set(SECRETS, secrets)
    await close_context(context)


@pytest.mark.slow
@pytest.mark.requirement("AB-040", "AB-041", "AB-043", "AB-045", "AB-046", "AB-049")
def test_what_happens_at_stripe_is_readable_within_moments(whole: Whole) -> None:
    customer = whole.stripe.call("POST", "/v1/customers", {"name": "Ann", "email": "ann@example.com"})
    charge = whole.stripe.charge(2500, customer=customer["id"])
    wait_until(lambda: whole.reads(f"/api/charges/{charge['id']}", amount=2500, status="succeeded"), "the charge", 5)
    wait_until(lambda: whole.get("/api/charges").json()["total"] >= 1, "the list", 5)
    wait_until(lambda: whole.reads(f"/api/customers/{customer['id']}"), "the customer", 5)
    refund = whole.stripe.call("POST", "/v1/refunds", {"charge": charge["id"], "amount": 700})
    wait_until(lambda: whole.reads(f"/api/charges/{charge['id']}", amount_refunded=700), "the refunded charge", 5)
    wait_until(lambda: whole.reads(f"/api/refunds/{refund['id']}", amount=700), "the refund", 5)


@pytest.mark.slow
@pytest.mark.requirement("AB-047", "AB-048")
def test_subscriptions_and_invoices_follow_their_life_cycles(whole: Whole) -> None:
    card = {"payment_method": "pm_card_visa", "invoice_settings[default_payment_method]": "pm_card_visa"}
    customer = whole.stripe.call("POST", "/v1/customers", {"name": "Life", **card})
    price = whole.stripe.call(
        "POST", "/v1/prices", {"currency": "usd", "unit_amount": 900, "recurring[interval]": "month", "product_data[name]": "Plan"}
    )
    subscription = whole.stripe.call("POST", "/v1/subscriptions", {"customer": customer["id"], "items[0][price]": price["id"]})
    path = f"/api/subscriptions/{subscription['id']}"
    wait_until(lambda: whole.reads(path, status="active", cancel_at_period_end=False), "the active subscription", 5)
    wait_until(lambda: whole.reads(f"/api/invoices/{subscription['latest_invoice']}", status="paid"), "the paid invoice", 5)
    whole.stripe.call("POST", f"/v1/subscriptions/{subscription['id']}", {"cancel_at_period_end": "true"})
    wait_until(lambda: whole.reads(path, status="active", cancel_at_period_end=True), "the notice", 5)
    whole.stripe.call("DELETE", f"/v1/subscriptions/{subscription['id']}")
    wait_until(lambda: whole.reads(path, status="canceled"), "the end", 5)


@pytest.mark.slow
@pytest.mark.requirement("SC-89")
def test_customers_whose_ids_the_company_chose_are_asked_for_by_encoded_addresses(whole: Whole) -> None:
    ids = ["shop-7@harbour.example", "4711", "Möwe & Söhne", "50% off?#frag", "shop/7", "a b"]
    for number, id in enumerate(ids):
        customer = {"id": id, "object": "customer", "created": 1_790_000_000, "email": f"n{number}@harbour.example", "description": None}
        made = event(f"evt_chosen{number}") | {"type": "customer.created", "data": {"object": customer}}
        payload = json.dumps(made).encode()
        assert whole.deliver(payload, sign(payload)) == 200
    for number, id in enumerate(ids):
        wait_until(lambda id=id: whole.reads(f"/api/customers/{quote(id, safe='')}", id=id), id, 15)
        found = whole.get(f"/api/search?q=n{number}%40harbour.example").json()["data"]
        assert [each["id"] for each in found] == [id]
        assert whole.get(f"/api/charges?customer={quote(id, safe='')}").json()["total"] == 0


@pytest.mark.slow
@pytest.mark.requirement("SC-53")
def test_duplicates_and_disorder_end_in_stripes_state(whole: Whole) -> None:
    control(whole.stripe.url, "POST", "webhooks", {"duplicate": True, "shuffle": True})
    try:
        customer = whole.stripe.call("POST", "/v1/customers", {"name": "0"})
        for number in range(1, 15):
            whole.stripe.call("POST", f"/v1/customers/{customer['id']}", {"name": str(number)})
        wait_until(
            lambda: (
                whole.get(f"/api/customers/{customer['id']}").json().get("untrusted", {}).get("name") is not None
                and "14" in json.dumps(whole.get(f"/api/customers/{customer['id']}").json()["untrusted"]["name"])
            ),
            "the last name",
            15,
        )
        wait_until(lambda: control(whole.stripe.url, "GET", "health").json()["pending_deliveries"] == 0, "all deliveries", 15)
        wait_until(lambda: whole.host.lengths().get("stripe-events", 0) == 0, "all applied", 15)
        assert "14" in json.dumps(whole.get(f"/api/customers/{customer['id']}").json()["untrusted"]["name"])
    finally:
        control(whole.stripe.url, "POST", "webhooks", {"duplicate": False, "shuffle": False})


@pytest.mark.slow
@pytest.mark.requirement("SC-54")
def test_an_event_that_cannot_be_applied_is_tried_again_and_ends_in_the_poison_queue(whole: Whole) -> None:
    whole.stripe.fault(match="GET /v1/charges/ch_unreadable", kind="status", status=400, times=10_000)
    payload = json.dumps(event("evt_unreadable", id="ch_unreadable", description="x" * LARGEST_MESSAGE)).encode()
    assert whole.deliver(payload, sign(payload)) == 200
    wait_until(lambda: whole.host.lengths().get("stripe-events-poison", 0) == 1, "the poison message", 60)
    assert whole.host.lengths().get("stripe-events", 0) == 0


@pytest.mark.slow
def test_a_kill_loses_no_accepted_event(app: Path, tmp_path: Path) -> None:
    key = asyncio.run(_prepare(tmp_path / "billy"))
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = {"BILLY_HOME": str(tmp_path / "billy"), "BILLY_STRIPE_API_BASE": sandbox.url, "BILLY_STRIPE_API_KEY": STRIPE_KEY}
        accepted: list[str] = []
        with running_host(tmp_path / "host", "--lease", "2", app=app, **settings) as host:
            for number in range(150):
                payload = json.dumps(event(f"evt_kill{number}", id=f"ch_kill{number}")).encode()
                if host.client.post("/webhooks/stripe", content=payload, headers={"stripe-signature": sign(payload)}).status_code == 200:
                    accepted.append(f"ch_kill{number}")
            host.kill()
        assert len(accepted) == 150
        with running_host(tmp_path / "host", "--lease", "2", app=app, **settings) as host:
            again = Whole(host, Stripe(sandbox.url), key)
            wait_until(lambda: again.get("/api/charges").json()["total"] == 150, "all that was accepted", 30)
            assert host.lengths().get("stripe-events-poison", 0) == 0

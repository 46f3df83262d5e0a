"""Events and their signed deliveries."""

import json
import subprocess
from time import monotonic

import pytest
import stripe

from tests.peers.node import node_bin, node_env, node_modules
from tests.peers.receiver import Delivery
from tests.peers.sandbox import client_of, control, running_sandbox


def types(deliveries) -> list[str]:
    return [delivery.event["type"] for delivery in deliveries]


@pytest.fixture
def endpoint(client, receiver):
    made = client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["*"], "api_version": stripe.api_version}  # type: ignore[typeddict-item]
    )
    yield made
    client.v1.webhook_endpoints.delete(made.id)


def test_an_update_says_what_it_replaced_and_which_request_it_was(client):
    customer = client.v1.customers.create({"name": "Ada", "metadata": {"tier": "gold", "seat": "1"}, "preferred_locales": ["de"]})
    client.v1.customers.update(
        customer.id,
        {"name": "Grace", "metadata": {"tier": "", "team": "x"}, "preferred_locales": ["de", "fr"]},
        {"idempotency_key": f"update-{customer.id}"},
    )
    [event] = client.v1.events.list({"type": "customer.updated", "limit": 1}).data
    assert event.data.to_dict()["previous_attributes"] == {
        "name": "Ada",
        "metadata": {"tier": "gold", "team": None},
        "preferred_locales": ["de"],
    }
    assert event.data.object["name"] == "Grace"
    assert (event.api_version, event.request.idempotency_key) == (stripe.api_version, f"update-{customer.id}")
    assert event.request.id.startswith("req_")
    assert client.v1.events.retrieve(event.id).id == event.id


def test_an_update_that_changes_nothing_is_no_event(client):
    customer = client.v1.customers.create({"name": "Same"})
    before = client.v1.events.list({"limit": 1}).data[0].id
    client.v1.customers.update(customer.id, {"name": "Same"})
    assert client.v1.events.list({"limit": 1}).data[0].id == before


def test_a_refused_request_leaves_no_event(client):
    before = [event.id for event in client.v1.events.list({"limit": 1}).data]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"payment_method": "pm_unknown"})
    assert [event.id for event in client.v1.events.list({"limit": 1}).data] == before


def test_a_refunded_charge_is_told_in_order(client):
    intent = client.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})
    client.v1.refunds.create({"payment_intent": intent.id})
    told = [event.type for event in client.v1.events.list({"limit": 20}).data][::-1]
    last = max(at for at, type in enumerate(told) if type == "payment_intent.created")
    assert told[last : last + 5] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]


def test_events_are_filtered_by_type_types_and_wildcards(client):
    customer = client.v1.customers.create({})
    client.v1.customers.update(customer.id, {"name": "New"})
    client.v1.customers.delete(customer.id)
    listed = client.v1.events.list({"types": ["customer.deleted", "customer.created"], "limit": 2}).data
    assert [event.type for event in listed] == ["customer.deleted", "customer.created"]
    assert {event.type for event in client.v1.events.list({"type": "customer.*", "limit": 3}).data} == {
        "customer.created",
        "customer.updated",
        "customer.deleted",
    }
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.list({"types": ["customer.created"] * 21})


def test_events_are_gone_after_30_days(tmp_path):
    with running_sandbox(tmp_path) as running:
        client = client_of(running)
        client.v1.customers.create({})
        [event] = client.v1.events.list().data
        control(running.url, "POST", "clock", {"advance": 31 * 86400})
        assert client.v1.events.list().data == []
        with pytest.raises(stripe.InvalidRequestError, match="No such event"):
            client.v1.events.retrieve(event.id)


def test_the_secret_is_shown_once(client, endpoint):
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    assert all("secret" not in item.to_dict() for item in client.v1.webhook_endpoints.list().data)


def test_a_delivery_is_signed_over_its_bytes_for_stripe_python(client, endpoint, receiver):
    customer = client.v1.customers.create({"name": "Zoë 🧾"})
    delivery, *_ = receiver.wait(lambda got: len(got) >= 1)
    event = stripe.Webhook.construct_event(delivery.payload, delivery.signature, endpoint.secret)
    assert (event.type, event.data.object["id"], event.pending_webhooks) == ("customer.created", customer.id, 1)
    for payload, secret in ((delivery.payload.replace(b"customer", b"custemer", 1), endpoint.secret), (delivery.payload, "whsec_other")):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(payload, delivery.signature, secret)


@pytest.mark.slow
def test_a_delivery_is_signed_over_its_bytes_for_stripe_node(client, endpoint, receiver, tmp_path):
    client.v1.customers.create({"name": "Zoë 🧾"})
    delivery, *_ = receiver.wait(lambda got: len(got) >= 1)
    (tmp_path / "payload").write_bytes(delivery.payload)
    script = """
      const Stripe = require(process.argv[1] + '/stripe'); const fs = require('fs');
      const stripe = new Stripe('sk_test_x'); const [file, header, secret] = process.argv.slice(2);
      const payload = fs.readFileSync(file);
      const event = stripe.webhooks.constructEvent(payload, header, secret);
      let refused = 0;
      try { stripe.webhooks.constructEvent(payload, header, 'whsec_other'); } catch { refused = 1; }
      console.log(JSON.stringify({type: event.type, version: event.api_version, refused}));
    """
    done = subprocess.run(
        [node_bin(), "-e", script, str(node_modules()), str(tmp_path / "payload"), delivery.signature, endpoint.secret],
        capture_output=True,
        text=True,
        env=node_env(),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"type": "customer.created", "version": stripe.api_version, "refused": 1}


def test_an_endpoint_gets_what_it_asked_for(client, receiver):
    endpoint = client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["charge.*", "customer.deleted"]})  # type: ignore[list-item]
    customer = client.v1.customers.create({})
    client.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})
    client.v1.customers.delete(customer.id)
    got = receiver.wait(lambda got: "customer.deleted" in types(got))
    assert sorted(types(got)) == ["charge.succeeded", "customer.deleted"]
    client.v1.webhook_endpoints.delete(endpoint.id)


def test_a_failed_delivery_is_tried_again_with_growing_pauses(client, wire, endpoint, receiver):
    def made(got: list[Delivery]) -> list[Delivery]:
        return [each for each in got if each.event["type"] == "customer.created"]  # an earlier refund's reference may come meanwhile

    receiver.answer = lambda _: 500 if len(made(receiver.received)) < 3 else 200
    client.v1.customers.create({})
    first, second, third = made(receiver.wait(lambda got: len(made(got)) >= 3))
    assert first.event["id"] == second.event["id"] == third.event["id"]
    assert 0.4 < second.at - first.at < third.at - second.at
    # The endpoint's answer reaches the log of deliveries a moment after the receiver has seen the request.
    end = monotonic() + 10
    while client.v1.events.retrieve(first.event["id"]).pending_webhooks:
        assert monotonic() < end
    assert first.event["id"] in [event.id for event in client.v1.events.list({"delivery_success": True}).data]


def test_duplicates_and_shuffling_are_made_when_asked_for(client, wire, endpoint, receiver):
    wire.post("/_sandbox/webhooks", json={"pause": True})
    made = [client.v1.customers.create({}).id for _ in range(12)]
    assert receiver.received == []
    wire.post("/_sandbox/webhooks", json={"pause": False, "duplicate": 1, "shuffle": True})
    got = receiver.wait(lambda got: len(got) >= 24)
    assert sorted(delivery.event["data"]["object"]["id"] for delivery in got) == sorted(made * 2)
    assert list(dict.fromkeys(delivery.event["data"]["object"]["id"] for delivery in got)) != made


def test_undelivered_events_are_sent_after_a_restart(tmp_path, receiver):
    with running_sandbox(tmp_path) as first:
        client = client_of(first)
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        control(first.url, "POST", "webhooks", {"pause": True})
        customer = client.v1.customers.create({})
        first.kill()
    assert receiver.received == []
    with running_sandbox(tmp_path):
        got = receiver.wait(lambda got: len(got) >= 1)
    assert {delivery.event["data"]["object"]["id"] for delivery in got} == {customer.id}, "once or twice, as an untamed sandbox sends"

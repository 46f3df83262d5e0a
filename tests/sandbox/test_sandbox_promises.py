"""The sandbox sends what Stripe documents and no more, in any order and twice, and knows some things only later."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
import stripe

from tests.peers.receiver import running_receiver
from tests.peers.sandbox import client_of, control, running_sandbox

PAID = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}


def about(client: stripe.StripeClient, *ids: str) -> list[str]:
    """The types of the events about these objects, oldest first."""
    events = client.v1.events.list({"limit": 100}).data
    return [event.type for event in events if event.data.object["id"] in ids][::-1]


def billed(client: stripe.StripeClient, method: str) -> tuple[stripe.Customer, stripe.Invoice]:
    customer = client.v1.customers.create({"email": "promise@example.com"})
    attached = client.v1.payment_methods.attach(method, {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": attached.id}})
    invoice = client.v1.invoices.create({"customer": customer.id})
    client.v1.invoice_items.create({"customer": customer.id, "invoice": invoice.id, "amount": 1000, "currency": "usd"})
    return customer, client.v1.invoices.finalize_invoice(invoice.id)


def test_unless_it_was_tamed_every_event_comes_twice_and_not_in_order(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, seed=3) as running, running_receiver() as receiver:
        client = client_of(running)
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["customer.created"]})
        control(running.url, "POST", "webhooks", {"pause": True})
        made = [client.v1.customers.create({}).id for _ in range(12)]
        control(running.url, "POST", "webhooks", {"pause": False})
        came = [delivery.event["data"]["object"]["id"] for delivery in receiver.wait(lambda got: len(got) >= 24)]
        assert Counter(came) == Counter(made * 2)
        assert list(dict.fromkeys(came)) != made


def test_the_fee_of_a_payment_is_known_seconds_later_and_told_in_an_event_of_the_charge(client, wire) -> None:
    charge = client.v1.payment_intents.create({**PAID, "expand": ["latest_charge"]}).latest_charge
    assert charge.balance_transaction is None
    wire.post("/_sandbox/clock", json={"advance": 5})
    known = client.v1.charges.retrieve(charge.id)
    assert known.balance_transaction.startswith("txn_")
    assert about(client, charge.id) == ["charge.succeeded", "charge.updated"]
    assert client.v1.payment_intents.create(
        {**PAID, "capture_method": "automatic", "expand": ["latest_charge"]}
    ).latest_charge.balance_transaction
    held = client.v1.payment_intents.create({**PAID, "capture_method": "manual"})
    client.v1.payment_intents.capture(held.id)
    assert client.v1.charges.retrieve(held.latest_charge).balance_transaction is None


def test_a_subscription_that_is_announced_has_its_first_invoice(client) -> None:
    customer, _ = billed(client, "pm_card_visa")
    price = client.v1.prices.create(
        {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "P"}}
    )
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    created = next(e for e in client.v1.events.list({"type": "customer.subscription.created"}).data if e.data.object["id"] == made.id)
    assert created.data.object["latest_invoice"] == made.latest_invoice is not None


@pytest.mark.parametrize("kind", ["unpromised", "promised"])
def test_what_another_objects_event_changes_is_told_only_where_that_was_asked_for(client, wire, kind: str) -> None:
    wire.post("/_sandbox/webhooks", json={"unpromised": kind == "unpromised"})
    customer, invoice = billed(client, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(invoice.id)
    assert client.v1.customers.retrieve(customer.id).delinquent is True
    client.v1.credit_notes.create({"invoice": invoice.id, "amount": 200})
    client.v1.invoices.void_invoice(invoice.id)
    assert client.v1.customers.retrieve(customer.id).delinquent is False
    held = client.v1.payment_intents.create({**PAID, "capture_method": "manual"})
    client.v1.payment_intents.cancel(held.id)
    assert client.v1.charges.retrieve(held.latest_charge).refunded is True
    disputed = client.v1.payment_intents.create({**PAID, "payment_method": "pm_card_createDispute"}).latest_charge
    told = about(client, customer.id, invoice.id, held.latest_charge, disputed)[4:]  # after the customer's own, and the draft's two
    unpromised = [type for type in told if type in ("customer.updated", "invoice.updated", "charge.refunded")]
    assert bool(unpromised) == (kind == "unpromised")
    assert "charge.updated" not in told


def test_an_authorisation_that_nobody_captures_ends_after_a_week(client, wire) -> None:
    held = client.v1.payment_intents.create({**PAID, "capture_method": "manual"})
    wire.post("/_sandbox/clock", json={"advance": 8 * 86400})
    after = client.v1.payment_intents.retrieve(held.id)
    assert (after.status, after.cancellation_reason) == ("canceled", "automatic")
    assert client.v1.charges.retrieve(held.latest_charge).refunded is True
    assert about(client, held.latest_charge) == ["charge.succeeded", "charge.expired"]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(held.id)


def test_a_refund_that_stays_pending_is_pending_after_weeks(client, wire) -> None:
    intent = client.v1.payment_intents.create({**PAID, "payment_method": "pm_card_refundStaysPending"})
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    wire.post("/_sandbox/clock", json={"advance": 30 * 86400})
    assert client.v1.refunds.retrieve(refund.id).status == "pending"


def test_a_dispute_is_won_in_stripes_order_answered_once_and_lost_by_silence(client, wire) -> None:
    def disputed(method: str = "pm_card_createDispute") -> stripe.Dispute:
        intent = client.v1.payment_intents.create({**PAID, "payment_method": method})
        return client.v1.disputes.list({"charge": intent.latest_charge}).data[0]

    won = disputed()
    client.v1.disputes.update(won.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    with pytest.raises(stripe.InvalidRequestError, match="once"):
        client.v1.disputes.update(won.id, {"evidence": {"uncategorized_text": "more"}})
    wire.post("/_sandbox/clock", json={"advance": 5})
    assert about(client, won.id)[-2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
    for attempt in (lambda: client.v1.disputes.close(won.id), lambda: client.v1.disputes.update(won.id, {"metadata": {"a": "b"}})):
        with pytest.raises(stripe.InvalidRequestError, match="closed") as refused:
            attempt()
        assert refused.value.code is None
    silent, inquiry = disputed(), disputed("pm_card_createDisputeInquiry")
    assert (inquiry.status, inquiry.is_charge_refundable) == ("warning_needs_response", True)
    for letters, name in ((20_001, "product_description"), (150_001, "uncategorized_text")):
        with pytest.raises(stripe.InvalidRequestError, match="at most"):
            client.v1.disputes.update(silent.id, {"evidence": {name: "x" * letters}, "submit": False})
    wire.post("/_sandbox/clock", json={"advance": 10 * 86400})
    after = client.v1.disputes.retrieve(silent.id)
    assert (after.status, after.evidence_details.past_due) == ("lost", True)
    assert client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"


def test_an_early_warning_moves_no_money_and_is_done_with_a_refund(client, wire: httpx.Client) -> None:
    intent = client.v1.payment_intents.create({**PAID, "payment_method": "pm_card_createIssuerFraudRecord"})
    charge = client.v1.charges.retrieve(intent.latest_charge)
    (warning,) = client.v1.radar.early_fraud_warnings.list({"charge": charge.id}).data
    assert (charge.disputed, warning.actionable) == (False, True)
    client.v1.refunds.create({"charge": charge.id})
    assert client.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable is False
    assert about(client, warning.id) == ["radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"]


def test_which_payments_are_offered_is_not_for_a_request_to_say(client) -> None:
    for attempt in (client.v1.payment_intents.create, client.v1.setup_intents.create):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            attempt(
                {"amount": 500, "currency": "usd", "payment_method_types": ["card"]}
                if attempt == client.v1.payment_intents.create
                else {"payment_method_types": ["card"]}
            )
        assert refused.value.code in ("payment_method_types_no_longer_supported", "parameter_unknown")


def test_a_cursor_that_was_deleted_brackets_in_metadata_and_a_fifth_level_are_refused(client, wire: httpx.Client) -> None:
    gone = client.v1.customers.create({})
    client.v1.customers.delete(gone.id)
    cursor = wire.get(f"/v1/customers?starting_after={gone.id}")
    assert (cursor.status_code, cursor.json()["error"]["param"]) == (400, "starting_after")
    assert wire.post("/v1/customers", content="metadata[a[b]]=c").status_code == 400
    assert wire.get("/v1/charges?expand[]=data.payment_intent.latest_charge.payment_intent.latest_charge").status_code == 400

"""The life of a subscription: how it starts, changes, renews and ends."""

import time

import pytest
import stripe

DAY = 86_400


@pytest.fixture
def monthly(client):
    product = client.v1.products.create({"name": "Pro"})
    terms = {"product": product.id, "unit_amount": 3000, "currency": "usd", "recurring": {"interval": "month"}}
    return client.v1.prices.create(terms)


@pytest.fixture
def paying(client):
    return payer(client, "pm_card_visa")


def payer(client, card: str):
    return client.v1.customers.create(
        {"email": "p@example.com", "payment_method": card, "invoice_settings": {"default_payment_method": card}}
    )


def refusal(call, *arguments) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call(*arguments)
    return caught.value


def subscribe(client, customer, price, **terms):
    return client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], **terms})


def item_of(subscription):
    return subscription["items"].data[0]


def advance(wire, seconds: int) -> None:
    wire.post("/_sandbox/clock", json={"advance": seconds}).raise_for_status()


def events_about(client, id: str) -> list[str]:
    found = client.v1.events.list({"limit": 100}).data
    return [event.type for event in reversed(found) if event.data.object.to_dict().get("id") == id]


def test_the_first_invoice_is_paid_through_an_intent_and_a_charge(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    assert subscription.status == "active"
    invoice = client.v1.invoices.retrieve(subscription.latest_invoice, {"expand": ["payments.data.payment.payment_intent"]})
    charge = client.v1.charges.retrieve(invoice.payments.data[0].payment.payment_intent.latest_charge)
    assert (invoice.status, invoice.billing_reason, charge.amount, charge.customer) == ("paid", "subscription_create", 3000, paying.id)
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert events_about(client, subscription.id) == ["customer.subscription.created", "customer.subscription.updated"]
    assert {"invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"} <= set(events_about(client, invoice.id))


def test_the_period_is_on_the_item_and_ends_a_month_later(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    item = item_of(subscription)
    assert 28 * DAY <= item.current_period_end - item.current_period_start <= 31 * DAY
    assert "current_period_end" not in subscription.to_dict()


def test_a_declined_first_payment_leaves_it_incomplete_with_an_open_invoice(client, monthly):
    subscription = subscribe(client, payer(client, "pm_card_chargeCustomerFail"), monthly)
    assert subscription.status == "incomplete"
    invoice = client.v1.invoices.retrieve(subscription.latest_invoice)
    assert (invoice.status, invoice.attempt_count, invoice.amount_remaining) == ("open", 1, 3000)
    assert "invoice.payment_failed" in events_about(client, invoice.id)


def test_paying_the_open_invoice_makes_an_incomplete_subscription_active(client, monthly):
    customer = payer(client, "pm_card_chargeCustomerFail")
    subscription = subscribe(client, customer, monthly)
    good = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.invoices.pay(subscription.latest_invoice, {"payment_method": good.id})
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_voiding_the_first_invoice_ends_an_incomplete_subscription(client, monthly):
    subscription = subscribe(client, payer(client, "pm_card_chargeCustomerFail"), monthly)
    client.v1.invoices.void_invoice(subscription.latest_invoice)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"


def test_error_if_incomplete_raises_the_decline_and_leaves_nothing(client, monthly):
    customer = payer(client, "pm_card_chargeCustomerFail")
    error = refusal(lambda: subscribe(client, customer, monthly, payment_behavior="error_if_incomplete"))
    assert isinstance(error, stripe.CardError)
    assert (error.code, error.error.decline_code) == ("card_declined", "generic_decline")
    assert client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []


def test_nobody_subscribes_without_a_way_to_pay_unless_billed(client, monthly):
    customer = client.v1.customers.create({"email": "poor@example.com"})
    assert refusal(lambda: subscribe(client, customer, monthly)).code == "resource_missing"
    assert subscribe(client, customer, monthly, payment_behavior="default_incomplete").status == "incomplete"
    billed = subscribe(client, customer, monthly, collection_method="send_invoice", days_until_due=14)
    assert billed.status == "active"
    assert client.v1.invoices.retrieve(billed.latest_invoice).status == "draft"


def test_cancelling_at_the_period_end_can_be_taken_back_while_it_runs(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    ending = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert ending.status == "active" and ending.cancel_at == item_of(subscription).current_period_end
    assert ending.canceled_at is not None and ending.cancellation_details.reason == "cancellation_requested"
    back = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert (back.cancel_at, back.canceled_at, back.cancel_at_period_end) == (None, None, False)
    event = client.v1.events.list({"type": "customer.subscription.updated", "limit": 1}).data[0]
    assert event.data.previous_attributes["cancel_at_period_end"] is True


def test_a_cancelled_subscription_takes_metadata_only(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    terms = {"cancellation_details": {"comment": "moved", "feedback": "unused"}}
    gone = client.v1.subscriptions.cancel(subscription.id, terms)
    assert gone.status == "canceled" and gone.ended_at == gone.canceled_at and gone.cancellation_details.feedback == "unused"
    error = refusal(client.v1.subscriptions.update, subscription.id, {"cancel_at_period_end": False})
    assert error.code == "invalid_canceled_subscription_fields"
    assert client.v1.subscriptions.update(subscription.id, {"metadata": {"a": "b"}}).metadata["a"] == "b"
    again = refusal(client.v1.subscriptions.cancel, subscription.id)
    assert (again.http_status, again.code) == (404, "resource_missing")


def test_cancelled_ones_are_listed_only_when_asked(client, paying, monthly):
    kept, gone = subscribe(client, paying, monthly), subscribe(client, paying, monthly)
    client.v1.subscriptions.cancel(gone.id)

    def listed(**terms):
        return [one.id for one in client.v1.subscriptions.list({"customer": paying.id, **terms}).data]

    assert listed() == [kept.id]
    assert set(listed(status="all")) == {kept.id, gone.id}
    assert listed(status="canceled") == [gone.id]
    assert listed(price=monthly.id) == [kept.id]


def test_deleting_a_customer_cancels_their_subscriptions(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    client.v1.customers.delete(paying.id)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert events_about(client, subscription.id)[-1] == "customer.subscription.deleted"


def test_a_dearer_price_is_prorated_by_the_second_on_the_next_invoice(client, paying, monthly, wire):
    subscription = subscribe(client, paying, monthly)
    advance(wire, 10 * DAY)
    dear = client.v1.prices.create({"product": monthly.product, "unit_amount": 9000, "currency": "usd", "recurring": {"interval": "month"}})
    client.v1.subscriptions.update(subscription.id, {"items": [{"id": item_of(subscription).id, "price": dear.id}]})
    credit, charge = sorted(item.amount for item in client.v1.invoice_items.list({"customer": paying.id, "pending": True}).data)
    item = item_of(subscription)
    left = (item.current_period_end - item.current_period_start - 10 * DAY) / (item.current_period_end - item.current_period_start)
    assert credit == pytest.approx(-3000 * left, abs=2) and charge == pytest.approx(9000 * left, abs=2)
    assert client.v1.invoices.create_preview({"subscription": subscription.id}).total == 9000 + credit + charge
    assert len(client.v1.invoice_items.list({"customer": paying.id, "pending": True}).data) == 2


def test_prorations_in_three_decimal_currencies_can_be_charged(client, paying, wire):
    product = client.v1.products.create({"name": "Oil"})
    terms = {"product": product.id, "unit_amount": 3330, "currency": "kwd", "recurring": {"interval": "month"}}
    price = client.v1.prices.create(terms)
    subscription = subscribe(client, paying, price)
    advance(wire, 11 * DAY + 7)
    item = item_of(subscription).id
    change = {"items": [{"id": item, "quantity": 2}], "proration_behavior": "always_invoice"}
    billed = client.v1.subscriptions.update(subscription.id, change)
    invoice = client.v1.invoices.retrieve(billed.latest_invoice)
    assert invoice.status == "paid" and all(line.amount % 10 == 0 for line in invoice.lines.data)


def test_proration_can_be_invoiced_at_once_or_left_out(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    item = item_of(subscription).id
    before = subscription.latest_invoice
    quiet = client.v1.subscriptions.update(subscription.id, {"items": [{"id": item, "quantity": 2}], "proration_behavior": "none"})
    assert quiet.latest_invoice == before
    terms = {"items": [{"id": item, "quantity": 3}], "proration_behavior": "always_invoice"}
    billed = client.v1.subscriptions.update(subscription.id, terms)
    invoice = client.v1.invoices.retrieve(billed.latest_invoice)
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_update") and invoice.total == pytest.approx(3000, abs=1)


def test_items_come_and_go_but_one_must_stay(client, paying, monthly):
    subscription = subscribe(client, paying, monthly)
    extra = client.v1.prices.create({"product": monthly.product, "unit_amount": 500, "currency": "usd", "recurring": {"interval": "month"}})
    added = client.v1.subscription_items.create({"subscription": subscription.id, "price": extra.id, "quantity": 4})
    assert added.id in {one.id for one in client.v1.subscription_items.list({"subscription": subscription.id}).data}
    assert client.v1.subscription_items.update(added.id, {"quantity": 5}).quantity == 5
    assert client.v1.subscription_items.delete(added.id).deleted is True
    assert refusal(client.v1.subscription_items.delete, item_of(subscription).id).param == "items"


@pytest.mark.parametrize("change", [{"currency": "eur"}, {"recurring": {"interval": "year"}}])
def test_items_share_currency_and_interval(client, paying, monthly, change):
    terms = {"product": monthly.product, "unit_amount": 500, "currency": "usd", "recurring": {"interval": "month"}, **change}
    other = client.v1.prices.create(terms)
    error = refusal(client.v1.subscriptions.create, {"customer": paying.id, "items": [{"price": monthly.id}, {"price": other.id}]})
    assert error.param == "items"


def test_a_trial_bills_nothing_then_the_first_period(client, paying, monthly, wire):
    subscription = subscribe(client, paying, monthly, trial_period_days=7)
    assert subscription.status == "trialing"
    assert client.v1.invoices.retrieve(subscription.latest_invoice).total == 0
    advance(wire, 4 * DAY + 60)
    assert "customer.subscription.trial_will_end" in events_about(client, subscription.id)
    advance(wire, 3 * DAY)
    started = client.v1.subscriptions.retrieve(subscription.id)
    assert started.status == "active" and client.v1.invoices.retrieve(started.latest_invoice).status == "draft"
    advance(wire, 3_700)
    invoice = client.v1.invoices.retrieve(started.latest_invoice)
    assert (invoice.status, invoice.total) == ("paid", 3000)


def test_a_period_renews_and_a_failing_card_makes_it_past_due_then_cancelled(client, paying, monthly, wire):
    subscription = subscribe(client, paying, monthly)
    bad = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": paying.id})
    client.v1.customers.update(paying.id, {"invoice_settings": {"default_payment_method": bad.id}})
    advance(wire, 32 * DAY)
    advance(wire, 3_700)
    late = client.v1.subscriptions.retrieve(subscription.id)
    assert late.status == "past_due" and late.latest_invoice != subscription.latest_invoice
    assert item_of(late).current_period_start == item_of(subscription).current_period_end
    for _ in range(3):
        advance(wire, 8 * DAY)
    ended = client.v1.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")


def test_it_ends_at_the_period_end_when_told_to(client, paying, monthly, wire):
    subscription = subscribe(client, paying, monthly)
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    advance(wire, 32 * DAY)
    ended = client.v1.subscriptions.retrieve(subscription.id)
    assert ended.status == "canceled" and ended.latest_invoice == subscription.latest_invoice


def test_a_trial_without_a_card_can_pause_and_be_resumed(client, monthly, wire):
    customer = client.v1.customers.create({"email": "t@example.com"})
    terms = {"trial_period_days": 2, "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}}}
    subscription = subscribe(client, customer, monthly, **terms)
    paused = client.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert paused.status == "paused"
    assert refusal(client.v1.subscriptions.resume, subscription.id).code == "resource_missing"
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    assert client.v1.subscriptions.resume(subscription.id).status == "active"


def test_a_first_payment_that_never_comes_expires_after_a_day(client, monthly, wire):
    subscription = subscribe(client, payer(client, "pm_card_chargeCustomerFail"), monthly)
    advance(wire, DAY)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"


def test_collection_can_be_paused(client, paying, monthly, wire):
    subscription = subscribe(client, paying, monthly)
    client.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    advance(wire, 32 * DAY)
    after = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert after.status == "active" and after.latest_invoice.status == "void"


def test_a_one_time_price_cannot_be_subscribed_to(client, paying, monthly):
    single = client.v1.prices.create({"product": monthly.product, "unit_amount": 500, "currency": "usd"})
    assert refusal(lambda: subscribe(client, paying, single)).param == "items[0][price]"


def test_the_periods_of_long_months_return_to_their_day():
    from datetime import UTC, datetime

    from sandbox.resources.subscription_items import period_end

    anchor = int(datetime(2024, 1, 31, 12, tzinfo=UTC).timestamp())
    days, moment = [], anchor
    for _ in range(4):
        moment = period_end(anchor, moment, {"interval": "month", "interval_count": 1})
        days.append(time.strftime("%m-%d", time.gmtime(moment)))
    assert days == ["02-29", "03-31", "04-30", "05-31"]

"""Refunds: the arithmetic, what they do to the charge and the balance, and what forbids them."""

from time import monotonic, sleep

import pytest
import stripe


def paid(
    client: stripe.StripeClient, amount: int = 1000, currency: str = "usd", method: str = "pm_card_visa", **rest
) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create({"amount": amount, "currency": currency, "payment_method": method, "confirm": True, **rest})


def refused(client: stripe.StripeClient, **params) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.refunds.create(params)
    return error.value


def test_partial_refunds_add_up_and_the_rest_is_refunded_by_default(client):
    intent = paid(client)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300, "reason": "duplicate", "metadata": {"ticket": "7"}})
    assert (first.amount, first.status, first.charge, first.reason, first.metadata["ticket"]) == (
        300,
        "succeeded",
        intent.latest_charge,
        "duplicate",
        "7",
    )
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (300, False)
    rest = client.v1.refunds.create({"charge": charge.id})
    assert rest.amount == 700
    charge = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert sum(refund.amount for refund in charge.refunds.data) == charge.amount_refunded


def test_a_refund_above_what_is_left_is_refused(client):
    intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    error = refused(client, payment_intent=intent.id, amount=701)
    assert (error.http_status, error.param) == (400, "amount")
    assert error.user_message == "Refund amount ($7.01) is greater than unrefunded amount on charge ($7.00)"
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 300


def test_a_charge_is_refunded_once(client):
    intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id})
    assert refused(client, charge=intent.latest_charge).code == "charge_already_refunded"
    assert refused(client, charge=intent.latest_charge, amount=1).code == "charge_already_refunded"


@pytest.mark.parametrize("amount", [0, -5])
def test_a_refund_is_of_something(client, amount):
    error = refused(client, payment_intent=paid(client).id, amount=amount)
    assert (error.code, error.param) == ("parameter_invalid_integer", "amount")


def test_a_refund_takes_its_money_from_the_balance_without_a_fee(client):
    refund = client.v1.refunds.create({"payment_intent": paid(client).id, "amount": 400, "expand": ["balance_transaction"]})
    assert (refund.balance_transaction.amount, refund.balance_transaction.fee, refund.balance_transaction.net) == (-400, 0, -400)


def test_an_unpaid_intent_has_nothing_to_refund(client):
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    error = refused(client, payment_intent=intent.id)
    assert (error.http_status, error.code, error.param) == (400, None, None)
    assert error.user_message == f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."


def test_what_is_only_authorised_is_let_go_by_cancelling_the_intent(client):
    held = paid(client, 1000, capture_method="manual")
    for asked in ({"payment_intent": held.id}, {"charge": held.latest_charge}, {"charge": held.latest_charge, "amount": 100}):
        error = refused(client, **asked)
        assert (error.http_status, error.code, error.param) == (400, None, None)
        assert f"created by a PaymentIntent ({held.id}). You must cancel the PaymentIntent" in error.user_message
    assert client.v1.payment_intents.cancel(held.id).status == "canceled"
    assert "You must cancel the PaymentIntent" in refused(client, charge=held.latest_charge).user_message
    charge = client.v1.charges.create({"amount": 800, "currency": "usd", "source": "tok_visa", "capture": False})
    assert client.v1.refunds.create({"charge": charge.id}).amount == 800, "a charge without an intent is let go so"


def told(client: stripe.StripeClient, refund: str) -> list[str]:
    """The types of the events about a refund and its charge, oldest first, without the one that brings the charge's fee."""
    charge = client.v1.refunds.retrieve(refund).charge
    events = client.v1.events.list({"limit": 100}).data
    return [event.type for event in events if event.data.object["id"] in (refund, charge) and event.type != "charge.updated"][::-1]


def test_the_network_gives_a_card_refund_its_reference_a_moment_later(client, wire):
    refund = client.v1.refunds.create({"payment_intent": paid(client).id})
    assert "reference" not in refund.destination_details.card.to_dict()
    first = ["charge.succeeded", "refund.created", "charge.refunded"]
    assert told(client, refund.id)[:3] == first
    wire.post("/_sandbox/clock", json={"advance": 10})
    card = client.v1.refunds.retrieve(refund.id).destination_details.card
    assert (card.reference_status, len(card.reference)) == ("available", 16)
    assert told(client, refund.id) == [*first, "refund.updated", "charge.refund.updated"]
    wire.post("/_sandbox/clock", json={"advance": 600})
    assert told(client, refund.id) == [*first, "refund.updated", "charge.refund.updated"]


def test_the_reference_comes_by_itself_within_seconds(client):
    refund = client.v1.refunds.create({"payment_intent": paid(client).id})
    end = monotonic() + 10
    while "charge.refund.updated" not in told(client, refund.id):
        assert monotonic() < end
        sleep(0.2)


def test_metadata_of_a_refund_is_told_once(client):
    refund = client.v1.refunds.create({"payment_intent": paid(client).id})
    client.v1.refunds.update(refund.id, {"metadata": {"ticket": "7"}})
    types = told(client, refund.id)
    # Its reference is told by one event of each type.
    assert types.count("refund.updated") == 1 + types.count("charge.refund.updated")


def test_the_oldest_way_to_refund_answers_with_the_charge(client, wire):
    charge = paid(client).latest_charge
    answer = wire.post(f"/v1/charges/{charge}/refund", data={"amount": "300"}).json()
    assert (answer["id"], answer["amount_refunded"]) == (charge, 300)
    assert wire.post(f"/v1/charges/{charge}/refunds", data={"reverse_transfer": "true"}).status_code == 400


def test_a_refund_of_a_balance_of_the_customer_is_refused(client):
    error = refused(client, payment_intent=paid(client).id, origin="customer_balance")
    assert (error.http_status, error.param) == (400, "origin")


def test_a_dispute_is_told_as_a_dispute_and_not_as_a_change_of_its_charge(client):
    intent = paid(client, method="pm_card_createDispute")
    [dispute] = client.v1.disputes.list({"charge": intent.latest_charge}).data
    events = client.v1.events.list({"limit": 5}).data
    types = [event.type for event in events if event.data.object["id"] in (dispute.id, intent.latest_charge)][::-1]
    assert types == ["charge.succeeded", "charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert client.v1.charges.retrieve(intent.latest_charge).disputed is True


@pytest.mark.parametrize(
    ("method", "reason"), [("pm_card_createDispute", "fraudulent"), ("pm_card_createDisputeProductNotReceived", "product_not_received")]
)
def test_a_dispute_blocks_refunds_until_it_is_won(client, wire, method, reason):
    intent = paid(client, 5000, method=method)
    [dispute] = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.reason, dispute.amount, dispute.is_charge_refundable) == ("needs_response", reason, 5000, False)
    assert client.v1.charges.retrieve(intent.latest_charge).disputed is True
    assert refused(client, payment_intent=intent.id).code == "charge_disputed"
    answered = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (answered.status, answered.evidence_details.submission_count) == ("under_review", 1)
    wire.post("/_sandbox/clock", json={"advance": 60})
    assert client.v1.disputes.retrieve(dispute.id).status == "won"
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_a_dispute_that_is_given_up_is_lost_for_good(client):
    intent = paid(client, method="pm_card_createDispute")
    [dispute] = client.v1.disputes.list({"charge": intent.latest_charge}).data
    assert [moved.net for moved in dispute.balance_transactions] == [-1000 - 1500]
    assert client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)
    assert refused(client, payment_intent=intent.id).code == "charge_disputed"


def test_an_inquiry_leaves_refunds_possible(client):
    intent = paid(client, method="pm_card_createDisputeInquiry")
    [dispute] = client.v1.disputes.list({"charge": intent.latest_charge}).data
    assert (dispute.status, dispute.is_charge_refundable, dispute.balance_transactions) == ("warning_needs_response", True, [])
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_a_pending_refund_counts_at_once_and_succeeds_later(client, wire):
    intent = paid(client, method="pm_card_pendingRefund")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "pending"
    assert client.v1.charges.retrieve(intent.latest_charge).refunded is True
    wire.post("/_sandbox/clock", json={"advance": 60})
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert told(client, refund.id)[:4] == ["charge.succeeded", "refund.created", "charge.refunded", "refund.updated"]
    wire.post("/_sandbox/clock", json={"advance": 60})
    assert told(client, refund.id)[4:] == ["refund.updated", "charge.refund.updated"]


def test_a_refund_that_fails_after_it_succeeded_gives_the_charge_its_amount_back(client, wire):
    intent = paid(client, method="pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    assert refund.status == "succeeded"
    wire.post("/_sandbox/clock", json={"advance": 60})
    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_balance_transaction.amount) == ("failed", 600)
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}).status == "succeeded"


def test_no_event_of_the_charge_tells_that_its_refund_failed_later(client, wire):
    refund = client.v1.refunds.create({"payment_intent": paid(client, method="pm_card_refundFail").id})
    wire.post("/_sandbox/clock", json={"advance": 60})
    assert client.v1.refunds.retrieve(refund.id).status == "failed"
    assert told(client, refund.id) == [
        *("charge.succeeded", "refund.created", "charge.refunded"),
        *("refund.updated", "charge.refund.updated"),  # it has a reference by then
        *("refund.updated", "refund.failed"),
    ]


def test_only_a_refund_that_waits_for_the_customer_can_be_cancelled(client):
    refund = client.v1.refunds.create({"payment_intent": paid(client).id})
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        client.v1.refunds.cancel(refund.id)
    method = client.v1.payment_methods.create({"type": "konbini", "billing_details": {"name": "A", "email": "a@example.com"}})
    intent = paid(client, 5000, "jpy", method.id)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "instructions_email": "a@example.com"})
    assert refund.status == "requires_action"
    assert client.v1.refunds.cancel(refund.id).status == "canceled"
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    assert told(client, refund.id) == ["charge.succeeded", "refund.created", "charge.refunded", "refund.updated"]


def test_amounts_of_currencies_without_and_with_three_decimals(client):
    yen = paid(client, 700, "jpy")
    assert refused(client, payment_intent=yen.id, amount=701).user_message == (
        "Refund amount (¥701) is greater than unrefunded amount on charge (¥700)"
    )
    dinar = paid(client, 7500, "kwd")
    assert refused(client, payment_intent=dinar.id, amount=1001).param == "amount"
    assert client.v1.refunds.create({"payment_intent": dinar.id, "amount": 1010}).amount == 1010
    with pytest.raises(stripe.InvalidRequestError):
        paid(client, 7501, "kwd")


@pytest.mark.parametrize("currency", ["isk", "huf"])
def test_a_part_of_a_crown_or_a_forint_is_not_refunded(client, currency):
    intent = paid(client, 50_000, currency)
    error = refused(client, payment_intent=intent.id, amount=1050)
    assert (error.http_status, error.param, error.code) == (400, "amount", "invalid_charge_amount")
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}).amount == 1000
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 49_000


def test_all_that_is_left_of_a_charge_with_a_fraction_of_a_forint_can_be_refunded(client):
    intent = paid(client, 50_050, "huf")
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 50_000})
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 50}).amount == 50


def test_an_authorisation_is_captured_in_part_or_let_go(client):
    held = paid(client, 1000, capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 600})
    assert (taken.status, taken.amount_received) == ("succeeded", 600)
    assert refused(client, payment_intent=held.id, amount=601).param == "amount"
    charge = client.v1.charges.retrieve(held.latest_charge)
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (600, 400, False), "what was released counts as refunded"
    assert client.v1.refunds.create({"payment_intent": held.id, "amount": 250}).amount == 250
    error = refused(client, payment_intent=held.id, amount=351)
    assert error.user_message == "Refund amount ($3.51) is greater than unrefunded amount on charge ($3.50)"
    assert client.v1.refunds.create({"payment_intent": held.id}).amount == 350
    charge = client.v1.charges.retrieve(held.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert refused(client, payment_intent=held.id).code == "charge_already_refunded"
    other = paid(client, 1000, capture_method="manual")
    assert client.v1.payment_intents.cancel(other.id).status == "canceled"
    charge = client.v1.charges.retrieve(other.latest_charge)
    assert (charge.captured, charge.refunded) == (False, True)
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.payment_intents.cancel(held.id)
    assert error.value.code == "payment_intent_unexpected_state"

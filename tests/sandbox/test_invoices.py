"""The states of an invoice, what is frozen when, and credit notes."""

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from sandbox.resources.invoice_lines import spread


@pytest.fixture
def customer(client):
    return client.v1.customers.create(
        {
            "name": "Acme",
            "email": "a@example.com",
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )


def refusal(call, *arguments) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call(*arguments)
    return caught.value


def draft(client, customer, amount: int = 1000, currency: str = "usd", **terms):
    client.v1.invoice_items.create({"customer": customer.id, "amount": amount, "currency": currency, "description": "Work"})
    return client.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include", **terms})


def opened(client, customer, amount: int = 1000, **terms):
    return client.v1.invoices.finalize_invoice(draft(client, customer, amount, **terms).id)


def types_about(client, id: str) -> list[str]:
    return [e.type for e in reversed(client.v1.events.list({"limit": 100}).data) if e.data.object.to_dict().get("id") == id]


def test_a_new_invoice_is_a_draft_that_leaves_pending_items_alone_unless_asked(client, customer):
    item = client.v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "usd"})
    empty = client.v1.invoices.create({"customer": customer.id})
    assert (empty.status, empty.total, empty.number, empty.auto_advance) == ("draft", 0, None, False)
    taking = client.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    assert (taking.total, client.v1.invoice_items.retrieve(item.id).invoice) == (700, taking.id)


def test_numbers_count_up_with_the_customers_prefix(client, customer):
    prefix = client.v1.customers.retrieve(customer.id).invoice_prefix
    assert [opened(client, customer).number for _ in range(2)] == [f"{prefix}-0001", f"{prefix}-0002"]


def test_paying_makes_an_intent_a_charge_and_an_invoice_payment(client, customer):
    invoice = client.v1.invoices.pay(opened(client, customer).id)
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 1000, 0)
    payment = client.v1.invoice_payments.list({"invoice": invoice.id}).data[0]
    intent = client.v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert (payment.status, payment.amount_paid, intent.status, intent.amount) == ("paid", 1000, "succeeded", 1000)
    assert client.v1.charges.retrieve(intent.latest_charge).description == f"Payment for Invoice {invoice.number}"
    by_intent = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}})
    assert [one.id for one in by_intent.data] == [payment.id]
    assert types_about(client, invoice.id) == [
        *("invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"),
    ]
    assert "already paid" in str(refusal(client.v1.invoices.pay, invoice.id))


def test_a_declined_payment_is_a_402_that_leaves_its_traces(client, customer):
    bad = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    invoice = opened(client, customer)
    error = refusal(client.v1.invoices.pay, invoice.id, {"payment_method": bad.id})
    assert isinstance(error, stripe.CardError) and error.error.decline_code == "generic_decline"
    after = client.v1.invoices.retrieve(invoice.id)
    assert (after.status, after.attempt_count, after.attempted) == ("open", 1, True)
    assert client.v1.charges.list({"customer": customer.id}).data[0].status == "failed"
    assert types_about(client, invoice.id)[-1] == "invoice.payment_failed"
    assert client.v1.invoices.pay(invoice.id).status == "paid"


def test_a_card_that_wants_its_holder_asks_for_action(client, customer):
    card = client.v1.payment_methods.attach("pm_card_threeDSecure2Required", {"customer": customer.id})
    invoice = opened(client, customer)
    assert refusal(client.v1.invoices.pay, invoice.id, {"payment_method": card.id}).http_status == 402
    assert "invoice.payment_action_required" in types_about(client, invoice.id)


def test_money_received_elsewhere_settles_without_a_charge(client, customer):
    invoice = client.v1.invoices.pay(opened(client, customer).id, {"paid_out_of_band": True})
    assert (invoice.status, invoice.amount_paid, invoice.amount_paid_off_stripe) == ("paid", 1000, 1000)
    assert client.v1.charges.list({"customer": customer.id}).data == []
    assert client.v1.payment_intents.list({"customer": customer.id}).data[0].status == "canceled"


def test_amounts_are_frozen_when_finalized(client, customer):
    invoice = opened(client, customer)
    error = refusal(client.v1.invoices.update, invoice.id, {"description": "late"})
    assert error.code == "invoice_not_editable"
    assert refusal(
        client.v1.invoice_items.create, {"customer": customer.id, "amount": 1, "currency": "usd", "invoice": invoice.id}
    ).code == ("invoice_not_editable")
    item = invoice.lines.data[0].parent.invoice_item_details.invoice_item
    assert refusal(client.v1.invoice_items.delete, item).code == "invoice_not_editable"
    assert refusal(client.v1.invoices.finalize_invoice, invoice.id).code == "invoice_not_editable"
    assert client.v1.invoices.update(invoice.id, {"metadata": {"po": "7"}}).metadata["po"] == "7"


def test_a_draft_follows_its_items(client, customer):
    invoice = draft(client, customer)
    extra = client.v1.invoice_items.create({"customer": customer.id, "amount": 250, "currency": "usd", "invoice": invoice.id})
    assert client.v1.invoices.retrieve(invoice.id).total == 1250
    client.v1.invoice_items.update(extra.id, {"amount": 300})
    assert client.v1.invoices.retrieve(invoice.id).total == 1300
    client.v1.invoice_items.delete(extra.id)
    assert client.v1.invoices.retrieve(invoice.id).total == 1000


def test_only_single_drafts_can_be_deleted(client, customer):
    invoice = draft(client, customer)
    assert client.v1.invoices.delete(invoice.id).deleted is True
    assert refusal(client.v1.invoices.retrieve, invoice.id).http_status == 404
    assert refusal(client.v1.invoices.delete, opened(client, customer).id).code == "invoice_not_editable"


@pytest.mark.parametrize("state", ["draft", "paid", "void"])
def test_only_open_or_uncollectible_invoices_can_be_voided(client, customer, state):
    invoice = draft(client, customer)
    if state != "draft":
        client.v1.invoices.finalize_invoice(invoice.id)
    if state == "paid":
        client.v1.invoices.pay(invoice.id)
    if state == "void":
        assert client.v1.invoices.void_invoice(invoice.id).status == "void"
        assert types_about(client, invoice.id)[-1] == "invoice.voided"
    assert "open or uncollectible" in str(refusal(client.v1.invoices.void_invoice, invoice.id))
    if state == "void":
        assert "void" in str(refusal(client.v1.invoices.pay, invoice.id))


def test_an_uncollectible_invoice_can_still_be_paid_or_voided(client, customer):
    one, two = (client.v1.invoices.mark_uncollectible(opened(client, customer).id) for _ in range(2))
    assert one.status == "uncollectible" and one.status_transitions.marked_uncollectible_at
    assert client.v1.invoices.pay(one.id).status == "paid"
    assert client.v1.invoices.void_invoice(two.id).status == "void"
    assert "only mark open" in str(refusal(client.v1.invoices.mark_uncollectible, draft(client, customer).id))


def test_sending_needs_the_right_method_and_terms(client, customer):
    assert refusal(client.v1.invoices.create, {"customer": customer.id, "days_until_due": 7}).param == "days_until_due"
    assert refusal(client.v1.invoices.create, {"customer": customer.id, "collection_method": "send_invoice"}).param == "days_until_due"
    assert "send_invoice" in str(refusal(client.v1.invoices.send_invoice, draft(client, customer).id))
    billed = draft(client, customer, collection_method="send_invoice", days_until_due=7)
    sent = client.v1.invoices.send_invoice(billed.id)
    assert (sent.status, sent.due_date - sent.created) == ("open", 7 * 86_400)
    assert types_about(client, billed.id)[-2:] == ["invoice.finalized", "invoice.sent"]


def test_an_invoice_that_owes_nothing_is_paid_when_finalized(client, customer):
    assert opened(client, customer, 0).status == "paid"
    assert client.v1.payment_intents.list({"customer": customer.id}).data == []


def test_a_customers_credit_is_used_up_first(client, customer):
    client.v1.customers.update(customer.id, {"balance": -300})
    invoice = opened(client, customer)
    assert (invoice.total, invoice.starting_balance, invoice.amount_due, invoice.ending_balance) == (1000, -300, 700, 0)
    assert client.v1.customers.retrieve(customer.id).balance == 0


def test_lists_filter_by_state_customer_and_due_date(client, customer):
    single, billed = opened(client, customer), opened(client, customer, collection_method="send_invoice", days_until_due=7)
    listed = client.v1.invoices.list
    assert [one.id for one in listed({"customer": customer.id, "status": "open"}).data] == [billed.id, single.id]
    assert [one.id for one in listed({"customer": customer.id, "due_date": {"lte": billed.due_date}}).data] == [billed.id]
    assert [one.id for one in listed({"customer": customer.id, "collection_method": "charge_automatically"}).data] == [single.id]


def test_more_than_ten_lines_are_paged(client, customer):
    invoice = client.v1.invoices.create({"customer": customer.id, "currency": "usd"})
    lines = [{"amount": 100 + n, "description": f"line {n}"} for n in range(13)]
    full = client.v1.invoices.add_lines(invoice.id, {"lines": lines})
    assert (full.total, len(full.lines.data), full.lines.has_more) == (sum(100 + n for n in range(13)), 10, True)
    every = [line.amount for line in client.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter()]
    assert every == [100 + n for n in range(13)]


def test_a_discount_is_spread_over_the_lines(client, customer):
    coupon = client.v1.coupons.create({"amount_off": 100, "currency": "usd"})
    for amount in (100, 200, 301):
        client.v1.invoice_items.create({"customer": customer.id, "amount": amount, "currency": "usd"})
    terms = {"customer": customer.id, "pending_invoice_items_behavior": "include", "discounts": [{"coupon": coupon.id}]}
    invoice = client.v1.invoices.create(terms)
    shares = [line.discount_amounts[0].amount for line in invoice.lines.data]
    assert (invoice.subtotal, invoice.total, sum(shares)) == (601, 501, 100)
    assert invoice.total_discount_amounts[0].discount == invoice.discounts[0]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_parts_of_an_amount_add_up_to_it(amount, weights):
    shares = spread(amount, weights)
    assert sum(shares) == (amount if sum(weights) else 0)
    assert all(share >= 0 for share in shares)


def test_a_credit_note_lowers_what_an_open_invoice_asks_for(client, customer):
    invoice = opened(client, customer)
    note = client.v1.credit_notes.create({"invoice": invoice.id, "amount": 400, "reason": "order_change"})
    after = client.v1.invoices.retrieve(invoice.id)
    assert (note.type, note.number, note.pre_payment_amount) == ("pre_payment", f"{invoice.number}-CN-01", 400)
    assert (after.amount_due, after.amount_remaining, after.pre_payment_credit_notes_amount) == (600, 600, 400)
    assert client.v1.payment_intents.list({"customer": customer.id}).data[0].amount == 600
    assert client.v1.credit_notes.void_credit_note(note.id).status == "void"
    assert client.v1.invoices.retrieve(invoice.id).amount_due == 1000


def test_a_credit_note_over_everything_settles_the_invoice(client, customer):
    invoice = opened(client, customer)
    client.v1.credit_notes.create({"invoice": invoice.id, "amount": 1000})
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_a_credit_note_after_payment_says_where_the_money_goes(client, customer):
    invoice = client.v1.invoices.pay(opened(client, customer).id)
    assert refusal(client.v1.credit_notes.create, {"invoice": invoice.id, "amount": 300}).param == "amount"
    note = client.v1.credit_notes.create({"invoice": invoice.id, "amount": 300, "refund_amount": 200, "credit_amount": 100})
    assert (note.type, note.post_payment_amount) == ("post_payment", 300)
    assert client.v1.refunds.retrieve(note.refunds[0].refund).amount == 200
    assert client.v1.customers.retrieve(customer.id).balance == -100
    too_much = {"invoice": invoice.id, "amount": 701, "out_of_band_amount": 701}
    assert refusal(client.v1.credit_notes.create, too_much).param == "amount"
    assert "only void credit notes of open" in str(refusal(client.v1.credit_notes.void_credit_note, note.id))


def test_a_credit_note_can_name_lines_and_be_previewed(client, customer):
    invoice = opened(client, customer)
    line = invoice.lines.data[0].id
    terms = {
        "invoice": invoice.id,
        "lines": [
            {"type": "invoice_line_item", "invoice_line_item": line, "amount": 250},
            {"type": "custom_line_item", "description": "Sorry", "unit_amount": 50, "quantity": 2},
        ],
    }
    assert client.v1.credit_notes.preview(terms).total == 350
    assert client.v1.credit_notes.list({"invoice": invoice.id}).data == []
    note = client.v1.credit_notes.create(terms)
    assert [one.amount for one in client.v1.credit_notes.line_items.list(note.id).data] == [250, 100]


@pytest.mark.parametrize("state", ["draft", "void"])
def test_a_draft_or_void_invoice_takes_no_credit_note(client, customer, state):
    invoice = draft(client, customer)
    if state == "void":
        client.v1.invoices.finalize_invoice(invoice.id)
        client.v1.invoices.void_invoice(invoice.id)
    assert refusal(client.v1.credit_notes.create, {"invoice": invoice.id, "amount": 1}).param == "invoice"


def test_previews_leave_nothing_behind(client, customer):
    client.v1.invoice_items.create({"customer": customer.id, "amount": 900, "currency": "usd"})
    assert client.v1.invoices.create_preview({"customer": customer.id}).total == 900
    assert client.v1.invoices.list({"customer": customer.id}).data == []
    assert len(client.v1.invoice_items.list({"customer": customer.id, "pending": True}).data) == 1


def test_three_decimal_and_zero_decimal_invoices_are_charged_as_they_are(client):
    for currency, amount in (("jpy", 1500), ("kwd", 12_340)):
        customer = client.v1.customers.create(
            {"email": "c@example.com", "payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
        )
        paid = client.v1.invoices.pay(draft(client, customer, amount, currency).id)
        assert (paid.currency, paid.amount_paid) == (currency, amount)


def test_what_an_invoice_changes_of_its_customer_is_told_only_where_that_was_asked_for(client, wire, customer):
    opened(client, customer)
    assert "customer.updated" not in types_about(client, customer.id)[1:]
    wire.post("/_sandbox/webhooks", json={"unpromised": True})
    opened(client, customer)
    told = [e.data.object.to_dict() for e in client.v1.events.list({"limit": 100}).data if e.data.object.to_dict().get("id") == customer.id]
    assert told[0] == client.v1.customers.retrieve(customer.id).to_dict()
    assert told[-1]["invoice_settings"]["default_payment_method"] == customer.invoice_settings.default_payment_method

"""Destination charges: what goes to the seller, what is kept as a fee, and what a refund takes back of both."""

from typing import Any

import pytest
import stripe

from tests.sandbox.shapes import differences
from tests.sandbox.test_sandbox_refunds import paid, refused

SELLER = "acct_1Seller"
TO: dict[str, Any] = {"transfer_data": {"destination": SELLER}}


def charge_of(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> dict[str, Any]:
    paths = ["transfer", "application_fee"]
    return client.v1.charges.retrieve(str(intent.latest_charge), {"expand": paths}).to_dict()


def nets(client: stripe.StripeClient, *types: str) -> list[int]:
    """What the newest movements of these types did to the platform's balance."""
    return [client.v1.balance_transactions.list({"type": type, "limit": 1}).data[0].net for type in types]


def test_a_destination_charge_sends_the_whole_amount_on_and_takes_its_fee_back(client):
    intent = paid(client, 1000, **TO, application_fee_amount=123, on_behalf_of=SELLER)
    assert (intent.transfer_data.to_dict(), intent.application_fee_amount, intent.on_behalf_of) == ({"destination": SELLER}, 123, SELLER)
    charge = charge_of(client, intent)
    assert charge["transfer_data"] == {"amount": None, "destination": SELLER}
    assert (charge["application_fee_amount"], charge["on_behalf_of"]) == (123, SELLER)
    transfer, fee = charge["transfer"], charge["application_fee"]
    assert (transfer["id"][:3], transfer["amount"], transfer["destination"]) == ("tr_", 1000, SELLER)
    assert (fee["id"][:4], fee["amount"], fee["account"], fee["originating_transaction"]) == ("fee_", 123, SELLER, charge["id"])
    assert transfer["source_transaction"] == charge["id"]
    assert nets(client, "transfer", "application_fee") == [-1000, 123]
    assert "destination" not in charge, "the class of this version has none"


def test_a_share_of_the_payment_can_be_sent_on_instead_of_taking_a_fee(client):
    intent = paid(client, 1000, transfer_data={"destination": SELLER, "amount": 877})
    charge = charge_of(client, intent)
    assert (charge["transfer_data"], charge["transfer"]["amount"]) == ({"amount": 877, "destination": SELLER}, 877)
    assert (charge["application_fee"], charge["application_fee_amount"]) == (None, None)


def test_a_charge_without_an_intent_can_have_a_destination_too(client):
    charge = client.v1.charges.create(
        {"amount": 900, "currency": "usd", "source": "tok_visa", "transfer_data": {"destination": SELLER}, "application_fee_amount": 90}
    )
    assert (charge.transfer_data.destination, charge.transfer[:3], charge.application_fee[:4]) == (SELLER, "tr_", "fee_")
    for name, value in (("destination", {"account": SELLER}), ("application_fee", 9)):
        with pytest.raises(stripe.InvalidRequestError) as error:
            client.v1.charges.create({"amount": 900, "currency": "usd", "source": "tok_visa", name: value})  # type: ignore[misc]
        assert (error.value.http_status, error.value.param) == (400, name)


def test_other_charges_have_no_transfer_and_no_fee(client):
    charge = client.v1.charges.retrieve(paid(client).latest_charge).to_dict()
    assert "transfer" not in charge
    assert (charge["transfer_data"], charge["application_fee"], charge["on_behalf_of"]) == (None, None, None)
    alone = client.v1.charges.retrieve(paid(client, on_behalf_of=SELLER).latest_charge).to_dict()
    assert (alone["on_behalf_of"], "transfer" in alone) == (SELLER, False)


def test_a_fee_of_zero_is_asked_for_and_no_fee(client):
    charge = charge_of(client, paid(client, 1000, **TO, application_fee_amount=0))
    assert (charge["application_fee_amount"], charge["application_fee"]) == (0, None)
    error = refused(client, charge=charge["id"], refund_application_fee=True, reverse_transfer=True)
    assert "has no application fee" in error.user_message


def test_nothing_is_sent_on_before_the_capture_and_then_only_what_was_captured(client):
    held = paid(client, 1000, **TO, application_fee_amount=300, capture_method="manual")
    charge = charge_of(client, held)
    assert (charge["transfer"], charge["application_fee"]) == (None, None)
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 200})
    charge = charge_of(client, taken)
    assert (charge["transfer"]["amount"], charge["application_fee"]["amount"], charge["application_fee_amount"]) == (200, 200, 300)
    other = paid(client, 1000, **TO, application_fee_amount=300, capture_method="manual")
    client.v1.payment_intents.capture(other.id, {"amount_to_capture": 500, "application_fee_amount": 50})
    assert charge_of(client, other)["application_fee"]["amount"] == 50
    third = paid(client, 1000, **TO, capture_method="manual")
    captured = client.v1.payment_intents.capture(third.id, {"transfer_data": {"amount": 400}})
    assert (captured.transfer_data.amount, charge_of(client, third)["transfer"]["amount"]) == (400, 400)


def test_an_intent_takes_other_shares_until_it_is_paid(client):
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd", **TO, "application_fee_amount": 100})
    changed = client.v1.payment_intents.update(intent.id, {"application_fee_amount": 250})
    assert (changed.application_fee_amount, changed.transfer_data.destination) == (250, SELLER)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.update(intent.id, {"amount": 200})
    cleared = client.v1.payment_intents.update(intent.id, {"application_fee_amount": "", "transfer_data": {"amount": 700}})
    assert (cleared.application_fee_amount, cleared.transfer_data.to_dict()) == (None, {"destination": SELLER, "amount": 700})
    done = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert charge_of(client, done)["transfer"]["amount"] == 700
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.update(intent.id, {"transfer_data": {"amount": 600}})


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"application_fee_amount": 10}, "parameter_missing", None),
        ({"transfer_data": {"destination": "seller"}}, "resource_missing", "transfer_data[destination]"),
        ({"on_behalf_of": "seller"}, "resource_missing", "on_behalf_of"),
        ({**TO, "application_fee_amount": 1001}, None, "application_fee_amount"),
        ({**TO, "application_fee_amount": -1}, "parameter_invalid_integer", "application_fee_amount"),
        ({"transfer_data": {"destination": SELLER, "amount": 1001}}, None, "transfer_data[amount]"),
        ({"transfer_data": {"destination": SELLER, "amount": 0}}, "parameter_invalid_integer", "transfer_data[amount]"),
        ({"transfer_data": {"destination": SELLER, "amount": 900}, "application_fee_amount": 50}, None, "application_fee_amount"),
        ({"transfer_data": {"destination": SELLER, "description": "x"}}, None, "transfer_data[description]"),
        ({"transfer_data": {"amount": 5}}, "parameter_missing", "transfer_data[destination]"),
    ],
)
def test_shares_that_cannot_be_are_refused(client, form, code, param):
    with pytest.raises(stripe.InvalidRequestError) as error:
        paid(client, 1000, **form)
    assert (error.value.http_status, error.value.code, error.value.param) == (400, code, param)


def test_the_platform_is_no_seller_of_its_own(client, wire):
    own = wire.get("/v1/account").json()["id"]
    with pytest.raises(stripe.InvalidRequestError, match="cannot be set to your own account"):
        paid(client, 1000, transfer_data={"destination": own})


def test_a_refund_leaves_the_seller_and_the_platform_what_they_got(client):
    intent = paid(client, 1000, **TO, application_fee_amount=100)
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.transfer_reversal is None
    charge = charge_of(client, intent)
    assert (charge["transfer"]["amount_reversed"], charge["application_fee"]["amount_refunded"]) == (0, 0)


def test_a_refund_takes_the_transfer_and_the_fee_back_in_its_proportion_and_the_last_one_all_the_rest(client):
    intent = paid(client, 1000, **TO, application_fee_amount=101)
    first = client.v1.refunds.create(
        {
            "payment_intent": intent.id,
            "amount": 333,
            "reverse_transfer": True,
            "refund_application_fee": True,
            "expand": ["transfer_reversal"],
        }
    )
    assert (first.transfer_reversal.id[:4], first.transfer_reversal.amount, first.transfer_reversal.source_refund) == (
        "trr_",
        333,
        first.id,
    )
    charge = charge_of(client, intent)
    assert (charge["transfer"]["amount_reversed"], charge["transfer"]["reversed"]) == (333, False)
    assert charge["application_fee"]["amount_refunded"] == 33
    kept = client.v1.refunds.create({"payment_intent": intent.id, "amount": 67, "reverse_transfer": True})
    assert kept.transfer_reversal.startswith("trr_")
    assert charge_of(client, intent)["application_fee"]["amount_refunded"] == 33
    client.v1.refunds.create({"payment_intent": intent.id, "reverse_transfer": True, "refund_application_fee": True})
    charge = charge_of(client, intent)
    assert (charge["transfer"]["amount_reversed"], charge["transfer"]["reversed"]) == (1000, True)
    assert (charge["application_fee"]["amount_refunded"], charge["application_fee"]["refunded"]) == (101, True)
    assert [reversal["amount"] for reversal in charge["transfer"]["reversals"]["data"]] == [600, 67, 333]
    assert nets(client, "transfer_refund", "application_fee_refund") == [600, -68]


def test_a_refund_takes_back_only_what_there_is(client):
    plain, sold = paid(client), paid(client, 1000, **TO, application_fee_amount=100)
    error = refused(client, payment_intent=plain.id, reverse_transfer=True)
    assert (error.http_status, error.code, error.param) == (400, None, None)
    assert error.user_message == f"Cannot reverse transfer on charge {plain.latest_charge} because it does not have an associated transfer."
    error = refused(client, payment_intent=plain.id, refund_application_fee=True)
    assert error.user_message == f"Attempting to refund_application_fee on {plain.latest_charge}, but it has no application fee"
    error = refused(client, payment_intent=sold.id, refund_application_fee=True)
    assert "must also reverse the transfer" in error.user_message
    assert client.v1.refunds.list({"payment_intent": sold.id}).data == []
    assert client.v1.refunds.create({"payment_intent": plain.id, "reverse_transfer": False}).status == "succeeded"


def test_what_a_destination_charge_leaves_has_the_shapes_of_its_classes_and_is_told(client, wire):
    intent = paid(client, 1000, **TO, application_fee_amount=101)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 500, "reverse_transfer": True, "refund_application_fee": True})
    paths = ("transfer", "application_fee", "payment_intent", "refunds")
    charge = wire.get(f"/v1/charges/{intent.latest_charge}", params={f"expand[{at}]": path for at, path in enumerate(paths)}).json()
    assert differences(charge) == []
    events = wire.get("/v1/events?limit=11").json()["data"][::-1]
    assert [line for event in events for line in differences(event["data"]["object"])] == []
    told = [event["type"] for event in events]
    assert [type for type in told if type.startswith(("transfer", "application_fee"))][-4:] == [
        "transfer.created",
        "application_fee.created",
        "transfer.reversed",
        "application_fee.refunded",
    ]


def test_a_transfer_and_what_refunds_took_back_of_it_can_be_read_and_listed(client, wire):
    intent = paid(client, 1000, transfer_data={"destination": "acct_1Other"}, transfer_group="order 7")
    for cents in (300, 200):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": cents, "reverse_transfer": True})
    id = charge_of(client, intent)["transfer"]["id"]
    transfer = client.v1.transfers.retrieve(id)
    assert (transfer.amount, transfer.amount_reversed, transfer.reversed, transfer.source_transaction) == (
        1000,
        500,
        False,
        intent.latest_charge,
    )
    for filters in ({"destination": "acct_1Other"}, {"transfer_group": "order 7"}):
        assert [one.id for one in client.v1.transfers.list(filters).data] == [id]
    assert id not in [one.id for one in client.v1.transfers.list({"destination": SELLER}).data]
    newest, oldest = client.v1.transfers.reversals.list(id).data
    assert (newest.amount, oldest.amount) == (200, 300)
    assert client.v1.transfers.reversals.retrieve(id, oldest.id).to_dict() == oldest.to_dict()
    pages = client.v1.transfers.reversals.list(id, {"limit": 1})
    assert (pages.has_more, [one.id for one in pages.auto_paging_iter()]) == (True, [newest.id, oldest.id])
    assert differences(wire.get(f"/v1/transfers/{id}/reversals/{oldest.id}").json()) == []


def test_a_transfer_that_is_not_there_and_a_reversal_of_another_one_are_missing(client, wire):
    ours, other = (charge_of(client, paid(client, 1000, **TO)) for _ in range(2))
    client.v1.refunds.create({"charge": ours["id"], "reverse_transfer": True})
    (reversal,) = client.v1.transfers.reversals.list(ours["transfer"]["id"]).data
    for path in ("tr_none", "tr_none/reversals", f"{other['transfer']['id']}/reversals/{reversal.id}"):
        answer = wire.get(f"/v1/transfers/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing"), path

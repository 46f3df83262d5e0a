"""Lists, cursors and expansion, as stripe-python sees them."""

from email.utils import parsedate_to_datetime

import httpx
import pytest
import stripe


@pytest.fixture(scope="module")
def charges(sandbox) -> list[str]:
    """Twenty-five charges of one customer, oldest first; many share a second."""
    from tests.peers.sandbox import client_of

    client = client_of(sandbox)
    customer = client.v1.customers.create({"email": "many@example.com"})
    made = [
        client.v1.payment_intents.create(
            {"amount": 1000 + n, "currency": "usd", "customer": customer.id, "payment_method": "pm_card_visa", "confirm": True}
        )
        for n in range(25)
    ]
    return [str(intent.latest_charge) for intent in made]


def test_a_list_is_newest_first_even_within_one_second(client, charges):
    page = client.v1.charges.list({"limit": 100})
    assert [charge.id for charge in page.data] == charges[::-1]
    assert page.has_more is False
    assert page.url == "/v1/charges"


def test_a_page_has_ten_unless_asked_otherwise(client, charges):
    page = client.v1.charges.list()
    assert len(page.data) == 10
    assert page.has_more is True


def test_auto_paging_meets_every_object_once_in_both_directions(client, charges):
    assert [charge.id for charge in client.v1.charges.list({"limit": 4}).auto_paging_iter()] == charges[::-1]
    last = charges[0]
    backwards = client.v1.charges.list({"limit": 4, "ending_before": last})
    assert [charge.id for charge in backwards.auto_paging_iter()] == charges[1:]


def test_cursors_are_exclusive_and_an_unknown_one_is_refused(client, charges):
    page = client.v1.charges.list({"limit": 3, "starting_after": charges[10]})
    assert [charge.id for charge in page.data] == [charges[9], charges[8], charges[7]]
    page = client.v1.charges.list({"limit": 3, "ending_before": charges[10]})
    assert [charge.id for charge in page.data] == [charges[13], charges[12], charges[11]]
    with pytest.raises(stripe.InvalidRequestError, match="No such charge: 'ch_unknown'") as refused:
        client.v1.charges.list({"starting_after": "ch_unknown"})
    assert (refused.value.code, refused.value.param) == ("resource_missing", "starting_after")


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_outside_1_to_100_is_refused(client, limit):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.charges.list({"limit": limit})
    assert (refused.value.http_status, refused.value.param) == (400, "limit")


def test_created_bounds_and_filters_narrow_a_list(client, charges):
    oldest = client.v1.charges.retrieve(charges[0])
    assert client.v1.charges.list({"created": {"lt": oldest.created}}).data == []
    assert len(client.v1.charges.list({"created": {"gte": oldest.created, "lte": oldest.created + 600}, "limit": 100}).data) == 25
    same = client.v1.charges.list({"created": oldest.created, "limit": 100}).data
    assert charges[0] in [charge.id for charge in same]
    assert len(client.v1.charges.list({"customer": oldest.customer, "limit": 100}).data) == 25
    assert client.v1.charges.list({"customer": "cus_other"}).data == []
    assert [charge.id for charge in client.v1.charges.list({"payment_intent": oldest.payment_intent}).data] == [charges[0]]


def test_expand_replaces_ids_over_several_levels_and_inside_lists(client, wire, charges):
    wire.post("/_sandbox/clock", json={"advance": 5})  # until their balance transactions are known
    charge = client.v1.charges.retrieve(charges[3], {"expand": ["customer", "payment_intent.latest_charge.balance_transaction", "refunds"]})
    assert charge.customer.email == "many@example.com"
    assert charge.payment_intent.latest_charge.balance_transaction.net == 1003 - 29 - 30
    assert charge.refunds.data == []
    page = client.v1.charges.list({"limit": 2, "expand": ["data.customer", "data.balance_transaction"]})
    assert {item.customer.object for item in page.data} == {"customer"}
    assert {item.balance_transaction.type for item in page.data} == {"charge"}


@pytest.mark.parametrize("path", ["amount", "no_such_field", "customer.email", "a.b.c.d.e"])
def test_what_cannot_be_expanded_is_refused(client, charges, path):
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        client.v1.charges.retrieve(charges[0], {"expand": [path]})


def test_expand_without_data_in_a_list_says_what_was_meant(client, charges):
    with pytest.raises(stripe.InvalidRequestError, match=r"data\.customer"):
        client.v1.charges.list({"expand": ["customer"]})


def test_a_charge_has_no_refunds_unless_asked(wire: httpx.Client, charges):
    assert "refunds" not in wire.get(f"/v1/charges/{charges[0]}").json()


def test_a_deleted_customer_leaves_a_stub_and_no_list_shows_it(client):
    customer = client.v1.customers.create({"email": "gone@example.com"})
    client.v1.customers.delete(customer.id)
    assert client.v1.customers.retrieve(customer.id).to_dict() == {"id": customer.id, "object": "customer", "deleted": True}
    assert client.v1.customers.list({"email": "gone@example.com"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.update(customer.id, {"name": "Back"})


def test_a_deleted_customer_is_still_expandable_on_its_charges(client):
    customer = client.v1.customers.create({})
    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "customer": customer.id, "payment_method": "pm_card_visa", "confirm": True}
    )
    client.v1.customers.delete(customer.id)
    assert client.v1.payment_intents.retrieve(intent.id, {"expand": ["customer"]}).customer.deleted is True


def test_every_answer_carries_the_time_of_the_sandboxs_own_clock(wire):
    before = parsedate_to_datetime(wire.get("/v1/charges").headers["date"])
    wire.post("/_sandbox/clock", json={"advance": 86_400})
    after = parsedate_to_datetime(wire.get("/v1/charges").headers["date"])
    assert 86_400 <= (after - before).total_seconds() < 86_460

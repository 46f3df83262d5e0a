"""What of Stripe's objects the mirror keeps, and what an event writes."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import stripe

from shared.gateway.follows import SUBSCRIBED
from shared.gateway.kinds import API_VERSION, KINDS, is_id, write_from_object, writes_from_event
from tests.gateway.conftest import event_of

CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "object": "charge",
    "amount": 4599,
    "amount_captured": 4599,
    "amount_refunded": 500,
    "billing_details": {"email": "ann@example.com", "name": "Ann Smith"},
    "created": 1_790_000_000,
    "currency": "usd",
    "customer": "cus_1",
    "metadata": {"order": "A-17", "note": "blue"},
    "status": "succeeded",
}


def test_the_api_version_is_the_sdks() -> None:
    assert stripe.api_version == API_VERSION


def test_every_subscribed_event_type_is_one_that_stripe_knows() -> None:
    source = Path(str(stripe.__file__)).parent / "params" / "_webhook_endpoint_create_params.py"
    known = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', source.read_text()))
    assert len(known) > 200
    assert set(SUBSCRIBED) - known == set()


def test_every_event_type_that_carries_a_mirrored_kind_is_subscribed() -> None:
    source = Path(str(stripe.__file__)).parent / "params" / "_webhook_endpoint_create_params.py"
    known = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', source.read_text()))
    families = (*(f"{kind}." for kind in KINDS), "customer.subscription.")
    others = re.compile(r"customer\.(source|tax_id)\.|invoice\.upcoming")  # their objects are no mirrored ones
    assert {type for type in known if type.startswith(families) and not others.match(type)} == set(SUBSCRIBED)


def test_a_charge_is_kept_with_its_money_in_minor_units_and_the_words_it_is_found_by() -> None:
    write = write_from_object("charge", CHARGE, 1_790_000_005)
    assert (write.status, write.customer, write.currency, write.amount, write.refunded) == ("succeeded", "cus_1", "usd", 4599, 500)
    assert (write.created, write.stamp, write.deleted, write.expects) == (1_790_000_000, 1_790_000_005, False, None)
    assert orjson.loads(write.body) == CHARGE
    for word in ("ann@example.com", "Ann Smith", "cus_1", "A-17", "blue"):
        assert word in write.words


def test_an_expanded_customer_counts_as_its_id() -> None:
    assert write_from_object("charge", CHARGE | {"customer": {"id": "cus_9", "object": "customer"}}, 1).customer == "cus_9"


def test_words_are_bounded_whatever_people_write() -> None:
    write = write_from_object(
        "customer", {"id": "cus_1", "object": "customer", "created": 1, "name": "x" * 100_000, "metadata": {"a": "y"}}, 1
    )
    assert len(write.words) <= 4_000


@pytest.mark.parametrize("value", [None, "soon", -1, 2**40, True, 1.5])
def test_a_field_of_an_unexpected_type_is_left_out_and_not_a_crash(value: Any) -> None:
    write = write_from_object(
        "charge",
        CHARGE | {"created": value, "amount": "1", "amount_captured": "1", "metadata": value, "billing_details": value, "customer": 7},
        1,
    )
    assert (write.amount, write.customer) == (None, None)
    assert 0 <= write.created < 2**32


def test_a_deleted_object_leaves_nothing_but_its_id() -> None:
    write = write_from_object("customer", {"id": "cus_1", "object": "customer", "deleted": True}, 5)
    assert (write.deleted, orjson.loads(write.body)) == (True, {"id": "cus_1", "object": "customer", "deleted": True})
    (write,) = writes_from_event(
        event_of({"id": "cus_1", "object": "customer", "created": 3, "email": "ann@example.com"}, "customer.deleted", 9)
    )
    assert write.deleted and write.stamp == 9 and b"ann@" not in write.body and write.words == ""


@pytest.mark.parametrize(
    "type, value",
    [
        ("invoice.upcoming", {"object": "invoice", "created": 1}),
        ("customer.tax_id.deleted", {"id": "txi_1", "object": "tax_id", "created": 1}),
        ("customer.discount.deleted", {"id": "di_1", "object": "discount"}),
        ("payout.paid", {"id": "po_1", "object": "payout", "created": 1}),
        ("charge.updated", {"id": "", "object": "charge"}),
        ("charge.updated", {"id": "../v1/x", "object": "charge"}),
        ("charge.updated", {"id": 7, "object": "charge"}),
        ("charge.updated", {"id": "ch_1", "object": ["charge"]}),
        ("charge.updated", None),
    ],
)
@pytest.mark.requirement("AB-051")
def test_an_event_that_carries_nothing_mirrored_writes_nothing(type: str, value: Any) -> None:
    assert writes_from_event(event_of({}, type, 1) | {"data": {"object": value}}) == []


def test_the_end_of_a_subscription_is_a_status_and_not_a_deletion() -> None:
    value = {"id": "sub_1", "object": "subscription", "created": 1, "status": "canceled", "customer": "cus_1"}
    (write,) = writes_from_event(event_of(value, "customer.subscription.deleted", 7))
    assert (write.kind, write.status, write.deleted) == ("subscription", "canceled", False)


@pytest.mark.parametrize(
    "id, kind, good",
    [
        ("ch_1", "charge", True),
        ("", "charge", False),
        ("a/b", "coupon", False),
        ("SUMMER 10%", "coupon", True),
        ("SUMMER 10%", "charge", False),
        (".", "coupon", False),
        ("..", "coupon", False),
        ("", "coupon", False),
        ("a\nb", "coupon", False),
        ("x" * 256, "coupon", False),
        ("é", "charge", False),
    ],
)
def test_only_what_can_be_an_id_is_taken_for_one(id: str, kind: str, good: bool) -> None:
    assert is_id(id, kind) is good

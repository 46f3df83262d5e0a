"""What turns the meaning of an object is shown with it: paused collection, prices without one amount, cut lists, whose a balance is."""

from typing import Any

import pytest

from shared.operations.fields import formatted_decimal
from shared.operations.views import show
from shared.surfaces.openapi import document
from tests.spec.conftest import Billy
from tests.spec.courier import NOW, Courier
from tests.spec.courier import courier as courier

DAY = 86_400


def price(id: str = "price_1", **facts: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "price",
        "billing_scheme": "per_unit",
        "currency": "usd",
        "product": "prod_1",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "tiers_mode": None,
        "unit_amount": 1000,
        "unit_amount_decimal": "1000",
        **facts,
    }


def subscription(id: str, *prices: dict[str, Any], **facts: Any) -> dict[str, Any]:
    items = [
        {
            "id": f"si_{n}",
            "object": "subscription_item",
            "current_period_start": NOW - DAY,
            "current_period_end": NOW + 29 * DAY,
            "price": each,
            "quantity": 1,
        }
        for n, each in enumerate(prices or (price(),))
    ]
    return {
        "id": id,
        "object": "subscription",
        "created": NOW - DAY,
        "currency": "usd",
        "customer": "cus_1",
        "items": {"object": "list", "has_more": False, "data": items},
        "livemode": False,
        "metadata": {},
        "status": "active",
        **facts,
    }


async def shown(courier: Courier, value: dict[str, Any]) -> dict[str, Any]:
    """What the answer to a get says, after its event."""
    assert await courier.bring(value) == "applied"
    answer = await courier.billy.call("read_only", f"get_{value['object']}", id=value["id"])
    assert answer.error is None
    return answer.body


@pytest.mark.slow
@pytest.mark.requirement("AB-115", "AB-118")
async def test_an_active_subscription_whose_collection_is_paused_says_so_alone_in_a_list_and_in_the_figures(courier: Courier) -> None:
    paused = await shown(courier, subscription("sub_p1", pause_collection={"behavior": "void", "resumes_at": NOW + 14 * DAY}))
    assert (paused["status"], paused["pause_collection"]["behavior"], paused["pause_collection"]["resumes_at"]) == (
        *("active", "void"),
        NOW + 14 * DAY,
    )
    assert paused["pause_collection"]["resumes_at_iso"].endswith("Z")
    assert "pause_collection" not in await shown(courier, subscription("sub_p2"))
    by_hand = await shown(
        courier, subscription("sub_p3", status="paused", status_details={"paused": {"subscription": {"type": "pause_requested"}}})
    )
    assert (by_hand["status"], by_hand["status_details"]["paused"]["subscription"]["type"]) == ("paused", "pause_requested")
    active = (await courier.billy.call("read_only", "list_subscriptions", status="active")).body["data"]
    assert {each["id"]: "pause_collection" in each for each in active} == {"sub_p1": True, "sub_p2": False}
    stats = (await courier.billy.call("read_only", "get_stats")).body
    assert (stats["active_subscriptions"], stats["active_not_collecting"]) == (2, 1)
    await courier.bring(subscription("sub_p1", pause_collection=None))
    stats = (await courier.billy.call("read_only", "get_stats")).body
    assert (stats["active_subscriptions"], stats["active_not_collecting"]) == (2, 0)


@pytest.mark.slow
async def test_free_a_fraction_of_a_cent_tiers_and_a_customers_own_choice_can_be_told_apart(courier: Courier) -> None:
    metered = {"interval": "month", "interval_count": 3, "usage_type": "metered"}
    without: dict[str, Any] = {"unit_amount": None, "unit_amount_decimal": None}
    items = (
        await shown(
            courier,
            subscription(
                "sub_prices",
                price("price_fraction", unit_amount=None, unit_amount_decimal="0.89", recurring=metered),
                price("price_tiers", billing_scheme="tiered", tiers_mode="graduated", **without),
                price("price_free", unit_amount=0, unit_amount_decimal="0"),
                price("price_own", custom_unit_amount={"minimum": 500, "maximum": None, "preset": None}, **without),
                price("price_packs", transform_quantity={"divide_by": 1000, "round": "up"}),
                price("price_abroad", currency="eur"),
                price("price_both", currency="eur", currency_options={"usd": {"unit_amount": 1100, "unit_amount_decimal": "1100"}}),
            ),
        )
    )["items"]
    fraction, tiers, free, own, packs, abroad, both = items
    assert (fraction["unit_amount"], fraction["unit_amount_decimal"], fraction["usage_type"]) == (None, "0.89", "metered")
    assert (fraction["unit_amount_formatted"], fraction["interval_count"]) == ("0.0089 USD", 3)
    assert fraction["pricing"] == "0.0089 USD for each unit used, as metered, every 3 months"
    assert (tiers["billing_scheme"], tiers["tiers_mode"], tiers["unit_amount_formatted"]) == ("tiered", "graduated", None)
    assert "in tiers (graduated)" in tiers["pricing"]
    assert (free["unit_amount"], free["unit_amount_formatted"], free["pricing"]) == (
        *(0, "0.00 USD"),
        "free, 0.00 USD for each unit, every month",
    )
    assert "the customer chooses the amount, from 5.00 USD" in own["pricing"]
    assert "10.00 USD for every 1,000 units, rounded up" in packs["pricing"]
    assert "10.00 EUR for each unit; charged in USD instead, at an amount of the price's own" in abroad["pricing"]
    assert "10.00 EUR for each unit; charged in USD instead, 11.00 USD" in both["pricing"]


@pytest.mark.parametrize(
    "amount, currency, words",
    [
        ("0.89", "usd", "0.0089 USD"),
        ("100", "usd", "1.00 USD"),
        ("0.5", "jpy", "0.5 JPY"),
        ("1", "kwd", "0.001 KWD"),
        ("123456789012345.123456789012", "usd", "1,234,567,890,123.45123456789012 USD"),
        ("-0.1", "eur", "-0.001 EUR"),
        ("10.0", "usd", "0.10 USD"),
    ],
)
def test_no_fraction_of_a_minor_unit_is_rounded_away(amount: str, currency: str, words: str) -> None:
    assert formatted_decimal(amount, currency) == words


LISTS: list[tuple[str, str, dict[str, Any]]] = [
    ("subscription", "items", {"id": "si_1", "price": price(), "quantity": 1}),
    ("invoice", "lines", {"id": "il_1", "amount": 100, "currency": "usd", "description": "A shirt", "period": {"start": NOW, "end": NOW}}),
    ("invoice", "payments", {"id": "inpay_1", "amount_paid": 100, "currency": "usd", "status": "paid", "payment": {"charge": "ch_1"}}),
    ("charge", "refunds", {"id": "re_1", "amount": 100, "currency": "usd", "status": "succeeded"}),
    ("customer", "tax_ids", {"id": "txi_1", "type": "eu_vat", "value": "DE123", "country": "DE"}),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind, name, row", LISTS, ids=[f"{kind}.{name}" for kind, name, _ in LISTS])
@pytest.mark.parametrize(
    "told, has_more, total",
    [
        ({"has_more": True, "total_count": 12}, True, 12),
        ({"has_more": True}, True, None),
        ({"has_more": False}, False, 10),
        ({"has_more": False, "total_count": 12}, True, 12),
    ],
    ids=["cut, and how much", "cut", "whole", "cut, and not said"],
)
async def test_a_list_inside_an_object_that_is_cut_is_shown_with_the_sign(
    courier: Courier, kind: str, name: str, row: dict[str, Any], told: dict[str, Any], has_more: bool, total: int | None
) -> None:
    value = {"id": f"{ {'invoice': 'in', 'charge': 'ch', 'customer': 'cus'}.get(kind, 'sub') }_cut", "object": kind, "created": NOW - DAY}
    found = await shown(courier, value | {"currency": "usd", name: {"object": "list", "data": [row] * 10, **told}})
    assert (len(found[name]), found[f"{name}_has_more"], found[f"{name}_total"]) == (10, has_more, total)
    assert "unreadable" not in found


@pytest.mark.slow
async def test_more_rows_than_an_answer_shows_are_a_cut_too(courier: Courier) -> None:
    rows = [{"id": f"il_{n}", "amount": n, "currency": "usd"} for n in range(250)]
    invoice = {"id": "in_long", "object": "invoice", "created": NOW, "lines": {"object": "list", "data": rows, "has_more": False}}
    found = await shown(courier, invoice)
    assert (len(found["lines"]), found["lines_has_more"], found["lines_total"]) == (100, True, 250)


@pytest.mark.slow
async def test_a_balance_says_whose_it_is_and_makes_up_no_currency(courier: Courier) -> None:
    customer = {"object": "customer", "created": NOW - DAY, "livemode": False}
    for id, balance, currency, words in [
        ("cus_credit", -1500, "eur", "credit: 15.00 EUR in the customer's favour"),
        ("cus_owes", 1500, None, "owed: 1500 in minor units (Stripe names no currency) by the customer"),
        ("cus_even", 0, "usd", "nothing"),
    ]:
        found = await shown(courier, customer | {"id": id, "balance": balance, "currency": currency})
        assert (found["balance"], found["currency"], found["balance_formatted"]) == (balance, currency, words)
    listed = (await courier.billy.call("read_only", "list_customers")).body["data"]
    assert {each["id"]: each["balance_formatted"].partition(":")[0] for each in listed} == {
        "cus_credit": "credit",
        "cus_owes": "owed",
        "cus_even": "nothing",
    }


def test_what_turns_a_meaning_is_told_in_the_operations_own_words() -> None:
    paths = document()["paths"]
    shape = paths["/api/customers/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert "negative is credit" in shape["balance"]["description"] and "positive is owed" in shape["balance"]["description"]
    for path in ("/api/customers", "/api/customers/{id}"):
        assert "negative is credit in the customer's favour, positive is owed" in paths[path]["get"]["description"]
    for path in ("/api/subscriptions", "/api/subscriptions/{id}"):
        words = paths[path]["get"]["description"]
        assert "pause_collection" in words and "nothing" in words and "items_has_more" in words
    assert "active_not_collecting" in paths["/api/stats"]["get"]["description"]
    assert "Only succeeded is money on its way" in paths["/api/refunds/{id}"]["get"]["description"]


@pytest.mark.slow
async def test_a_refund_that_waits_says_for_what(courier: Courier) -> None:
    value = {"id": "re_waits", "object": "refund", "created": NOW, "amount": 700, "currency": "usd", "charge": "ch_1", "status": "pending"}
    found = await shown(courier, value | {"pending_reason": "insufficient_funds"})
    assert (found["status"], found["pending_reason"], found["amount_formatted"]) == ("pending", "insufficient_funds", "7.00 USD")


SELDOM: list[tuple[str, str, Any]] = [
    ("charge", "transfer_data.destination", "acct_1"),
    ("charge", "on_behalf_of", "acct_1"),
    ("charge", "failure_balance_transaction", "txn_1"),
    ("charge", "review", "prv_1"),
    ("charge", "fraud_details.user_report", "fraudulent"),
    ("charge", "presentment_details.presentment_currency", "eur"),
    ("customer", "discount.source.coupon", "SPRING"),
    ("customer", "test_clock", "clock_1"),
    ("subscription", "schedule", "sub_sched_1"),
    ("subscription", "discounts", ["di_1"]),
    ("subscription", "pending_update.expires_at", NOW),
    ("subscription", "trial_settings.end_behavior.missing_payment_method", "cancel"),
    ("subscription", "days_until_due", 30),
    ("invoice", "post_payment_credit_notes_amount", 500),
    ("invoice", "status_details.uncollectible.reason", "user_forgiven"),
    ("invoice", "status_transitions.marked_uncollectible_at", NOW),
    ("invoice", "last_finalization_error.code", "customer_tax_location_invalid"),
    ("invoice", "from_invoice.invoice", "in_0"),
    ("invoice", "latest_revision", "in_2"),
    ("refund", "next_action.type", "display_details"),
    ("refund", "failure_balance_transaction", "txn_1"),
    ("refund", "transfer_reversal", "trr_1"),
    ("refund", "destination_details.card.type", "reversal"),
]


@pytest.mark.parametrize("kind, path, value", SELDOM, ids=[f"{kind}.{path}" for kind, path, _ in SELDOM])
def test_what_is_seldom_there_is_shown_where_it_is_and_takes_no_room_where_it_is_not(kind: str, path: str, value: Any) -> None:
    plain = {"id": "x_1", "object": kind, "currency": "usd"}
    first, *below = path.split(".")
    inside = value
    for name in reversed(below):
        inside = {name: inside}
    found: Any = show(kind, plain | {first: inside})
    bare: Any = show(kind, plain | {first: None})
    assert "unreadable" not in found
    for name in (first, *below):
        found, bare = found[name], bare.get(name) if isinstance(bare, dict) else None
    assert (found, bare) == (value, None)


@pytest.mark.slow
async def test_money_is_shown_as_people_write_it_beside_its_minor_units(courier: Courier) -> None:
    value = {"id": "ch_kwd", "object": "charge", "created": NOW, "amount": 25_000, "amount_captured": 25_000, "amount_refunded": 0}
    found = await shown(courier, value | {"currency": "kwd", "captured": True, "status": "succeeded"})
    assert (found["amount"], found["amount_formatted"], found["amount_refunded_formatted"]) == (25_000, "25.000 KWD", "0.000 KWD")


@pytest.mark.slow
async def test_every_field_stands_in_the_view_as_in_the_list_and_in_the_search(courier: Courier, both: Billy) -> None:
    await shown(courier, subscription("sub_same", pause_collection={"behavior": "void", "resumes_at": None}))
    got = (await both.call("read_only", "get_subscription", id="sub_same")).body
    (listed,) = (await both.call("read_only", "list_subscriptions")).body["data"]
    (found,) = (await both.call("read_only", "search", q="sub_same")).body["data"]
    assert got.pop("as_of") and got == listed == found

"""What accounts hold that a simple shop does not: ids of people's choosing, tiers, fractions, other currencies, test clocks, long lists."""

from decimal import Decimal

import httpx
import pytest
import stripe

CHOSEN = ["shop-7@harbour.example", "4711", "0d8f6a52-5a0e-4f0d-8f2b-3f1f9b7f6c11", "a?b#c%2Fd", "ключ"]


@pytest.mark.parametrize("id", CHOSEN)
def test_a_customer_keeps_the_id_that_was_chosen_for_it(client: stripe.StripeClient, id: str) -> None:
    made = client.v1.customers.create({"id": id, "email": "chosen@example.com"})  # type: ignore[typeddict-unknown-key]
    assert (made.id, client.v1.customers.retrieve(id).id) == (id, id)
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.customers.create({"id": id})  # type: ignore[typeddict-unknown-key]
    assert again.value.code == "resource_already_exists"
    client.v1.customers.delete(id)
    assert client.v1.customers.create({"id": id}).id == id  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize("id", ["a/b", "new\nline", "x" * 256])
def test_an_id_that_could_not_be_asked_for_is_refused(wire: httpx.Client, id: str) -> None:
    answer = wire.post("/v1/customers", data={"id": id})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "id")


def test_plans_and_prices_too_have_chosen_ids(client: stripe.StripeClient, wire: httpx.Client) -> None:
    product = client.v1.products.create({"name": "Chosen"}).id
    client.v1.plans.create({"id": "gold-plan:9", "currency": "usd", "interval": "month", "product": product, "amount": 900})
    assert client.v1.plans.retrieve("gold-plan:9").amount == 900
    form = {"id": "silver", "currency": "usd", "unit_amount": 5, "product": product}
    assert wire.post("/v1/prices", data=form).json()["id"] == "silver"
    assert wire.post("/v1/prices", data=form).json()["error"]["code"] == "resource_already_exists"


TIERS = [
    {"up_to": 10, "unit_amount": 100, "flat_amount": 500},
    {"up_to": 20, "unit_amount_decimal": "50.5"},
    {"up_to": "inf", "unit_amount": 10},
]


@pytest.mark.parametrize(
    "mode, quantity, due",
    [
        ("graduated", 1, 600),
        ("graduated", 10, 1500),
        ("graduated", 12, 1601),
        ("graduated", 25, 2055),
        ("volume", 12, 606),
        ("volume", 25, 250),
    ],
)
def test_tiers_bill_by_their_mode_and_show_no_unit_amount(client: stripe.StripeClient, mode: str, quantity: int, due: int) -> None:
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": mode,  # type: ignore[typeddict-item]
            "tiers": TIERS,  # type: ignore[typeddict-item]
            "recurring": {"interval": "month"},
            "product_data": {"name": "Tiered"},
        }
    )
    assert (price.billing_scheme, price.unit_amount, price.unit_amount_decimal, "tiers" in price) == ("tiered", None, None, False)
    tiers = client.v1.prices.retrieve(price.id, {"expand": ["tiers"]}).tiers
    assert [(tier.up_to, tier.unit_amount, tier.flat_amount) for tier in tiers] == [(10, 100, 500), (20, None, None), (None, 10, None)]
    customer = client.v1.customers.create({"email": "tiers@example.com"})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id, "quantity": quantity}]})
    assert client.v1.invoices.retrieve(str(made.latest_invoice)).total == due


@pytest.mark.parametrize(
    "wrong",
    [
        {"billing_scheme": "tiered"},
        {"tiers": TIERS},
        {"billing_scheme": "tiered", "tiers": TIERS},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS[:1]},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [TIERS[1], TIERS[0], TIERS[2]]},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS, "unit_amount": 1},
    ],
)
def test_tiers_that_make_no_price_are_refused(client: stripe.StripeClient, wrong: dict) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.create({"currency": "usd", "product_data": {"name": "x"}, **wrong})


def test_fractions_of_a_cent_and_other_currencies_are_kept(client: stripe.StripeClient) -> None:
    options = {"eur": {"unit_amount": 90}, "jpy": {"unit_amount_decimal": "0.25"}}
    price = client.v1.prices.create(
        {"currency": "usd", "unit_amount_decimal": "0.5", "product_data": {"name": "Call"}, "currency_options": options}  # type: ignore[typeddict-item]
    )
    assert (price.unit_amount, price.unit_amount_decimal, "currency_options" in price) == (None, Decimal("0.5"), False)
    seen = client.v1.prices.retrieve(price.id, {"expand": ["currency_options"]}).currency_options.to_dict()
    assert {currency: seen[currency]["unit_amount_decimal"] for currency in seen} == {"usd": "0.5", "eur": "90", "jpy": "0.25"}


@pytest.mark.parametrize(
    "currency, amount, taken",
    [
        ("idr", 999_999_999_999, True),
        ("idr", 1_000_000_000_000, False),
        ("usd", 99_999_999, True),
        ("usd", 100_000_000, False),
        ("jpy", 99_999_999, True),
        ("kwd", 99_999_990, True),
        ("kwd", 99_999_995, False),
        ("huf", 17_499, False),
    ],
)
def test_each_currency_has_its_own_digits_and_its_own_least(client: stripe.StripeClient, currency: str, amount: int, taken: bool) -> None:
    asked = {"amount": amount, "currency": currency}
    if taken:
        assert client.v1.payment_intents.create(asked).amount == amount  # type: ignore[arg-type]
    else:
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.create(asked)  # type: ignore[arg-type]


def test_lists_hide_what_belongs_to_a_test_clock_unless_they_are_asked(client: stripe.StripeClient) -> None:
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    customer = client.v1.customers.create({"email": "clock@example.com", "test_clock": clock.id})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    price = client.v1.prices.create({"currency": "usd", "unit_amount": 9, "recurring": {"interval": "day"}, "product_data": {"name": "D"}})
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    for listed in (client.v1.customers.list, client.v1.subscriptions.list, client.v1.invoices.list):
        assert all(each.test_clock is None for each in listed({"limit": 100}).data)
    assert [one.id for one in client.v1.customers.list({"test_clock": clock.id}).data] == [customer.id]
    assert [one.id for one in client.v1.subscriptions.list({"test_clock": clock.id}).data] == [made.id]
    assert [one.id for one in client.v1.invoices.list({"customer": customer.id}).data] == [made.latest_invoice]
    assert client.v1.customers.retrieve(customer.id).test_clock == clock.id
    assert clock.id in [one.id for one in client.v1.test_helpers.test_clocks.list().data]
    client.v1.test_helpers.test_clocks.delete(clock.id)
    assert client.v1.customers.retrieve(customer.id).deleted is True


def test_the_items_of_a_subscription_are_cut_after_ten_and_paged_by_their_url(client: stripe.StripeClient, wire: httpx.Client) -> None:
    customer = client.v1.customers.create({"email": "many@example.com", "payment_method": "pm_card_visa"})
    method = client.v1.payment_methods.list({"customer": customer.id}).data[0].id
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method}})
    product = client.v1.products.create({"name": "Part"}).id
    prices = [
        client.v1.prices.create({"currency": "usd", "unit_amount": 100 + n, "recurring": {"interval": "month"}, "product": product}).id
        for n in range(13)
    ]
    made = client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price} for price in prices]})

    def cut(items: dict) -> bool:
        return len(items["data"]) == 10 and items["has_more"]

    listed = wire.get("/v1/subscriptions", params={"customer": customer.id}).json()["data"][0]
    expanded = wire.get(f"/v1/customers/{customer.id}", params={"expand[]": "subscriptions"}).json()["subscriptions"]["data"][0]
    fetched = wire.get(f"/v1/subscriptions/{made.id}").json()
    told = [e.data.object for e in client.v1.events.list({"type": "customer.subscription.*"}).data if e.data.object["id"] == made.id]
    assert told and all(cut(each["items"]) for each in (listed, expanded, fetched, *told))
    rest = wire.get(fetched["items"]["url"], params={"starting_after": fetched["items"]["data"][-1]["id"], "subscription": made.id}).json()
    assert [item["price"]["id"] for item in fetched["items"]["data"] + rest["data"]] == prices
    assert not rest["has_more"]
    assert client.v1.invoices.retrieve(str(made.latest_invoice)).total == sum(100 + n for n in range(13))
    wire.post("/_sandbox/clock", json={"advance": 32 * 86400}).raise_for_status()
    renewed = client.v1.subscriptions.retrieve(made.id)
    assert renewed["items"]["has_more"] and renewed.latest_invoice != made.latest_invoice
    assert client.v1.invoices.retrieve(str(renewed.latest_invoice)).total == sum(100 + n for n in range(13))

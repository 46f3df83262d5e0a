"""Products, prices, coupons, promotion codes and payment links over the API."""

import pytest
import stripe


@pytest.fixture
def product(client):
    return client.v1.products.create({"name": "Pro"})


def refusal(call, *arguments) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*arguments)
    return caught.value


def latest(client, type: str):
    return client.v1.events.list({"type": type, "limit": 1}).data[0]


def test_a_price_belongs_to_a_product_and_can_only_be_switched_off(client, product):
    price = client.v1.prices.create({"product": product.id, "unit_amount": 1999, "currency": "USD", "recurring": {"interval": "year"}})
    assert (price.type, price.currency, price.unit_amount_decimal) == ("recurring", "usd", 1999)
    assert client.v1.prices.update(price.id, {"active": False}).active is False
    assert latest(client, "price.updated").data.previous_attributes.to_dict() == {"active": True}
    assert price.id not in {one.id for one in client.v1.prices.list({"product": product.id, "active": True}).data}
    assert "user-created prices" in str(refusal(client.v1.products.delete, product.id))


def test_a_product_without_prices_can_be_deleted_and_is_gone(client, product):
    assert client.v1.products.delete(product.id).deleted is True
    assert refusal(client.v1.products.retrieve, product.id).code == "resource_missing"
    assert latest(client, "product.deleted").data.object.id == product.id


def test_a_price_from_data_makes_its_product(client):
    made = client.v1.prices.create({"currency": "kwd", "unit_amount": 1500, "product_data": {"name": "Oil"}})
    assert client.v1.products.retrieve(made.product).name == "Oil"
    assert made.type == "one_time"


def test_a_lookup_key_is_taken_over_only_when_asked(client, product):
    first = client.v1.prices.create({"product": product.id, "unit_amount": 1, "currency": "usd", "lookup_key": "standard"})
    again = {"product": product.id, "unit_amount": 2, "currency": "usd", "lookup_key": "standard"}
    assert refusal(client.v1.prices.create, again).param == "lookup_key"
    second = client.v1.prices.create({**again, "transfer_lookup_key": True})
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    assert [one.id for one in client.v1.prices.list({"lookup_keys": ["standard"]}).data] == [second.id]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 5, "currency": "usd"}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 500}, "currency"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
    ],
)
def test_a_coupon_takes_off_either_a_share_or_an_amount(client, given, param):
    assert refusal(client.v1.coupons.create, given).param == param


def test_a_coupon_id_is_used_once_and_only_name_and_metadata_change(client):
    client.v1.coupons.create({"id": "SUMMER", "percent_off": 10})
    assert refusal(client.v1.coupons.create, {"id": "SUMMER", "percent_off": 20}).code == "resource_already_exists"
    assert client.v1.coupons.update("SUMMER", {"name": "Summer"}).name == "Summer"
    assert refusal(client.v1.coupons.update, "SUMMER", {"percent_off": 50}).code == "parameter_unknown"


def test_deleting_a_coupon_stops_new_uses_and_keeps_old_discounts(client, product):
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    price = client.v1.prices.create({"product": product.id, "unit_amount": 1000, "currency": "usd", "recurring": {"interval": "month"}})
    customer = client.v1.customers.create(
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    terms = {"customer": customer.id, "items": [{"price": price.id}], "discounts": [{"coupon": coupon.id}]}
    subscription = client.v1.subscriptions.create(terms)
    client.v1.coupons.delete(coupon.id)
    assert refusal(client.v1.subscriptions.create, terms).code == "resource_missing"
    assert client.v1.invoices.create_preview({"subscription": subscription.id}).total == 500
    assert client.v1.subscriptions.retrieve(subscription.id, {"expand": ["discounts"]}).discounts[0].source.coupon == coupon.id


def test_a_promotion_code_points_to_its_coupon_and_is_unique_while_active(client):
    coupon = client.v1.coupons.create({"percent_off": 10})
    promotion = {"type": "coupon", "coupon": coupon.id}
    code = client.v1.promotion_codes.create({"promotion": promotion, "code": "HELLO"})
    assert (code.promotion.coupon, code.active) == (coupon.id, True)
    assert refusal(client.v1.promotion_codes.create, {"promotion": promotion, "code": "hello"}).param == "code"
    client.v1.promotion_codes.update(code.id, {"active": False})
    assert client.v1.promotion_codes.create({"promotion": promotion, "code": "hello"}).active is True


def test_the_removed_coupon_parameter_of_promotion_codes_is_refused(wire):
    answer = wire.post("/v1/promotion_codes", data={"coupon": "ANY"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "parameter_unknown"


def test_a_code_that_is_used_up_is_refused(client):
    coupon = client.v1.coupons.create({"percent_off": 10})
    code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "max_redemptions": 1})
    customer = client.v1.customers.create({"email": "x@example.com"})
    terms = {"customer": customer.id, "discounts": [{"promotion_code": code.id}]}
    client.v1.invoices.create(terms)
    assert refusal(client.v1.invoices.create, terms).code == "promotion_code_inactive"
    assert client.v1.promotion_codes.retrieve(code.id).active is False


def test_a_payment_link_shows_its_items_and_is_switched_off_instead_of_deleted(client, product, wire):
    price = client.v1.prices.create({"product": product.id, "unit_amount": 700, "currency": "jpy"})
    link = client.v1.payment_links.create({"line_items": [{"price": price.id, "quantity": 3}]})
    item = client.v1.payment_links.line_items.list(link.id).data[0]
    assert (item.amount_total, item.currency, item.description) == (2100, "jpy", "Pro")
    client.v1.payment_links.update(link.id, {"line_items": [{"id": item.id, "quantity": 1}], "active": False})
    assert client.v1.payment_links.retrieve(link.id, {"expand": ["line_items"]}).line_items.data[0].amount_total == 700
    assert latest(client, "payment_link.updated").data.previous_attributes.to_dict() == {"active": True}
    assert wire.delete(f"/v1/payment_links/{link.id}").status_code == 404


def test_a_payment_link_needs_items(wire):
    answer = wire.post("/v1/payment_links", data={"metadata[a]": "b"})
    assert answer.json()["error"] | {"doc_url": "", "request_log_url": ""} == {
        "code": "parameter_missing",
        "message": "Missing required param: line_items.",
        "param": "line_items",
        "type": "invalid_request_error",
        "doc_url": "",
        "request_log_url": "",
    }


def test_tiered_plans_are_refused_not_guessed(client):
    product = client.v1.products.create({"name": "Tiered"}).id
    with pytest.raises(stripe.InvalidRequestError, match="Tiered plans"):
        client.v1.plans.create(
            {"currency": "usd", "interval": "month", "product": product, "billing_scheme": "tiered", "tiers_mode": "volume"}
        )

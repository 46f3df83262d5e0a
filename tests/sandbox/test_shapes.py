"""What the sandbox answers has the shape that the SDK of the same version has classes for."""

import httpx
import pytest
import stripe

from tests.sandbox.shapes import differences, fields

KINDS = (
    *("charges", "refunds", "disputes", "payment_intents", "customers", "balance_transactions", "products", "prices", "coupons"),
    *("promotion_codes", "payment_links", "subscriptions", "invoices", "invoiceitems", "invoice_payments", "credit_notes", "events"),
)


@pytest.fixture(scope="module")
def company(sandbox):
    with httpx.Client(
        base_url=sandbox.url,
        headers={"Authorization": "Bearer rk_test_shapes1234", "Sandbox-Token": sandbox.token},
        timeout=60,
        trust_env=False,
    ) as http:
        http.post("/_sandbox/company", json={"seed": 3, "scale": 0.5}).raise_for_status()
        yield http


def everything(http: httpx.Client, kind: str, **params: str) -> list[dict]:
    found: list[dict] = []
    more = True
    while more:
        after = {"starting_after": found[-1]["id"]} if found else {}
        answer = http.get(f"/v1/{kind}", params={"limit": 100, **params, **after}).raise_for_status().json()
        found += answer["data"]
        more = answer["has_more"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_has_all_fields_of_its_class_and_no_other(company, kind):
    found = everything(company, kind, **({"status": "all"} if kind == "subscriptions" else {}))
    assert found
    assert {line for one in found for line in differences(one)} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_sdk_reads_every_kind_as_its_own_class(company, client, kind):
    services = {"invoiceitems": "invoice_items"}
    listed = getattr(client.v1, services.get(kind, kind)).list({"limit": 5})
    for one in listed.data:
        assert type(one) is not stripe.StripeObject
        assert one.object == one.OBJECT_NAME
        assert one.to_dict()["id"] == one.id


def test_what_is_made_through_the_api_has_the_same_shapes(company, client):
    product = client.v1.products.create({"name": "Shape"})
    monthly = {"product": product.id, "unit_amount": 1500, "currency": "eur", "recurring": {"interval": "month"}}
    price = client.v1.prices.create(monthly)
    coupon = client.v1.coupons.create({"percent_off": 12.5, "duration": "repeating", "duration_in_months": 3})
    code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    customer = client.v1.customers.create(
        {"email": "s@example.com", "payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price.id}], "discounts": [{"promotion_code": code.id}]}
    )
    link = client.v1.payment_links.create({"line_items": [{"price": price.id, "quantity": 2}]})
    paths = [
        f"products/{product.id}",
        f"prices/{price.id}",
        f"coupons/{coupon.id}",
        f"promotion_codes/{code.id}",
        f"subscriptions/{subscription.id}?expand[]=latest_invoice.payments&expand[]=discounts&expand[]=customer",
        f"subscription_items/{subscription['items'].data[0].id}",
        f"payment_links/{link.id}?expand[]=line_items",
        f"invoices/{subscription.latest_invoice}?expand[]=payments&expand[]=confirmation_secret",
        f"invoices/{subscription.latest_invoice}/lines",
    ]
    for path in paths:
        answer = company.get(f"/v1/{path}").raise_for_status().json()
        assert differences(answer) == [], path


def test_the_comparison_sees_a_field_too_many_and_one_too_few():
    assert len(fields(stripe.Invoice)) >= 80
    broken = {"id": "il_1", "object": "line_item", "surprise": 1}
    found = differences(broken)
    assert "line_item.surprise is not in the SDK's class" in found
    assert "line_item.amount is missing" in found

"""What the sandbox answers has the fields that the SDK's classes have at this API version, and no others."""

from typing import Any

import httpx
import pytest

from tests.sandbox.shapes import differences


@pytest.fixture(scope="module")
def world(sandbox) -> None:
    with httpx.Client(base_url=sandbox.url, headers={"Authorization": "Bearer sk_test_shapes"}) as http:

        def post(path: str, **form: Any) -> dict[str, Any]:
            return http.post(path, data=form).json()

        customer = post(
            "/v1/customers", payment_method="pm_card_visa", **{"tax_id_data[0][type]": "eu_vat", "tax_id_data[0][value]": "DE123456789"}
        )
        intent = post("/v1/payment_intents", amount=900, currency="usd", payment_method="pm_card_visa", confirm="true")
        post("/v1/refunds", payment_intent=intent["id"], amount=100)
        post("/v1/payment_intents", amount=900, currency="usd", payment_method="pm_card_chargeDeclined", confirm="true")
        post("/v1/charges", amount=900, currency="usd", source="tok_createDispute")
        post("/v1/setup_intents", customer=customer["id"], payment_method="pm_card_visa", confirm="true")
        post("/v1/webhook_endpoints", url="http://127.0.0.1:9/", **{"enabled_events[]": "customer.deleted"})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers?expand[]=data.tax_ids",
        "/v1/charges?expand[]=data.refunds&expand[]=data.payment_intent",
        "/v1/payment_intents",
        "/v1/refunds",
        "/v1/disputes",
        "/v1/balance_transactions",
        "/v1/payment_methods",
        "/v1/setup_intents",
        "/v1/webhook_endpoints",
        "/v1/events?limit=100",
        "/v1/account",
    ],
)
def test_every_object_has_the_fields_of_its_class_and_no_other(wire, world, path):
    answer = wire.get(path).json()
    objects = answer["data"] if answer["object"] == "list" else [answer]
    assert objects
    assert {line for each in objects for line in differences(each)} == set()

"""What the sandbox answers has the fields that the SDK's classes have at this API version, and no others."""

import inspect
from typing import Any

import httpx
import pytest
from stripe._object_classes import get_object_class


def strangers(node: Any, shape: type | None, at: str) -> list[str]:
    """Paths of fields that the class at that place does not know."""
    if isinstance(node, list):
        return [path for item in node for path in strangers(item, shape, at)]
    if not isinstance(node, dict):
        return []
    kind = node.get("object")
    if isinstance(kind, str):
        if kind == "list":
            return strangers(node["data"], None, at)
        shape = get_object_class("V1", kind)
    if shape is None:
        return []
    known = inspect.get_annotations(shape)
    if not known:
        return []
    inner = getattr(shape, "_inner_class_types", {})
    found = [f"{at}.{name}" for name in node if name not in known]
    return found + [path for name, value in node.items() for path in strangers(value, inner.get(name), f"{at}.{name}")]


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
def test_every_field_is_one_that_the_sdk_knows(wire, world, path):
    answer = wire.get(path).json()
    assert answer["object"] != "list" or answer["data"]
    assert strangers(answer, None, "") == []

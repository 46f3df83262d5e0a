"""Errors: status, type, code, param and request id, in Stripe's words."""

import re

import httpx
import pytest
import stripe

from sandbox import resources
from sandbox.route import ROUTES
from tests.peers.sandbox import client_of

CASES = [
    ("POST", "/v1/customers", {"bogus": "1"}, 400, "parameter_unknown", "bogus"),
    ("POST", "/v1/customers", {"address[planet]": "Mars"}, 400, "parameter_unknown", "address[planet]"),
    ("POST", "/v1/customers", {"tax_id_data[0][type]": "eu_vat"}, 400, "parameter_missing", "tax_id_data[0][value]"),
    ("POST", "/v1/customers", {"tax_exempt": "perhaps"}, 400, None, "tax_exempt"),
    ("POST", "/v1/customers", {"balance": "ten"}, 400, "parameter_invalid_integer", "balance"),
    ("POST", "/v1/customers", {"email[a]": "b"}, 400, None, "email"),
    ("POST", "/v1/customers", {"api_key": "sk_test_1"}, 400, "parameter_unknown", "api_key"),
    ("POST", "/v1/payment_intents", {"amount": "100"}, 400, "parameter_missing", "currency"),
    ("POST", "/v1/payment_intents", {"amount": "", "currency": "usd"}, 400, "parameter_invalid_empty", "amount"),
    ("POST", "/v1/payment_intents", {"amount": "100", "currency": "zzz"}, 400, None, "currency"),
    ("POST", "/v1/payment_intents", {"amount": "49", "currency": "usd"}, 400, "amount_too_small", "amount"),
    ("POST", "/v1/payment_intents", {"amount": "100000000", "currency": "usd"}, 400, "amount_too_large", "amount"),
    ("POST", "/v1/payment_intents", {"amount": "500", "currency": "usd", "confirm": "maybe"}, 400, None, "confirm"),
    ("POST", "/v1/payment_intents", {"amount": "500", "currency": "usd", "customer": "cus_x"}, 400, "resource_missing", "customer"),
    ("POST", "/v1/refunds", {}, 400, None, None),
    ("POST", "/v1/refunds", {"charge": "ch_x"}, 404, "resource_missing", "id"),
    ("POST", "/v1/refunds", {"payment_intent": "pi_x"}, 404, "resource_missing", "payment_intent"),
    ("GET", "/v1/charges/ch_x", {}, 404, "resource_missing", "id"),
    ("GET", "/v1/charges?bogus=1", {}, 400, "parameter_unknown", "bogus"),
    ("GET", "/v1/nothing", {}, 404, None, None),
    ("DELETE", "/v1/charges/ch_x", {}, 404, None, None),
]


@pytest.mark.parametrize(("method", "path", "form", "status", "code", "param"), CASES)
def test_a_bad_request_is_refused_with_its_code_and_parameter(wire: httpx.Client, method, path, form, status, code, param):
    answer = wire.request(method, path, data=form or None)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("code"), error.get("param")) == (status, "invalid_request_error", code, param)
    assert answer.headers["request-id"].startswith("req_")


def test_a_request_without_a_key_or_with_a_foreign_one_is_401(sandbox):
    assert httpx.get(f"{sandbox.url}/v1/charges").status_code == 401
    with pytest.raises(stripe.AuthenticationError, match=r"Invalid API Key provided: pk_test_\*+wxyz"):
        client_of(sandbox, "pk_test_abcdefwxyz").v1.charges.list()


def test_basic_authentication_works_as_bearer_does(sandbox):
    assert httpx.get(f"{sandbox.url}/v1/charges", auth=("sk_test_basic", "")).status_code == 200


def test_live_and_test_keys_see_different_objects(sandbox, client):
    made = client.v1.customers.create({})
    live = client_of(sandbox, "sk_live_abcdef")
    assert made.livemode is False
    assert live.v1.customers.create({}).livemode is True
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        live.v1.customers.retrieve(made.id)


def test_a_restricted_key_is_told_which_permission_it_lacks(sandbox, wire):
    wire.post("/_sandbox/keys", json={"key": "rk_test_narrow9876", "permissions": ["rak_charge_read", "rak_customer_write"]})
    narrow = client_of(sandbox, "rk_test_narrow9876")
    assert narrow.v1.charges.list().data is not None
    assert narrow.v1.customers.retrieve(narrow.v1.customers.create({}).id).object == "customer"
    with pytest.raises(stripe.PermissionError) as refused:
        narrow.v1.refunds.create({"charge": "ch_x"})
    account = wire.get("/v1/account").json()["id"]
    assert refused.value.http_status == 403
    assert refused.value.error.code == "more_permissions_required"
    assert refused.value.user_message == (
        f"The provided key 'rk_test_******9876' does not have the required permissions for this endpoint on account '{account}'."
        " Having the 'rak_refund_write' permission would allow this request to continue."
    )


def test_a_version_that_is_not_the_pinned_one_is_refused(wire):
    assert wire.get("/v1/charges", headers={"Stripe-Version": "2019-01-01"}).status_code == 400
    assert wire.get("/v1/charges", headers={"Stripe-Version": stripe.api_version}).headers["stripe-version"] == stripe.api_version


def test_too_many_requests_in_a_second_are_429_without_a_hint_unless_one_is_asked_for(sandbox, wire):
    wire.post("/_sandbox/limits", json={"per_second": 2})
    answers = [wire.get("/v1/charges") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["error"]["code"] == "rate_limit"
    assert "stripe-should-retry" not in refused[0].headers
    assert all(wire.get("/v1/charges", headers={"Authorization": "Bearer rk_live_other1234"}).status_code == 200 for _ in range(2))
    wire.post("/_sandbox/limits", json={"per_second": 2, "should_retry": True})
    hinted = [answer for answer in [wire.get("/v1/charges") for _ in range(6)] if answer.status_code == 429]
    assert hinted[0].headers["stripe-should-retry"] == "true"
    with pytest.raises(stripe.RateLimitError):
        for _ in range(6):
            client_of(sandbox).v1.charges.list()


def test_the_log_of_requests_names_calls_and_keys_but_never_the_api_key(wire):
    wire.delete("/_sandbox/requests")
    wire.post("/v1/customers", data={"name": "Ada"}, headers={"Idempotency-Key": "abc-1"})
    log = wire.get("/_sandbox/requests")
    [entry] = log.json()["requests"]
    assert (entry["method"], entry["path"], entry["idempotency_key"], entry["status"]) == ("POST", "/v1/customers", "abc-1", 200)
    assert "everything1234" not in log.text


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000009987", "card_declined", "lost_card"),
        ("4000000000009979", "card_declined", "stolen_card"),
        ("4100000000000019", "card_declined", "fraudulent"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
        ("4000000000000119", "processing_error", None),
    ],
)
def test_a_declined_card_is_402_with_its_code_and_leaves_a_failed_charge(client, card, code, decline_code):
    method = client.v1.payment_methods.create({"type": "card", "card": {"number": card, "exp_month": 4, "exp_year": 2031, "cvc": "123"}})
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({"amount": 700, "currency": "eur", "payment_method": method.id, "confirm": True})
    error = refused.value.error
    assert (refused.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    charge = client.v1.charges.retrieve(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.last_payment_error.code, intent.latest_charge) == ("requires_payment_method", code, charge.id)
    with pytest.raises(stripe.InvalidRequestError) as unrefundable:
        client.v1.refunds.create({"charge": charge.id})
    assert (unrefundable.value.http_status, unrefundable.value.code, unrefundable.value.param) == (400, None, None)
    assert unrefundable.value.user_message == f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."


def test_a_number_that_is_no_test_card_is_refused(client):
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": {"number": "4242424242424241", "exp_month": 4, "exp_year": 2031}})
    assert refused.value.error.code == "incorrect_number"


def paths_of_objects() -> list[tuple[str, str]]:
    """Every route whose path names one object by its id, and needs no body to look for it."""
    resources.load()
    every = [each for by_length in ROUTES.values() for routes in by_length.values() for _, each in routes]
    return sorted((each.method, each.path) for each in every if "{" in each.path and each.method in ("GET", "DELETE"))


@pytest.mark.parametrize(("method", "path"), paths_of_objects())
def test_the_object_of_a_path_that_is_not_there_is_404_and_never_400(wire, method, path):
    answer = wire.request(method, re.sub(r"{\w+}", "none", path))
    if answer.status_code == 200:
        assert answer.json()["data"] == [], "a list inside of nothing"
        return
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("method", "path", "param"),
    [
        ("GET", "/v1/customers/none", "id"),
        ("GET", "/v1/invoices/none", "invoice"),
        ("DELETE", "/v1/invoices/none", "invoice"),
        ("POST", "/v1/invoices/none/send", "invoice"),
        ("POST", "/v1/invoices/none/finalize", "id"),
        ("POST", "/v1/invoices/none/void", "id"),
        ("GET", "/v1/payment_intents/none", "intent"),
        ("POST", "/v1/payment_intents/none/cancel", "intent"),
        ("GET", "/v1/refunds/none", "refund"),
        ("POST", "/v1/refunds/none/cancel", "refund"),
        ("GET", "/v1/disputes/none", "dispute"),
        ("POST", "/v1/disputes/none/close", "dispute"),
        ("GET", "/v1/coupons/none", "coupon"),
        ("DELETE", "/v1/coupons/none", "coupon"),
        ("GET", "/v1/promotion_codes/none", "promotion_code"),
        ("GET", "/v1/plans/none", "id"),
    ],
)
def test_a_404_names_the_object_of_the_path_as_stripe_does(wire, method, path, param):
    answer = wire.request(method, path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, param)

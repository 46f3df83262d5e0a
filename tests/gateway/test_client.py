"""The calls that are made of Stripe."""

from urllib.parse import unquote

import pytest

from shared.context import Context
from shared.errors import BillyError
from shared.gateway.client import gateway
from tests.gateway.conftest import Double, Sent


async def test_a_retrieved_object_is_stamped_no_later_than_it_was_read(context: Context, double: Double) -> None:
    charge = double.charge(1234)
    before = double.control("GET", "health")["now"]
    fetched = await (await gateway(context)).retrieve("charge", charge["id"])
    assert fetched.value == charge
    assert (fetched.write.amount, fetched.write.kind, fetched.write.deleted) == (1234, "charge", False)
    assert before - 3 <= fetched.write.stamp <= before + 1


async def test_a_deleted_customer_is_a_deletion_and_an_unknown_one_is_not_found(context: Context, double: Double) -> None:
    stripe, customer = await gateway(context), double.customer()
    double.call("DELETE", f"/v1/customers/{customer['id']}")
    assert (await stripe.retrieve("customer", customer["id"])).write.deleted
    with pytest.raises(BillyError) as refused:
        await stripe.retrieve("customer", "cus_unknown")
    assert refused.value.code == "not_found"


@pytest.mark.requirement("SC-89")
@pytest.mark.parametrize(
    "kind, id",
    [
        *(("charge", id) for id in ("", "../charges", "ch_1/refunds", "ch_1?limit=1", "ch 1", "ch_é", "x" * 300)),
        *((kind, id) for kind in ("customer", "price", "product", "coupon") for id in ("", "..", ".", "../a", "a/b", "a\nb", "x" * 256)),
    ],
)
async def test_what_cannot_be_an_id_never_becomes_a_path(context: Context, double: Double, kind: str, id: str) -> None:
    stripe = await gateway(context)
    before = len(double.control("GET", "requests")["requests"])
    with pytest.raises(BillyError) as refused:
        await stripe.retrieve(kind, id)
    assert refused.value.code == "not_found"
    assert len(double.control("GET", "requests")["requests"]) == before


@pytest.mark.requirement("SC-89")
@pytest.mark.parametrize("id", ["shop-7@harbour.example", "cus_1?limit=1", "shop 7", "Möwe", "50%", "a#b"])
async def test_an_id_that_people_chose_is_one_encoded_part_of_the_path(context: Context, double: Double, id: str) -> None:
    with pytest.raises(BillyError) as refused:
        await (await gateway(context)).retrieve("customer", id)
    assert refused.value.code == "not_found"
    asked = double.control("GET", "requests")["requests"][-1]["path"]
    assert asked.startswith("/v1/customers/") and unquote(asked).removeprefix("/v1/customers/") == id


async def test_a_coupon_is_found_by_an_id_that_people_chose(context: Context, double: Double) -> None:
    double.call("POST", "/v1/coupons", {"id": "SUMMER-10 %", "percent_off": 10, "duration": "once"})
    assert (await (await gateway(context)).retrieve("coupon", "SUMMER-10 %")).write.id == "SUMMER-10 %"


async def test_a_page_holds_stripes_objects_unchanged(context: Context, double: Double) -> None:
    customers = [double.customer(email=f"page-{number}@example.com") for number in range(3)]
    page = await (await gateway(context)).list_page("customer", {"limit": 2})
    assert page.values == customers[:0:-1] and page.has_more is True


async def test_cancelled_subscriptions_are_listed_too(context: Context, double: Double) -> None:
    customer = double.customer(payment_method="pm_card_visa", **{"invoice_settings[default_payment_method]": "pm_card_visa"})
    price = double.call(
        "POST", "/v1/prices", {"currency": "usd", "unit_amount": 900, "recurring[interval]": "month", "product_data[name]": "Plan"}
    )
    form = {"customer": customer["id"], "items[0][price]": price["id"]}
    subscription = double.call("POST", "/v1/subscriptions", form)
    double.call("DELETE", f"/v1/subscriptions/{subscription['id']}")
    page = await (await gateway(context)).list_page("subscription", {"limit": 1})
    assert (page.values[0]["id"], page.values[0]["status"]) == (subscription["id"], "canceled")


async def test_the_idempotency_key_is_the_callers_and_none_is_added_to_reads(context: Context, double: Double) -> None:
    stripe, charge = await gateway(context), double.charge()
    done = await stripe.create_refund({"charge": charge["id"], "amount": 100}, Sent("att_mine"))
    again = await stripe.create_refund({"charge": charge["id"], "amount": 100}, Sent("att_mine"))
    assert again.value["id"] == done.value["id"]
    await stripe.retrieve("refund", done.value["id"])
    keys = [each["idempotency_key"] for each in double.control("GET", "requests")["requests"][-3:]]
    assert keys == ["att_mine", "att_mine", None]


async def test_a_webhook_endpoint_is_pinned_to_the_version_and_its_secret_is_not_shown(context: Context, double: Double) -> None:
    made = await (await gateway(context)).create_webhook_endpoint("http://127.0.0.1:7071/webhooks/stripe", ["charge.refunded"], "hook-1")
    kept = double.call("GET", f"/v1/webhook_endpoints/{made.id}")
    assert (kept["api_version"], kept["enabled_events"]) == ("2026-10-28.endive", ["charge.refunded"])
    assert made.secret.startswith("whsec_") and made.secret not in repr(made)
    double.call("DELETE", f"/v1/webhook_endpoints/{made.id}")


async def test_the_account_is_told(context: Context) -> None:
    assert (await (await gateway(context)).account())["id"].startswith("acct_")

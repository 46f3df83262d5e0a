"""What Stripe changes beside an event's own object, and promises no event of: the mirror has it all the same."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from shared.context import Context
from shared.gateway.apply import apply_event
from shared.gateway.kinds import KINDS
from tests.gateway.conftest import KEY, Double

# Not shown by any operation, and moved by every invoice.
UNSEEN = {"next_invoice_sequence", "invoice_prefix"}


def _life(double: Double) -> None:
    """Everything that changes an object without an event of its own."""
    paying = {"payment_method": "pm_card_visa", "invoice_settings[default_payment_method]": "pm_card_visa"}
    customer = double.customer(name="Related", **paying)
    bad = double.call("POST", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": customer["id"]})
    for fate in ("void", "mark_uncollectible", "pay"):
        invoice = double.call("POST", "/v1/invoices", {"customer": customer["id"], "currency": "usd"})
        item = {"customer": customer["id"], "invoice": invoice["id"], "amount": 1000, "currency": "usd"}
        double.call("POST", "/v1/invoiceitems", item)
        double.call("POST", f"/v1/invoices/{invoice['id']}/finalize")
        refused = httpx.post(
            f"{double.url}/v1/invoices/{invoice['id']}/pay",
            data={"payment_method": bad["id"]},
            headers={"authorization": f"Bearer {KEY}"},
            trust_env=False,
        )
        assert refused.status_code == 402
        double.call("POST", "/v1/credit_notes", {"invoice": invoice["id"], "amount": 100})
        double.call("POST", f"/v1/invoices/{invoice['id']}/{fate}")
    double.call("POST", "/v1/credit_notes", {"invoice": invoice["id"], "amount": 300, "credit_amount": 300})
    held = double.charge(capture_method="manual")
    double.call("POST", f"/v1/payment_intents/{held['payment_intent']}/cancel")
    double.charge(payment_method="pm_card_createDispute")
    double.call("POST", "/v1/refunds", {"charge": double.charge(payment_method="pm_card_refundFail")["id"]})
    double.control("POST", "clock", {"advance": 60})


@pytest.mark.requirement("SC-53")
async def test_what_stripe_promises_no_event_of_is_in_the_mirror_all_the_same(own_double: Double, open_context: Callable[..., Any]) -> None:
    context: Context = await open_context(own_double)
    _life(own_double)
    events, after = [], ""
    while True:
        page = own_double.call("GET", f"/v1/events?limit=100{after}")
        events += page["data"]
        if not page["has_more"]:
            break
        after = f"&starting_after={page['data'][-1]['id']}"
    assert {event["data"]["object"]["status"] for event in events if event["type"] == "invoice.updated"} <= {"draft"}
    twice = [*events, *events]
    random.Random(7).shuffle(twice)
    for event in twice:
        await apply_event(context, event)
    compared = 0
    for kind in ("charge", "customer", "invoice", "refund", "dispute", "payment_intent"):
        for told in own_double.call("GET", f"{KINDS[kind].path}?limit=100")["data"]:
            stored = await context.mirror.get(kind, told["id"])
            assert stored is not None, (kind, told["id"])
            assert _seen(orjson.loads(stored.body)) == _seen(told), (kind, told["id"])
            compared += 1
    assert compared > 15


def _seen(value: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name not in UNSEEN}

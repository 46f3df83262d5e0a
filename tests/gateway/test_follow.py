"""What changes with another object's event, of which Stripe promises no event of its own: the mirror asks for it, once."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from shared.context import Context
from shared.gateway.apply import Outcome, apply_event
from shared.gateway.kinds import KINDS
from shared.gateway.webhook import apply_message
from shared.stores.protocols import NEAR
from tests.gateway.conftest import Clock, Double, event_of

pytestmark = pytest.mark.requirement("SC-53")

PROMISED = {type for kind in KINDS.values() for type in kind.events}


async def keep(context: Context, double: Double, kind: str, id: str, *, ago: int = 10 * NEAR, **differently: Any) -> None:
    """The mirror as it was a while ago, of an object that is otherwise now."""
    value = double.call("GET", f"{KINDS[kind].path}/{id}") | differently
    await apply_event(context, event_of(value, f"{kind}.updated", value["created"] - ago))


async def held(context: Context, kind: str, id: str) -> dict[str, Any]:
    stored = await context.mirror.get(kind, id)
    assert stored is not None
    return orjson.loads(stored.body)


def reads(double: Double, kind: str, id: str) -> int:
    return double.asked("GET", f"{KINDS[kind].path}/{id}")


@pytest.mark.parametrize("type, status", [("refund.updated", "failed"), ("refund.failed", "failed"), ("refund.updated", "canceled")])
async def test_a_refund_that_comes_back_corrects_its_charge_with_one_question(
    context: Context, double: Double, type: str, status: str
) -> None:
    charge = double.charge(5_000)
    await keep(context, double, "charge", charge["id"], amount_refunded=5_000, refunded=True)
    assert (await context.mirror.totals("charge"))[-1].refunded >= 5_000
    double.control("DELETE", "requests")
    refund = {"id": f"re_back{charge['id'][3:]}", "object": "refund", "amount": 5_000, "charge": charge["id"], "currency": "usd"}
    refund |= {"created": charge["created"], "status": status, "metadata": {}}
    await apply_event(context, event_of(refund, type, charge["created"] + 1))
    there = await held(context, "charge", charge["id"])
    assert (there["amount_refunded"], there["refunded"], reads(double, "charge", charge["id"])) == (0, False, 1)


async def test_a_refund_that_is_made_asks_for_nothing_since_its_charge_has_an_event(context: Context, double: Double) -> None:
    charge = double.charge(5_000)
    refund = double.call("POST", "/v1/refunds", {"charge": charge["id"], "amount": 100})
    double.control("DELETE", "requests")
    await apply_event(context, event_of(refund, "refund.created", refund["created"]))
    assert reads(double, "charge", charge["id"]) == 0


@pytest.mark.parametrize("type", ["charge.dispute.created", "charge.dispute.closed"])
async def test_a_dispute_is_seen_on_its_charge(context: Context, double: Double, type: str) -> None:
    charge = double.charge(4_000, payment_method="pm_card_createDispute")
    dispute = double.call("GET", f"/v1/disputes?charge={charge['id']}")["data"][0]
    await keep(context, double, "charge", charge["id"], disputed=False)
    await apply_event(context, event_of(dispute, type, dispute["created"]))
    assert (await held(context, "charge", charge["id"]))["disputed"] is True


async def test_a_credit_note_is_seen_on_its_invoice(context: Context, double: Double) -> None:
    customer = double.customer()
    double.call("POST", "/v1/invoiceitems", {"customer": customer["id"], "amount": 3_000, "currency": "usd"})
    asked = {
        "customer": customer["id"],
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "pending_invoice_items_behavior": "include",
    }
    draft = double.call("POST", "/v1/invoices", asked)
    invoice = double.call("POST", f"/v1/invoices/{draft['id']}/finalize")
    await keep(context, double, "invoice", invoice["id"])
    note = double.call("POST", "/v1/credit_notes", {"invoice": invoice["id"], "amount": 1_000})
    await apply_event(context, event_of(note, "credit_note.created", note["created"]))
    assert (await held(context, "invoice", invoice["id"]))["amount_remaining"] == 2_000


async def test_a_discount_is_seen_on_its_customer_and_counted_on_its_coupon(context: Context, double: Double) -> None:
    coupon = double.call("POST", "/v1/coupons", {"percent_off": 10, "duration": "once"})
    customer = double.customer()
    await keep(context, double, "coupon", coupon["id"], times_redeemed=7)
    await keep(context, double, "customer", customer["id"], name="as it was")
    discount = {"id": "di_1", "object": "discount", "customer": customer["id"], "subscription": None, "promotion_code": None}
    discount |= {"source": {"type": "coupon", "coupon": coupon["id"]}, "start": customer["created"]}
    event = event_of(discount, "customer.discount.created", customer["created"] + 1)
    double.control("DELETE", "requests")
    assert await apply_event(context, event) is Outcome.REFETCHED
    assert (await held(context, "coupon", coupon["id"]))["times_redeemed"] == 0
    assert (await held(context, "customer", customer["id"]))["name"] is None
    await apply_event(context, event | {"id": "evt_again"})
    assert (reads(double, "coupon", coupon["id"]), reads(double, "customer", customer["id"])) == (2, 2)
    await apply_event(context, event | {"id": "evt_sent_before"}, sent=customer["created"] - 5)
    assert (reads(double, "coupon", coupon["id"]), reads(double, "customer", customer["id"])) == (2, 2), (
        "what was read later needs no asking"
    )


@pytest.mark.parametrize(
    "type, was, asked",
    [("invoice.payment_failed", False, 1), ("invoice.overdue", False, 1), ("invoice.paid", True, 1), ("invoice.paid", False, 0)],
)
async def test_whether_a_customer_is_delinquent_is_asked_where_a_payment_may_have_changed_it(
    context: Context, double: Double, type: str, was: bool, asked: int
) -> None:
    customer = double.customer()
    await keep(context, double, "customer", customer["id"], delinquent=was)
    double.control("DELETE", "requests")
    invoice = {"id": f"in_of{customer['id']}", "object": "invoice", "created": customer["created"], "status": "open", "currency": "usd"}
    await apply_event(context, event_of(invoice | {"customer": customer["id"]}, type, customer["created"]))
    assert reads(double, "customer", customer["id"]) == asked
    assert (await held(context, "customer", customer["id"]))["delinquent"] is (was and not asked)


# What the door knows is kept


@pytest.mark.requirement("SC-88")
@pytest.mark.parametrize("whose", [{"account": "acct_RepConnected1"}, {"livemode": True}, {"context": "org_1/acct_2"}])
async def test_a_large_event_of_somebody_else_is_foreign_and_asks_for_nothing(
    context: Context, double: Double, whose: dict[str, Any]
) -> None:
    charge = double.charge()
    double.control("DELETE", "requests")
    message = _queued(event_of(charge, "charge.succeeded", charge["created"], **whose))
    await apply_message(context, message)
    record = await context.records.get("events", message["event"]["id"])
    assert record is not None and record.document["outcome"] == "foreign"
    assert [each["path"] for each in double.control("GET", "requests")["requests"] if each["path"] != "/v1/account"] == []


async def test_a_large_event_that_stripe_keeps_no_more_is_applied_by_reading_its_object(context: Context, double: Double) -> None:
    charge = double.charge()
    message = _queued(event_of(charge, "charge.succeeded", charge["created"]))
    await apply_message(context, message)
    record = await context.records.get("events", message["event"]["id"])
    assert record is not None and (record.document["outcome"], record.document["object"]) == ("refetched", charge["id"])
    assert await held(context, "charge", charge["id"]) == double.call("GET", f"/v1/charges/{charge['id']}")


async def test_a_large_event_of_a_deletion_leaves_a_tombstone_without_asking(context: Context, double: Double) -> None:
    customer = double.customer()
    double.control("DELETE", "requests")
    await apply_message(context, _queued(event_of(customer, "customer.deleted", customer["created"] + 1)))
    stored = await context.mirror.get("customer", customer["id"])
    assert stored is not None and stored.deleted and reads(double, "customer", customer["id"]) == 0


def _queued(event: dict[str, Any]) -> dict[str, Any]:
    """The message that the door makes of a delivery that is too large for a queue."""
    from shared.gateway.webhook import about

    return {"event": about(event), "refetch": True, "sent": event["created"]}


# Previews


@pytest.mark.parametrize("id", ["upcoming_in_1PreviewOfTheNext", "upcoming_in_2"])
async def test_a_preview_is_never_mirrored(context: Context, double: Double, id: str) -> None:
    preview = {
        "id": id,
        "object": "invoice",
        "created": 1_800_000_000,
        "status": "draft",
        "total": 900,
        "currency": "usd",
        "customer": "cus_1",
    }
    for type in ("invoice.upcoming", "invoice.updated"):
        assert await apply_event(context, event_of(preview, type, 1_800_000_000) | {"id": f"evt_{type[8:]}{id[-1]}"}) is Outcome.IGNORED
    assert await context.mirror.get("invoice", id) is None


# Bursts


async def test_a_burst_of_events_of_one_object_asks_for_it_once(double: Double, open_context: Callable[..., Any], clock: Clock) -> None:
    context = await open_context(double)
    customer = double.customer(name="0")
    second = customer["created"]
    states = [event_of(customer | {"name": str(n)}, "customer.updated", second - 20 + n) for n in range(8)]
    double.control("DELETE", "requests")
    for place in (3, 0, 7, 5, 1, 2, 6, 4):
        await apply_event(context, states[place], sent=second - 12 + place)
    assert reads(double, "customer", customer["id"]) == 1
    assert (await held(context, "customer", customer["id"]))["name"] == "0", "as Stripe has it now"


async def test_events_of_an_object_that_stripe_knows_no_more_end_in_the_later_statement(context: Context, double: Double) -> None:
    """It may be deleted by now, which has an event of its own. Until that comes, nobody is told that it never was."""
    second = double.customer()["created"]
    customer = {"id": "cus_NotThereAnyMore", "object": "customer", "created": second - 9, "livemode": False, "metadata": {}}
    states = [event_of(customer | {"name": name}, "customer.updated", second + at) for name, at in (("first", -60), ("second", -30))]
    for event in (*states, {**states[0], "id": "evt_late"}):
        await apply_event(context, event)
    assert (await held(context, "customer", customer["id"]))["name"] == "second"
    await apply_event(context, event_of(customer, "customer.deleted", second))
    await apply_event(context, {**states[1], "id": "evt_later"})
    stored = await context.mirror.get("customer", customer["id"])
    assert stored is not None and stored.deleted

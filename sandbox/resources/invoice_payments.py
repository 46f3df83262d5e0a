"""Invoice payments: which payment intent pays which invoice."""

from __future__ import annotations

import stripe.params

from sandbox.expand import on_expand
from sandbox.listing import listed, page
from sandbox.route import Call, route
from sandbox.world import World


def build(world: World, invoice: dict, payment_intent: str) -> dict:
    payment = {
        "id": world.new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_remaining"],
        "created": world.clock.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": world.livemode,
        "payment": {"payment_intent": payment_intent, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    return world.insert(payment)


def open_for(world: World, invoice_id: str) -> dict | None:
    return next(iter(world.find("invoice_payment", invoice=invoice_id, status="open", limit=1)), None)


def mark_paid(world: World, payment: dict, amount: int) -> None:
    payment |= {"amount_paid": amount, "status": "paid"}
    payment["status_transitions"]["paid_at"] = world.clock.now()
    world.save(payment)
    world.emit("invoice_payment.paid", payment)


def cancel(world: World, payment: dict) -> None:
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = world.clock.now()
    world.save(payment)


@on_expand("invoice", "payments")
def of_invoice(world: World, invoice: dict) -> dict:
    found = world.find("invoice_payment", invoice=invoice["id"])
    return listed(found[:10], f"/v1/invoice_payments?invoice={invoice['id']}", has_more=len(found) > 10)


@route("GET", "/v1/invoice_payments", params=stripe.params.InvoicePaymentListParams, permission="invoice_read", list_of="invoice_payment")
def list_invoice_payments(call: Call) -> dict:
    wanted = call.params.get("payment")
    where = [("payment_intent = ?", [wanted["payment_intent"]])] if wanted and wanted.get("payment_intent") else None
    return page(call, "invoice_payment", filters={"invoice": "invoice", "status": "status"}, where=where)


@route("GET", "/v1/invoice_payments/{id}", params=stripe.params.InvoicePaymentRetrieveParams, permission="invoice_read")
def retrieve(call: Call) -> dict:
    return call.world.require("invoice_payment", call.path["id"])

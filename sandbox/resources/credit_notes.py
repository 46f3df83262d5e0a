"""Credit notes: what is taken back from a finalized invoice, before or after it was paid."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import listed, page
from sandbox.metadata import merged
from sandbox.resources import collection, invoice_lifecycle, invoice_lines, refunds
from sandbox.resources.fields import assign, decimal_string, update
from sandbox.route import Call, route
from sandbox.world import World


def _line(
    world: World, *, amount: int, quantity: int | None, type: str, description: str | None, unit: int | None, of: str | None, metadata: dict
) -> dict:
    return {
        "id": world.new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": of,
        "livemode": world.livemode,
        "metadata": metadata,
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": type,
        "unit_amount": unit,
        "unit_amount_decimal": decimal_string(unit),
    }


def _lines(world: World, invoice: dict, given: dict) -> list[dict]:
    """The lines that a request describes: by invoice line, as custom lines, or one custom line for a bare `amount`."""
    if "lines" not in given:
        amount = given.get("amount")
        if amount is None:
            raise missing("amount")
        return [_line(world, amount=amount, quantity=1, type="custom_line_item", description=None, unit=amount, of=None, metadata={})]
    known = {line["id"]: line for line in invoice_lines.of(world, invoice)}
    built = []
    for position, wanted in enumerate(given["lines"]):
        at, metadata = f"lines[{position}]", merged({}, wanted.get("metadata"))
        if wanted["type"] == "invoice_line_item":
            line = known.get(wanted.get("invoice_line_item", ""))
            if line is None:
                raise invalid(
                    f"No such invoice line item: '{wanted.get('invoice_line_item')}'",
                    param=f"{at}[invoice_line_item]",
                    code="resource_missing",
                )
            quantity = wanted.get("quantity")
            if quantity is None and "amount" not in wanted:
                quantity = line["quantity"]
            net = line["amount"] - sum(entry["amount"] for entry in line["discount_amounts"])
            amount = wanted.get("amount", net * (quantity or 1) // (line["quantity"] or 1))
            if amount > net:
                raise invalid("The credited amount is more than the amount of the line.", param=f"{at}[amount]")
            built.append(
                _line(
                    world,
                    amount=amount,
                    quantity=quantity,
                    type="invoice_line_item",
                    description=wanted.get("description", line["description"]),
                    unit=None if quantity is None else amount // quantity,
                    of=line["id"],
                    metadata=metadata,
                )
            )
            continue
        if "unit_amount" not in wanted or not wanted.get("description"):
            raise missing(f"{at}[{'unit_amount' if 'unit_amount' not in wanted else 'description'}]")
        quantity = wanted.get("quantity", 1)
        built.append(
            _line(
                world,
                amount=wanted["unit_amount"] * quantity,
                quantity=quantity,
                type="custom_line_item",
                description=wanted["description"],
                unit=wanted["unit_amount"],
                of=None,
                metadata=metadata,
            )
        )
    return built


def build(world: World, invoice: dict, given: dict) -> dict:
    """The credit note, checked but not stored: what is unpaid is credited first, the rest needs a way back for the money."""
    if invoice["status"] not in ("open", "paid"):
        raise invalid(f"Credit notes can only be created for open or paid invoices. This invoice is {invoice['status']}.", param="invoice")
    lines = _lines(world, invoice, given)
    total = sum(line["amount"] for line in lines)
    if total <= 0:
        raise invalid("The credit note amount must be positive.", param="amount")
    unpaid = invoice["amount_remaining"] if invoice["status"] == "open" else 0
    left = unpaid + invoice["amount_paid"] - invoice["post_payment_credit_notes_amount"]
    if total > left:
        raise invalid(
            f"The total credit amount ({total}) is greater than what can still be credited on this invoice ({left}).", param="amount"
        )
    before = min(total, unpaid)
    after = total - before
    ways = {name: given.get(name, 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount")}
    linked = [world.require("refund", entry["refund"], param="refunds") for entry in given.get("refunds") or [] if entry.get("refund")]
    back = sum(ways.values()) + sum(refund["amount"] for refund in linked)
    if back != after:
        raise invalid(
            "The sum of the refund amount, credit amount and out of band amount must equal the credit note amount that was already paid"
            f" ({after}), but it is {back}.",
            param="amount",
        )
    count = len(world.find("credit_note", invoice=invoice["id"])) + 1
    id = world.new_id("cn")
    return {
        "id": id,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": world.clock.now(),
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": given.get("effective_at", world.clock.now()),
        "invoice": invoice["id"],
        "lines": listed(lines, f"/v1/credit_notes/{id}/lines"),
        "livemode": world.livemode,
        "memo": given.get("memo"),
        "metadata": merged({}, given.get("metadata")),
        "number": f"{invoice['number']}-CN-{count:02d}",
        "out_of_band_amount": ways["out_of_band_amount"] or None,
        "pdf": f"https://pay.stripe.com/credit_notes/{world.account}/{id}/pdf?s=ap",
        "post_payment_amount": after,
        "pre_payment_amount": before,
        "pretax_credit_amounts": [],
        "reason": given.get("reason"),
        "refunds": [{"amount_refunded": refund["amount"], "refund": refund["id"], "type": "refund"} for refund in linked],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_excluding_tax": total,
        "total_taxes": [],
        "type": "mixed" if before and after else "pre_payment" if before else "post_payment",
        "voided_at": None,
    }


def _paid_charge(world: World, invoice: dict) -> dict:
    for payment in world.find("invoice_payment", invoice=invoice["id"], status="paid"):
        intent = world.get("payment_intent", payment["payment"].get("payment_intent") or "")
        if intent and intent["latest_charge"]:
            return world.require("charge", intent["latest_charge"])
    raise invalid("This invoice has no charge that could be refunded.", param="refund_amount")


@route("POST", "/v1/credit_notes", params=stripe.params.CreditNoteCreateParams, permission="credit_note_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    invoice = world.require("invoice", given["invoice"], param="invoice")
    note = build(world, invoice, given)
    if given.get("refund_amount"):
        refund = refunds.made(world, _paid_charge(world, invoice), given["refund_amount"])
        note["refunds"].append({"amount_refunded": refund["amount"], "refund": refund["id"], "type": "refund"})
    if given.get("credit_amount"):
        customer = world.require("customer", invoice["customer"])
        customer["balance"] -= given["credit_amount"]
        update(world, customer, "customer.updated", promised=False)
    world.insert(note)
    world.emit("credit_note.created", note)
    _carry(world, invoice, note, 1)
    return note


def _carry(world: World, invoice: dict, note: dict, sign: int) -> None:
    """Add a credit note to its invoice, or take it off again; an open one with nothing left to pay is paid."""
    invoice["pre_payment_credit_notes_amount"] += sign * note["pre_payment_amount"]
    invoice["post_payment_credit_notes_amount"] += sign * note["post_payment_amount"]
    if invoice["status"] != "open":
        update(world, invoice, "invoice.updated", promised=False)
        return
    invoice_lines.due(invoice)
    update(world, invoice, "invoice.updated", promised=False)
    collection.reprice(world, invoice)
    if invoice["amount_remaining"] == 0:
        invoice_lifecycle.paid(world, invoice)


@route("GET", "/v1/credit_notes", params=stripe.params.CreditNoteListParams, permission="credit_note_read", list_of="credit_note")
def list_credit_notes(call: Call) -> dict:
    return page(call, "credit_note", filters={"customer": "customer", "invoice": "invoice"})


@route("GET", "/v1/credit_notes/preview", params=stripe.params.CreditNotePreviewParams, permission="credit_note_read")
def preview(call: Call) -> dict:
    return build(call.world, call.world.require("invoice", call.params["invoice"], param="invoice"), call.params)


@route(
    "GET",
    "/v1/credit_notes/preview/lines",
    params=stripe.params.CreditNotePreviewLinesListParams,
    permission="credit_note_read",
    list_of="credit_note_line_item",
)
def preview_lines(call: Call) -> dict:
    lines = _lines(call.world, call.world.require("invoice", call.params["invoice"], param="invoice"), call.params)
    return listed(lines, call.url)


@route("GET", "/v1/credit_notes/{id}", params=stripe.params.CreditNoteRetrieveParams, permission="credit_note_read")
def retrieve(call: Call) -> dict:
    return call.world.require("credit_note", call.path["id"])


@route(
    "GET",
    "/v1/credit_notes/{id}/lines",
    params=stripe.params.CreditNoteListLinesParams,
    permission="credit_note_read",
    list_of="credit_note_line_item",
)
def list_lines(call: Call) -> dict:
    return call.world.require("credit_note", call.path["id"])["lines"]


@route("POST", "/v1/credit_notes/{id}", params=stripe.params.CreditNoteUpdateParams, permission="credit_note_write")
def modify(call: Call) -> dict:
    note = call.world.require("credit_note", call.path["id"])
    assign(note, call.params, "memo", "metadata")
    return update(call.world, note, "credit_note.updated")


@route("POST", "/v1/credit_notes/{id}/void", params=stripe.params.CreditNoteVoidCreditNoteParams, permission="credit_note_write")
def void(call: Call) -> dict:
    world = call.world
    note = world.require("credit_note", call.path["id"])
    invoice = world.require("invoice", note["invoice"])
    if note["status"] == "void":
        raise invalid("This credit note is already void.", param="id")
    if invoice["status"] != "open" or note["post_payment_amount"]:
        raise invalid("You can only void credit notes of open invoices.", param="id")
    note |= {"status": "void", "voided_at": world.clock.now()}
    world.save(note)
    world.emit("credit_note.voided", note)
    _carry(world, invoice, note, -1)
    return note

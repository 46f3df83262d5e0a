"""Invoices: the routes. What happens to an invoice is in `invoice_lifecycle`."""

from __future__ import annotations

import stripe.params

from sandbox import timers
from sandbox.errors import invalid, missing
from sandbox.expand import on_expand
from sandbox.listing import page, sliced
from sandbox.metadata import merged
from sandbox.resources import collection, discounts, invoice_items, invoice_lifecycle, invoice_lines, prices, test_clocks
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route
from sandbox.world import World

_DRAFT = ("auto_advance", "automatically_finalizes_at", "custom_fields", "default_payment_method", "default_source", "description")
_DRAFT += ("due_date", "effective_at", "footer", "metadata", "number", "on_behalf_of", "rendering", "shipping_details")
_DRAFT += ("statement_descriptor",)
_OPEN = ("auto_advance", "default_payment_method", "default_source", "metadata")


def _terms(world: World, invoice: dict, given: dict) -> None:
    """Collection method and due date: a due date belongs to bills that are sent."""
    method = given.get("collection_method", invoice["collection_method"])
    invoice["collection_method"] = method
    if method == "charge_automatically":
        if "days_until_due" in given or given.get("due_date"):
            raise invalid("`days_until_due` and `due_date` may only be set if collection_method is 'send_invoice'.", param="days_until_due")
        invoice["due_date"] = None
    elif "days_until_due" in given:
        invoice["due_date"] = world.clock.now() + given["days_until_due"] * invoice_lifecycle.DAY
    elif invoice["due_date"] is None:
        raise invalid("If invoices are sent, `due_date` or `days_until_due` must be given.", param="days_until_due")


@route("POST", "/v1/invoices", params=stripe.params.InvoiceCreateParams, permission="invoice_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    if not given.get("customer"):
        raise missing("customer")
    customer = world.require("customer", given["customer"], param="customer")
    if given.get("automatic_tax", {}).get("enabled") or given.get("default_tax_rates"):
        raise invalid("Taxes on invoices are not part of this sandbox.", param="automatic_tax")
    pending = []
    if given.get("pending_invoice_items_behavior", "exclude") == "include":
        pending = invoice_items.pending(world, customer["id"], given["currency"].lower() if given.get("currency") else None)
        pending = [item for item in pending if item["currency"] == pending[0]["currency"]]
    currency = (given.get("currency") or (pending[0]["currency"] if pending else None) or customer.get("currency") or "usd").lower()
    invoice = invoice_lifecycle.blank(world, customer, currency=currency, billing_reason="manual")
    assign(invoice, given, *_DRAFT)
    invoice["metadata"] = merged({}, given.get("metadata"))
    _terms(world, invoice, given)
    if given.get("subscription"):
        subscription = world.require("subscription", given["subscription"], param="subscription")
        details = {"metadata": subscription["metadata"], "subscription": subscription["id"], "subscription_proration_date": None}
        invoice["parent"] = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
        invoice["billing_reason"] = "subscription_update"
    invoice["discounts"] = discounts.apply(world, given.get("discounts"), customer=customer["id"], invoice=invoice["id"])
    return invoice_lifecycle.draft(world, invoice, [], pending)


@route("GET", "/v1/invoices", params=stripe.params.InvoiceListParams, permission="invoice_read", list_of="invoice")
def list_invoices(call: Call) -> dict:
    filters = {"customer": "customer", "status": "status", "subscription": "subscription", "collection_method": "collection_method"}

    def due(params: dict) -> tuple[str, list] | None:
        wanted = params.get("due_date")
        if wanted is None:
            return None
        bounds = wanted if isinstance(wanted, dict) else {"": wanted}
        signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        clause = " AND ".join(f"json_extract(body, '$.due_date') {signs.get(bound, '=')} ?" for bound in bounds)
        return clause or "1", list(bounds.values())

    hidden = test_clocks.hidden(call.params)
    return page(call, "invoice", filters=filters, default=due, where=[hidden] if hidden else None)


@route("POST", "/v1/invoices/create_preview", params=stripe.params.InvoiceCreatePreviewParams, permission="invoice_write")
def create_preview(call: Call) -> dict:
    """The customer's next invoice: the subscription's next period and what is pending. Changes are not previewed."""
    from sandbox.resources import subscription_billing

    world, given = call.world, call.params
    beyond = given.keys() - {"customer", "subscription", "currency"}
    if beyond:
        raise invalid(
            f"This sandbox previews a customer or a subscription as it stands; it cannot preview {', '.join(sorted(beyond))}.",
            param=min(beyond),
        )
    subscription = world.require("subscription", given["subscription"], param="subscription") if given.get("subscription") else None
    customer_id = (subscription or {}).get("customer") or given.get("customer")
    if not customer_id:
        raise missing("customer")
    customer = world.require("customer", customer_id, param="customer")
    return subscription_billing.preview(world, customer, subscription, given.get("currency"))


@route("GET", "/v1/invoices/{id}", params=stripe.params.InvoiceRetrieveParams, permission="invoice_read")
def retrieve(call: Call) -> dict:
    return call.world.require("invoice", call.path["id"])


@route("POST", "/v1/invoices/{id}", params=stripe.params.InvoiceUpdateParams, permission="invoice_write")
def modify(call: Call) -> dict:
    world, given = call.world, call.params
    invoice = world.require("invoice", call.path["id"])
    if invoice["status"] != "draft":
        frozen = sorted(given.keys() - set(_OPEN))
        if frozen:
            raise invalid("Finalized invoices can't be updated in this way", param=frozen[0], code=invoice_lifecycle.NOT_DRAFT)
        assign(invoice, given, *_OPEN)
        return update(world, invoice, "invoice.updated")
    assign(invoice, given, *_DRAFT)
    if given.get("auto_advance"):
        timers.later(world, invoice_lifecycle.HOUR, "draft_is_finalized", invoice["id"])
    if {"collection_method", "days_until_due", "due_date"} & given.keys():
        _terms(world, invoice, given)
    if "discounts" in given:
        invoice["discounts"] = discounts.apply(world, given["discounts"], customer=invoice["customer"], invoice=invoice["id"])
        invoice_lines.put(world, invoice, invoice_lines.of(world, invoice))
    return update(world, invoice, "invoice.updated")


@route("DELETE", "/v1/invoices/{id}", params=stripe.params.InvoiceDeleteParams, permission="invoice_write")
def delete(call: Call) -> dict:
    world = call.world
    invoice = world.require("invoice", call.path["id"])
    if invoice["status"] != "draft":
        raise invalid("You can only delete draft invoices.", param="id", code=invoice_lifecycle.NOT_DRAFT)
    if invoice["billing_reason"] != "manual":
        raise invalid("You can't delete invoices created by subscriptions.", param="id")
    for item in world.find("invoiceitem", invoice=invoice["id"]):
        item["invoice"] = None
        world.save(item)
    gone = world.delete("invoice", invoice["id"])
    world.emit("invoice.deleted", invoice)
    return gone


@route("POST", "/v1/invoices/{id}/finalize", params=stripe.params.InvoiceFinalizeInvoiceParams, permission="invoice_write")
def finalize(call: Call) -> dict:
    invoice = call.world.require("invoice", call.path["id"])
    return invoice_lifecycle.finalize(call.world, invoice, auto_advance=call.params.get("auto_advance"))


@route("POST", "/v1/invoices/{id}/pay", params=stripe.params.InvoicePayParams, permission="invoice_write")
def pay(call: Call) -> dict:
    world, given = call.world, call.params
    invoice = world.require("invoice", call.path["id"])
    return invoice_lifecycle.pay(
        world,
        invoice,
        payment_method=given.get("payment_method"),
        out_of_band=given.get("paid_out_of_band", False),
        off_session=given.get("off_session", True),
    )


@route("POST", "/v1/invoices/{id}/send", params=stripe.params.InvoiceSendInvoiceParams, permission="invoice_write")
def send(call: Call) -> dict:
    return invoice_lifecycle.send(call.world, call.world.require("invoice", call.path["id"]))


@route("POST", "/v1/invoices/{id}/void", params=stripe.params.InvoiceVoidInvoiceParams, permission="invoice_write")
def void(call: Call) -> dict:
    return invoice_lifecycle.void(call.world, call.world.require("invoice", call.path["id"]))


@route("POST", "/v1/invoices/{id}/mark_uncollectible", params=stripe.params.InvoiceMarkUncollectibleParams, permission="invoice_write")
def mark_uncollectible(call: Call) -> dict:
    return invoice_lifecycle.mark_uncollectible(call.world, call.world.require("invoice", call.path["id"]))


@route("GET", "/v1/invoices/{id}/lines", params=stripe.params.InvoiceListLinesParams, permission="invoice_read", list_of="line_item")
def list_lines(call: Call) -> dict:
    return sliced(call, invoice_lines.of(call.world, call.world.require("invoice", call.path["id"])))


@route("POST", "/v1/invoices/{id}/add_lines", params=stripe.params.InvoiceAddLinesParams, permission="invoice_write")
def add_lines(call: Call) -> dict:
    world = call.world
    invoice = invoice_items.draft(world, call.path["id"], "id")
    lines = invoice_lines.of(world, invoice)
    for position, given in enumerate(call.params["lines"]):
        quantity = given.get("quantity", 1)
        price = (
            world.require("price", given["pricing"]["price"], param=f"lines[{position}][pricing][price]") if given.get("pricing") else None
        )
        if "price_data" in given:
            price = prices.from_data(world, given["price_data"])
        if price is None and "amount" not in given:
            raise missing(f"lines[{position}][amount]")
        now = world.clock.now()
        amount = prices.line_amount(world, price, quantity) if price else given["amount"]
        item = invoice_items.build(
            world,
            customer=invoice["customer"],
            amount=amount,
            currency=invoice["currency"],
            description=given.get("description"),
            quantity=quantity,
            price=price,
            invoice=invoice["id"],
            discountable=given.get("discountable", True),
            period=given.get("period", {"end": now, "start": now}),
            metadata=merged({}, given.get("metadata")),
        )
        lines.append(invoice_items.line(world, item))
    invoice_lines.put(world, invoice, lines)
    return update(world, invoice, "invoice.updated")


@on_expand("invoice", "confirmation_secret")
def confirmation_secret(world: World, invoice: dict) -> dict | None:
    secret = collection.client_secret(world, invoice)
    return {"client_secret": secret, "type": "payment_intent"} if secret else None

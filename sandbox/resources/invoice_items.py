"""Invoice items: amounts that wait for an invoice, or stand on a draft."""

from __future__ import annotations

from decimal import Decimal

import stripe.params

from sandbox.errors import invalid, missing
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import discounts, invoice_lines, prices
from sandbox.resources.fields import assign, decimal_string, update
from sandbox.route import Call, route
from sandbox.world import World


def build(
    world: World,
    *,
    customer: str,
    amount: int,
    currency: str,
    description: str | None = None,
    quantity: int = 1,
    price: dict | None = None,
    invoice: str | None = None,
    subscription: str | None = None,
    subscription_item: str | None = None,
    proration: bool = False,
    discountable: bool = True,
    period: dict | None = None,
    metadata: dict | None = None,
) -> dict:
    """A new invoice item, stored and announced."""
    now = world.clock.now()
    parent = None
    if subscription:
        details = {"subscription": subscription, "subscription_item": subscription_item}
        parent = {"subscription_details": details, "type": "subscription_details"}
    item = {
        "id": world.new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "date": now,
        "description": description,
        "discountable": discountable,
        "discounts": [],
        "frozen_fields": [],
        "invoice": invoice,
        "livemode": world.livemode,
        "metadata": metadata or {},
        "net_amount": amount,
        "parent": parent,
        "period": period or {"end": now, "start": now},
        "pricing": invoice_lines.pricing(price, amount, quantity),
        "proration": proration,
        "proration_details": {"discount_amounts": []} if proration else None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
    }
    world.insert(item)
    world.emit("invoiceitem.created", item)
    return item


def line(world: World, item: dict) -> dict:
    """The invoice line that shows an invoice item."""
    parent = (item["parent"] or {}).get("subscription_details") or {}
    price = ((item["pricing"] or {}).get("price_details") or {}).get("price")
    built = invoice_lines.build(
        world,
        amount=item["amount"],
        currency=item["currency"],
        description=item["description"],
        period=item["period"],
        quantity=item["quantity"],
        price=world.get("price", price) if price else None,
        invoice_item=item["id"],
        subscription=parent.get("subscription"),
        proration=item["proration"],
        discountable=item["discountable"],
        own_discounts=item["discounts"],
        metadata=item["metadata"],
    )
    return built


def pending(world: World, customer: str, currency: str | None = None) -> list[dict]:
    """What waits for the customer's next invoice, oldest first."""
    waiting = [item for item in world.find("invoiceitem", customer=customer) if item["invoice"] is None]
    return [item for item in reversed(waiting) if currency is None or item["currency"] == currency]


def _amounts(world: World, given: dict) -> tuple[int, str | None, int, dict | None]:
    """Amount, currency, quantity and price as the parameters say them, in one of Stripe's four ways."""
    quantity = given.get("quantity", 1)
    price = None
    if "price_data" in given:
        price = prices.from_data(world, given["price_data"])
    elif given.get("pricing", {}).get("price"):
        price = world.require("price", given["pricing"]["price"], param="pricing[price]")
        if price["recurring"]:
            raise invalid(
                "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
                param="pricing[price]",
            )
    if price is not None:
        return prices.line_amount(world, price, quantity), price["currency"], quantity, price
    if "unit_amount_decimal" in given:
        return int(Decimal(given["unit_amount_decimal"]) * quantity), given.get("currency"), quantity, None
    if "amount" not in given:
        raise missing("amount")
    return given["amount"], given.get("currency"), quantity, None


def _refresh(world: World, invoice_id: str, change: dict[str, dict | None]) -> None:
    """Replace or drop the lines of these invoice items on a draft."""
    invoice = world.require("invoice", invoice_id)
    lines = []
    for old in invoice_lines.of(world, invoice):
        id = ((old["parent"] or {}).get("invoice_item_details") or {}).get("invoice_item")
        if id not in change:
            lines.append(old)
        elif (item := change[id]) is not None:
            lines.append({**line(world, item), "id": old["id"]})
    known = {((old["parent"] or {}).get("invoice_item_details") or {}).get("invoice_item") for old in lines}
    lines += [line(world, item) for id, item in change.items() if item is not None and id not in known]
    invoice_lines.put(world, invoice, lines)
    update(world, invoice, "invoice.updated")


def draft(world: World, invoice_id: str, param: str) -> dict:
    invoice = world.require("invoice", invoice_id, param=param)
    if invoice["status"] != "draft":
        raise invalid("The invoice is not editable anymore; its status is no longer draft.", param=param, code="invoice_not_editable")
    return invoice


@route("POST", "/v1/invoiceitems", params=stripe.params.InvoiceItemCreateParams, permission="invoice_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    invoice = draft(world, given["invoice"], "invoice") if given.get("invoice") else None
    if not given.get("customer") and invoice is None:
        raise missing("customer")
    customer = world.require("customer", given.get("customer") or invoice["customer"], param="customer")  # type: ignore[index]
    if invoice is not None and invoice["customer"] != customer["id"]:
        raise invalid("The invoice does not belong to this customer.", param="invoice")
    amount, currency, quantity, price = _amounts(world, given)
    currency = (currency or (invoice or {}).get("currency") or customer.get("currency") or "").lower()
    if not currency:
        raise missing("currency")
    if invoice is not None and invoice["currency"] != currency and invoice["lines"]["data"]:
        raise invalid(f"The invoice's currency is {invoice['currency']}, the item's is {currency}.", param="currency")
    product = world.get("product", price["product"]) if price else None
    item = build(
        world,
        customer=customer["id"],
        amount=amount,
        currency=currency,
        description=given.get("description", (product or {}).get("name")),
        quantity=quantity,
        price=price,
        invoice=given.get("invoice"),
        subscription=given.get("subscription"),
        discountable=given.get("discountable", amount >= 0),
        period=given.get("period"),
        metadata=merged({}, given.get("metadata")),
    )
    if given.get("discounts"):
        item["discounts"] = discounts.apply(world, given["discounts"], customer=customer["id"], invoice_item=item["id"])
        world.save(item)
    if invoice is not None:
        _refresh(world, invoice["id"], {item["id"]: item})
    return item


@route("GET", "/v1/invoiceitems", params=stripe.params.InvoiceItemListParams, permission="invoice_read", list_of="invoiceitem")
def list_invoice_items(call: Call) -> dict:
    def waiting(params: dict) -> tuple[str, list] | None:
        if "pending" not in params:
            return None
        return ("invoice IS NULL" if params["pending"] else "invoice IS NOT NULL"), []

    return page(call, "invoiceitem", filters={"customer": "customer", "invoice": "invoice"}, default=waiting)


@route("GET", "/v1/invoiceitems/{id}", params=stripe.params.InvoiceItemRetrieveParams, permission="invoice_read")
def retrieve(call: Call) -> dict:
    return call.world.require("invoiceitem", call.path["id"])


@route("POST", "/v1/invoiceitems/{id}", params=stripe.params.InvoiceItemUpdateParams, permission="invoice_write")
def modify(call: Call) -> dict:
    world, given = call.world, call.params
    item = world.require("invoiceitem", call.path["id"])
    if item["invoice"]:
        draft(world, item["invoice"], "id")
    if {"amount", "pricing", "price_data", "quantity", "unit_amount_decimal"} & given.keys():
        kept = {"quantity": item["quantity"], "pricing": {"price": ((item["pricing"] or {}).get("price_details") or {}).get("price")}}
        amount, currency, quantity, price = _amounts(world, {"amount": item["amount"], **({} if "amount" in given else kept), **given})
        if currency and currency != item["currency"]:
            raise invalid("The currency of an invoice item cannot change.", param="pricing[price]")
        pricing = invoice_lines.pricing(price, amount, quantity)
        item |= {
            "amount": amount,
            "net_amount": amount,
            "quantity": quantity,
            "quantity_decimal": decimal_string(quantity),
            "pricing": pricing,
        }
    assign(item, given, "description", "discountable", "metadata", "period")
    if "discounts" in given:
        item["discounts"] = discounts.apply(world, given["discounts"], customer=item["customer"], invoice_item=item["id"])
    saved = update(world, item, "invoiceitem.updated")
    if item["invoice"]:
        _refresh(world, item["invoice"], {item["id"]: item})
    return saved


@route("DELETE", "/v1/invoiceitems/{id}", params=stripe.params.InvoiceItemDeleteParams, permission="invoice_write")
def delete(call: Call) -> dict:
    world = call.world
    item = world.require("invoiceitem", call.path["id"])
    if item["invoice"]:
        draft(world, item["invoice"], "id")
        _refresh(world, item["invoice"], {item["id"]: None})
    gone = world.delete("invoiceitem", item["id"])
    world.emit("invoiceitem.deleted", item)
    return gone

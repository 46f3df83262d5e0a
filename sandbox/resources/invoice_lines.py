"""The lines of an invoice and what they add up to."""

from __future__ import annotations

from decimal import Decimal

from sandbox.listing import listed
from sandbox.resources import discounts
from sandbox.resources.fields import decimal_string
from sandbox.world import World

INLINE = 10


def build(
    world: World,
    *,
    amount: int,
    currency: str,
    description: str | None,
    period: dict,
    quantity: int = 1,
    price: dict | None = None,
    invoice_item: str | None = None,
    subscription: str | None = None,
    subscription_item: str | None = None,
    proration: bool = False,
    discountable: bool = True,
    own_discounts: list[str] | None = None,
    metadata: dict | None = None,
) -> dict:
    """One line. What made it is either an invoice item or an item of a subscription."""
    if invoice_item:
        parent = {
            "invoice_item_details": {
                "invoice_item": invoice_item,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": subscription,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    elif subscription_item:
        parent = {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": subscription,
                "subscription_item": subscription_item,
            },
            "type": "subscription_item_details",
        }
    else:
        parent = None
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": discountable,
        "discounts": own_discounts or [],
        "invoice": None,
        "livemode": world.livemode,
        "metadata": metadata or {},
        "parent": parent,
        "period": period,
        "pretax_credit_amounts": [],
        "pricing": pricing(price, amount, quantity),
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription,
        "subtotal": amount,
        "taxes": [],
    }


def pricing(price: dict | None, amount: int, quantity: int) -> dict | None:
    if price is not None:
        details = {"price": price["id"], "product": price["product"]}
        return {"price_details": details, "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"]}
    if not quantity:
        return None
    return {"price_details": None, "type": "price_details", "unit_amount_decimal": decimal_string(Decimal(amount) / quantity)}


def of(world: World, invoice: dict) -> list[dict]:
    """All lines; the invoice itself shows the first ten."""
    kept = world.private("invoice", invoice["id"]).get("lines") if invoice["lines"]["has_more"] else None
    return kept or invoice["lines"]["data"]


def put(world: World, invoice: dict, lines: list[dict]) -> None:
    """Give a stored invoice these lines and add them up."""
    for line in lines:
        line["invoice"] = invoice["id"]
    total(world, invoice, lines)
    invoice["lines"] = listed(lines[:INLINE], f"/v1/invoices/{invoice['id']}/lines", has_more=len(lines) > INLINE)
    private = world.private("invoice", invoice["id"])
    if len(lines) > INLINE or "lines" in private:
        world.set_private("invoice", invoice["id"], {**private, "lines": lines})


def total(world: World, invoice: dict, lines: list[dict]) -> None:
    """Subtotal, discounts spread over the lines they touch, total, and what is due."""
    left = [line["amount"] for line in lines]
    for line in lines:
        line["discount_amounts"] = []
    taken = []
    own = [(id, [position]) for position, line in enumerate(lines) for id in line["discounts"]]
    whole = [(id, [position for position, line in enumerate(lines) if line["discountable"]]) for id in invoice["discounts"]]
    for id, positions in own + whole:
        coupon = discounts.terms(world, id)
        products = (coupon.get("applies_to") or {}).get("products") if coupon else None
        positions = [p for p in positions if left[p] > 0 and (not products or _product(lines[p]) in products)]
        off = discounts.amount_off(coupon, sum(left[p] for p in positions), invoice["currency"])
        for position, share in zip(positions, spread(off, [left[p] for p in positions]), strict=True):
            left[position] -= share
            lines[position]["discount_amounts"].append({"amount": share, "discount": id})
        taken.append({"amount": off, "discount": id})
    invoice["subtotal"] = invoice["subtotal_excluding_tax"] = sum(line["amount"] for line in lines)
    invoice["total_discount_amounts"] = taken
    invoice["total_pretax_credit_amounts"] = [
        {"amount": entry["amount"], "credit_balance_transaction": None, "discount": entry["discount"], "type": "discount"}
        for entry in taken
    ]
    invoice["total"] = invoice["total_excluding_tax"] = invoice["subtotal"] - sum(entry["amount"] for entry in taken)
    due(invoice)


def due(invoice: dict) -> None:
    """What is left to pay after the customer's balance, credit notes and payments."""
    wanted = max(0, invoice["total"] + invoice["starting_balance"])
    invoice["amount_due"] = max(0, wanted - invoice["pre_payment_credit_notes_amount"])
    invoice["amount_remaining"] = max(0, invoice["amount_due"] - invoice["amount_paid"])


def spread(amount: int, weights: list[int]) -> list[int]:
    """Split `amount` in proportion to `weights`; the parts add up to it exactly."""
    shares, passed, given, all_weights = [], 0, 0, sum(weights)
    for weight in weights:
        passed += weight
        upto = amount * passed // all_weights if all_weights else 0
        shares.append(upto - given)
        given = upto
    return shares


def _product(line: dict) -> str | None:
    return ((line["pricing"] or {}).get("price_details") or {}).get("product")

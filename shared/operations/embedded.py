"""Lists inside an object, of which Stripe gives the first page: as rows, and never without the sign that something is missing."""

from collections.abc import Callable
from typing import Any

from shared.instants import twins
from shared.operations import fields
from shared.operations.parts import Names, Part
from shared.operations.prices import priced

MOST = 100  # rows of one list

type Row = Callable[[Part, str | None], dict[str, Any]]


def show(value: Any, name: str, row: Row, code: str | None, odd: Names) -> dict[str, Any]:
    """`<name>`, `<name>_has_more`, and `<name>_total` where it is known; nothing where Stripe left the list out."""
    if value is None:
        return {}
    if value.__class__ is not dict or value.get("data").__class__ is not list:
        odd[name] = None
        return {name: None, f"{name}_has_more": None, f"{name}_total": None}
    there: list[Any] = value["data"]
    whole = Part(value, name, odd)
    has_more, total = whole.read("has_more", fields.flag), whole.read("total_count", fields.number)
    rows: list[Any] = []
    for place, each in enumerate(there[:MOST]):
        part = Part(each, f"{name}[{place}]", odd)
        if each.__class__ is dict:
            rows.append(row(part, code))
        else:
            odd[part.name] = None
            rows.append(None)
    if total is None and not has_more and "has_more" in value:
        total = len(there)
    return {
        name: rows,
        f"{name}_has_more": True if has_more or len(rows) < len(there) or (total or 0) > len(rows) else has_more,
        f"{name}_total": total,
    }


def item(row: Part, code: str | None) -> dict[str, Any]:
    """An item of a subscription whose currency is `code`: what is charged, for how many, until when."""
    return {
        "id": row.read("id", fields.word),
        "price": row.read("price", fields.id_of),
        **priced(row.object("price"), code),
        "quantity": row.read("quantity", fields.number),
        **twins({name: row.read(name, fields.second) for name in ("current_period_start", "current_period_end")}),
    } | {name: found for name, found in (("discounts", row.read("discounts", fields.ids)),) if found}


def line(row: Part, code: str | None) -> dict[str, Any]:
    """A line of an invoice."""
    about, period = row.part("parent"), row.part("period")
    by_item, by_hand = (about.part(name).read("proration", fields.flag) for name in ("subscription_item_details", "invoice_item_details"))
    amount, own = row.read("amount", fields.number), row.read("currency", fields.currency)
    price, description = row.part("pricing").part("price_details").read("price", fields.id_of), row.read("description", fields.text)
    return {
        "id": row.read("id", fields.word),
        "amount": amount,
        "amount_formatted": fields.formatted(amount, own or code),
        "currency": own,
        "quantity": row.read("quantity", fields.number),
        "price": price,
        "proration": bool(by_item or by_hand),
        **{
            f"period_{name}": moment
            for name, moment in twins({each: period.read(each, fields.second) for each in ("start", "end")}).items()
        },
        "untrusted": {"description": description} if description else {},
    }


def refund(row: Part, code: str | None) -> dict[str, Any]:
    """A refund, inside its charge."""
    return {**_money(row, "amount", code), "status": row.read("status", fields.word)}


def payment(row: Part, code: str | None) -> dict[str, Any]:
    """A payment of an invoice."""
    paid_by = row.part("payment")
    return {
        **_money(row, "amount_paid", code),
        "status": row.read("status", fields.word),
        "is_default": row.read("is_default", fields.flag),
        **{name: paid_by.read(name, fields.id_of) for name in ("payment_intent", "charge")},
    }


def tax_id(row: Part, code: str | None) -> dict[str, Any]:
    """A customer's tax id, which the customer tells."""
    value = row.read("value", fields.text)
    return {
        "id": row.read("id", fields.word),
        "type": row.read("type", fields.word),
        "country": row.read("country", fields.word),
        "verification": row.part("verification").read("status", fields.word),
        "untrusted": {"value": value} if value else {},
    }


def _money(row: Part, name: str, code: str | None) -> dict[str, Any]:
    amount, own = row.read(name, fields.number), row.read("currency", fields.currency)
    return {"id": row.read("id", fields.word), name: amount, f"{name}_formatted": fields.formatted(amount, own or code), "currency": own}

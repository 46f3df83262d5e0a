"""How an object of Stripe's is shown: its facts under Stripe's own names, times in two forms, third-party text set apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.instants import iso
from shared.untrusted import clean_all

type Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False)
class View:
    """`facts` are ids, numbers and enumerated words; `times` are epoch seconds; `texts` were written by others (dotted paths reach in)."""

    facts: tuple[Path, ...]
    times: tuple[tuple[Path, Path], ...]
    texts: tuple[Path, ...]

    def __init__(self, facts: tuple[str, ...], times: tuple[str, ...], texts: tuple[str, ...]) -> None:
        object.__setattr__(self, "facts", tuple(tuple(path.split(".")) for path in facts))
        object.__setattr__(self, "times", tuple((tuple(path.split(".")), tuple(f"{path}_iso".split("."))) for path in times))
        object.__setattr__(self, "texts", tuple(tuple(path.split(".")) for path in texts))


VIEWS: dict[str, View] = {
    "charge": View(
        facts=(
            *("amount", "amount_captured", "amount_refunded", "balance_transaction", "captured", "currency", "customer", "disputed"),
            *("failure_code", "outcome.reason", "outcome.risk_level", "outcome.type", "paid", "payment_intent", "payment_method"),
            *(
                "payment_method_details.card.brand",
                "payment_method_details.card.last4",
                "payment_method_details.type",
                "refunded",
                "status",
            ),
        ),
        times=("created",),
        texts=("billing_details.email", "billing_details.name", "description", "failure_message", "metadata", "receipt_email"),
    ),
    "customer": View(
        facts=("balance", "currency", "default_source", "delinquent", "invoice_settings.default_payment_method", "tax_exempt"),
        times=("created",),
        texts=("address", "description", "email", "metadata", "name", "phone", "preferred_locales", "shipping"),
    ),
    "subscription": View(
        facts=(
            *("cancel_at_period_end", "cancellation_details.reason", "collection_method", "currency", "customer", "default_payment_method"),
            *("latest_invoice", "status"),
        ),
        times=("billing_cycle_anchor", "cancel_at", "canceled_at", "created", "ended_at", "start_date", "trial_end", "trial_start"),
        texts=("cancellation_details.comment", "description", "metadata"),
    ),
    "invoice": View(
        facts=(
            *("amount_due", "amount_overpaid", "amount_paid", "amount_remaining", "attempt_count", "attempted", "billing_reason"),
            *(
                "collection_method",
                "currency",
                "customer",
                "number",
                "parent.subscription_details.subscription",
                "status",
                "subtotal",
                "total",
            ),
        ),
        times=(
            *("created", "due_date", "next_payment_attempt", "period_end", "period_start"),
            *("status_transitions.finalized_at", "status_transitions.paid_at", "status_transitions.voided_at"),
        ),
        texts=("customer_email", "customer_name", "description", "footer", "metadata"),
    ),
    "refund": View(
        facts=("amount", "charge", "currency", "failure_reason", "payment_intent", "reason", "status"),
        times=("created",),
        texts=("description", "metadata"),
    ),
}


def show(kind: str, body: bytes | dict[str, Any]) -> dict[str, Any]:
    """The view of a mirrored object. A deleted one is shown as its id and `deleted`."""
    value: dict[str, Any] = orjson.loads(body) if isinstance(body, bytes) else body
    shown: dict[str, Any] = {"id": value["id"], "object": kind, "livemode": bool(value.get("livemode"))}
    if value.get("deleted"):
        return shown | {"deleted": True}
    view = VIEWS[kind]
    for path in view.facts:
        fact = _reach(value, path)
        _place(shown, path, fact.get("id") if isinstance(fact, dict) else fact)  # pyright: ignore[reportUnknownMemberType]
    for path, readable in view.times:
        moment = _reach(value, path)
        _place(shown, path, moment)
        _place(shown, readable, iso(moment) if isinstance(moment, int) else None)
    if kind == "subscription":
        items: dict[str, Any] = value.get("items") or {}
        shown["items"] = [_item(item) for item in items.get("data", [])]
    untrusted: dict[str, Any] = {}
    for path in view.texts:
        text = _reach(value, path)
        if text:
            _place(untrusted, path, clean_all(text))
    shown["untrusted"] = untrusted
    return shown


def show_or_facts(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The view of an object; where none can be made of it, what is certain: a view never stands in the way of an outcome."""
    try:
        return show(kind, dict(value))
    except Exception:
        return {"id": value.get("id"), "object": kind} | {
            name: value[name] for name in ("amount", "currency", "status") if isinstance(value.get(name), str | int)
        }


def _item(item: dict[str, Any]) -> dict[str, Any]:
    price: dict[str, Any] = item.get("price") or {}
    recurring: dict[str, Any] = price.get("recurring") or {}
    end = item.get("current_period_end")
    return {
        "id": item.get("id"),
        "price": price.get("id"),
        "product": price.get("product"),
        "unit_amount": price.get("unit_amount"),
        "currency": price.get("currency"),
        "interval": recurring.get("interval"),
        "quantity": item.get("quantity"),
        "current_period_end": end,
        "current_period_end_iso": iso(end) if isinstance(end, int) else None,
    }


def _reach(value: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _place(target: dict[str, Any], path: Path, value: Any) -> None:
    for parent in path[:-1]:
        target = target.setdefault(parent, {})
    target[path[-1]] = value

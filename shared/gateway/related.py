"""What an event of one object says of another, of which Stripe promises no event: the mirror asks for that one.

Sources: the descriptions of the event types in Stripe's reference; what was seen to come beside them is not promised.
"""

from collections.abc import Callable, Mapping
from typing import Any

Value = Mapping[str, Any]
Related = tuple[tuple[str, str], ...]

# By event type: the kind of the other object, the field that names it, and whether this event concerns it at all.
_OF: dict[str, tuple[tuple[str, str, Callable[[Value], bool]], ...]] = {}


def _always(_: Value) -> bool:
    return True


def _came_back(refund: Value) -> bool:
    return refund.get("status") in ("failed", "canceled")


def _changes_its_customer(invoice: Value) -> bool:
    """It used the balance up, or may have been the customer's first, which settles the currency."""
    first = invoice.get("billing_reason") in ("manual", "subscription_create")
    return first or (invoice.get("starting_balance") or 0) != (invoice.get("ending_balance") or 0)


def _was_refused(invoice: Value) -> bool:
    """Its customer was delinquent while it was asked for and not paid."""
    return bool(invoice.get("attempt_count"))


for _type in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"):
    _OF[_type] = (("charge", "charge", _came_back),)
_OF["charge.dispute.created"] = (("charge", "charge", _always),)
_OF["payment_intent.canceled"] = (("charge", "latest_charge", _always),)
for _type in ("credit_note.created", "credit_note.voided"):
    _OF[_type] = (("invoice", "invoice", _always), ("customer", "customer", _always))
_OF["invoice.finalized"] = (("customer", "customer", _changes_its_customer),)
_OF["invoice.payment_failed"] = (("customer", "customer", _always),)
for _type in ("invoice.paid", "invoice.voided", "invoice.marked_uncollectible"):
    _OF[_type] = (("customer", "customer", _was_refused),)


def related(type: str, value: Value) -> Related:
    """Kind and id of each other object that the event of this type, about `value`, has changed."""
    return tuple(
        (kind, str(id)) for kind, field, concerns in _OF.get(type, ()) if isinstance(id := value.get(field), str) and concerns(value)
    )

"""What changes with another object's event, as one table. Stripe promises no event of the changed object for it, so the mirror asks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.gateway.kinds import EVENT_TYPES, KINDS, Object, as_object, id_of, is_id
from shared.gateway.searchable import reach


@dataclass(frozen=True, slots=True)
class ChangedBy:
    """Events of other objects that change an object of a kind.

    `paths` reach its id in the event's object, the first that is there. `concerns` tells of the event's object whether it changed the other
    at all (none: always); `only_where` names a field and what the mirrored object has there, where the event can change nothing else.
    """

    events: tuple[str, ...]
    paths: tuple[str, ...]
    concerns: Callable[[Object], bool] | None = None
    only_where: tuple[str, object] | None = None


def _events(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


def _came_back(refund: Object) -> bool:
    return refund.get("status") in ("failed", "canceled")


def _touches_the_balance(invoice: Object) -> bool:
    """It used up what the customer had in credit, or may be the customer's first, which settles the currency."""
    first = invoice.get("billing_reason") in ("manual", "subscription_create")
    return first or (invoice.get("starting_balance") or 0) != (invoice.get("ending_balance") or 0)


_DISCOUNTS = _events("customer.discount", "created deleted updated")

CHANGED_BY: dict[str, tuple[ChangedBy, ...]] = {
    "charge": (
        ChangedBy(_events("charge.dispute", "created closed"), ("charge",)),
        ChangedBy(KINDS["refund"].events, ("charge",), _came_back),
        ChangedBy(("payment_intent.canceled",), ("latest_charge",)),  # what was held is let go
    ),
    "invoice": (ChangedBy(_events("credit_note", "created voided"), ("invoice",)),),
    "customer": (
        ChangedBy(_DISCOUNTS, ("customer",)),
        ChangedBy(_events("credit_note", "created voided"), ("customer",)),  # it may go to the balance
        ChangedBy(("invoice.finalized",), ("customer",), _touches_the_balance),
        # Whether a customer is delinquent follows from the last payment and from what is overdue.
        ChangedBy(_events("invoice", "payment_failed overdue"), ("customer",)),
        ChangedBy(_events("invoice", "paid marked_uncollectible voided"), ("customer",), only_where=("delinquent", True)),
    ),
    "subscription": (ChangedBy(_DISCOUNTS, ("subscription",)),),
    # A redemption is counted on both.
    "coupon": (ChangedBy(("customer.discount.created",), ("source.coupon", "coupon")),),
    "promotion_code": (ChangedBy(("customer.discount.created",), ("promotion_code",)),),
}

SUBSCRIBED: tuple[str, ...] = tuple(  # what a webhook endpoint has to be sent
    dict.fromkeys((*EVENT_TYPES, *(type for rules in CHANGED_BY.values() for rule in rules for type in rule.events)))
)


def touched(event: Object) -> Iterator[tuple[str, str, ChangedBy]]:
    """Kind and id of what a snapshot event changes besides its own object, and the rule that says so."""
    type, value = event.get("type"), as_object(as_object(event.get("data")).get("object"))
    for kind, rules in CHANGED_BY.items():
        for rule in rules:
            if type in rule.events and (rule.concerns is None or rule.concerns(value)):
                found = next((id for path in rule.paths if (id := id_of(reach(value, path)))), None)
                if found and is_id(found, kind):
                    yield kind, found, rule

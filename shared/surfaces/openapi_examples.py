"""The examples of the OpenAPI document. Objects go through the same view as real ones, so that an example cannot differ from an answer."""

from typing import Any

from shared.operations.views import show

AS_OF = "2026-11-01T09:30:00Z"

ARGUMENTS: dict[str, Any] = {
    "customer": "cus_9s6XKzkNRiz8i3",
    "created_from": "2026-11-01",
    "created_to": "2026-11-30",
    "limit": 10,
    "q": "jane@example.com",
    "get_charge.id": "ch_1PgafTB7WZ01zgkW6dKLzKmS",
    "get_customer.id": "cus_9s6XKzkNRiz8i3",
    "get_subscription.id": "sub_1MowQVLkdIwHu7ixeRlqHVzs",
    "get_invoice.id": "in_1MtHbELkdIwHu7ixl4OzzPMv",
    "get_refund.id": "re_1Nispe2eZvKYlo2Cd31jOCgZ",
    "get_attempt.id": "att_01kctm1ay0b6cjvmsk5f8q2r7x",
    "end_attempt.id": "att_01kctm1ay0b6cjvmsk5f8q2r7x",
    "revoke_key.id": "key_01kctm1ay0b6cjvmsk5f8q2r7x",
}

_CHARGE: dict[str, Any] = {
    "id": "ch_1PgafTB7WZ01zgkW6dKLzKmS",
    "amount": 4599,
    "amount_captured": 4599,
    "amount_refunded": 0,
    "captured": True,
    "created": 1793439000,
    "currency": "usd",
    "customer": "cus_9s6XKzkNRiz8i3",
    "description": "Order 5678",
    "disputed": False,
    "livemode": False,
    "paid": True,
    "payment_intent": "pi_3PgafTB7WZ01zgkW1mPcdBw6",
    "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
    "refunded": False,
    "status": "succeeded",
}
_CUSTOMER: dict[str, Any] = {
    "id": "cus_9s6XKzkNRiz8i3",
    "balance": 0,
    "created": 1793000000,
    "currency": "usd",
    "delinquent": False,
    "email": "jane@example.com",
    "livemode": False,
    "name": "Jane Smith",
}
_REFUND: dict[str, Any] = {
    "id": "re_1Nispe2eZvKYlo2Cd31jOCgZ",
    "amount": 4599,
    "charge": "ch_1PgafTB7WZ01zgkW6dKLzKmS",
    "created": 1793440000,
    "currency": "usd",
    "livemode": False,
    "reason": "requested_by_customer",
    "status": "succeeded",
}
_SETTLED: dict[str, Any] = {"charge": _CHARGE["id"], "amount": 4599, "currency": "usd", "customer": _CUSTOMER["id"]}


def _list(kind: str, value: dict[str, Any], total: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "asked": {},
        "data": [show(kind, value)],
        "has_more": False,
        "next_cursor": None,
        "total": total,
        "complete": True,
        "as_of": AS_OF,
    }
    return {"one": {"value": body}}


BODIES: dict[str, dict[str, Any]] = {
    "create_refund": {
        "part": {
            "summary": "10.00 USD of a charge, once",
            "value": {"charge": _CHARGE["id"], "amount": 1000, "idempotency_key": "ticket-812"},
        },
        "rest": {"summary": "Exactly what is left", "value": {"charge": _CHARGE["id"], "reason": "requested_by_customer"}},
        "preview": {"summary": "Only say what would happen", "value": {"charge": _CHARGE["id"], "dry_run": True}},
    },
    "create_key": {"reader": {"summary": "A key that may look and change nothing", "value": {"name": "Support desk", "role": "read_only"}}},
}

ANSWERS: dict[str, dict[str, Any]] = {
    "list_charges": _list("charge", _CHARGE, 1),
    "get_charge": {"paid": {"summary": "45.99 USD", "value": show("charge", _CHARGE)}},
    "list_customers": _list("customer", _CUSTOMER, 1),
    "get_customer": {"customer": {"value": show("customer", _CUSTOMER)}},
    "list_refunds": _list("refund", _REFUND, 1),
    "get_refund": {"whole": {"summary": "45.99 USD", "value": show("refund", _REFUND)}},
    "create_refund": {
        "done": {"value": {"status": "succeeded", "attempt": "att_01kctm1ay0b6cjvmsk5f8q2r7x", "result": show("refund", _REFUND)}},
        "preview": {
            "value": {
                "status": "preview",
                "would": "act",
                "summary": "Refund 45.99 USD (all that is left) of charge ch_1PgafTB7WZ01zgkW6dKLzKmS.",
                "settled": _SETTLED,
                "reason": "The amount is within the role's cap for one transaction.",
            }
        },
    },
}

"""A small company for the tests of the surfaces: stores of its own, a key for each role, and a few objects in the mirror."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from shared import wiring
from shared.context import Context
from shared.people.keys import make_key
from shared.policy.roles import ROLES
from shared.settings import Settings
from shared.stores.protocols import Write

NOW = 1_793_500_000
CARD_NUMBER = "4242424242424242"

OBJECTS: list[tuple[str, dict[str, Any]]] = [
    ("customer", {"id": "cus_Jane1", "name": "Jane Smith", "email": "jane@example.com", "balance": 0, "created": NOW - 900}),
    *(
        (
            "charge",
            {
                "id": f"ch_{number:03}",
                "amount": 1000 + number,
                "amount_captured": 1000 + number,
                "amount_refunded": 0,
                "captured": True,
                "created": NOW - 800 + number,
                "currency": "usd",
                "customer": "cus_Jane1",
                "description": f"Order {number}",
                "paid": True,
                "payment_method_details": {
                    "type": "card",
                    "card": {"brand": "visa", "last4": CARD_NUMBER[-4:], "number": CARD_NUMBER, "fingerprint": "Xt5EWLLDS7FJjR1c"},
                },
                "status": "failed" if number % 10 == 0 else "succeeded",
            },
        )
        for number in range(1, 131)
    ),
    (
        "subscription",
        {"id": "sub_Jane1", "customer": "cus_Jane1", "status": "active", "currency": "usd", "created": NOW - 700, "items": {"data": []}},
    ),
    (
        "invoice",
        {"id": "in_Jane1", "customer": "cus_Jane1", "status": "open", "currency": "usd", "created": NOW - 600, "amount_due": 2500},
    ),
    ("refund", {"id": "re_Jane1", "charge": "ch_001", "amount": 100, "currency": "usd", "status": "succeeded", "created": NOW - 500}),
]


@dataclass(slots=True)
class Company:
    """`keys` holds one raw key for each role."""

    context: Context
    keys: dict[str, str] = field(default_factory=dict[str, str])

    async def audit(self) -> list[dict[str, Any]]:
        """All audit rows, oldest first."""
        return list(reversed(await self.context.audit.list(limit=1000)))


@asynccontextmanager
async def open_company(home: Path, **settings: Any) -> AsyncIterator[Company]:
    """A company in a folder of its own, with the embedded stores."""
    context = await wiring.make_context(Settings(home=home, **settings))
    try:
        company = Company(context)
        for role in ROLES:
            company.keys[role] = (await make_key(context, f"a {role}", role, None, "system"))["key"]
        await context.mirror.apply([_write(kind, value) for kind, value in OBJECTS])
        yield company
    finally:
        await wiring.close_context(context)


def _write(kind: str, value: dict[str, Any]) -> Write:
    return Write(
        kind=kind,
        id=value["id"],
        created=value["created"],
        stamp=value["created"],
        body=orjson.dumps(value | {"object": kind, "livemode": False}),
        status=value.get("status"),
        customer=value.get("customer"),
        currency=value.get("currency"),
        amount=value.get("amount"),
        words=" ".join(str(value[name]) for name in ("name", "email", "description") if name in value),
    )

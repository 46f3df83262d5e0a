"""Stripe's own courier: an object goes through the door of the webhooks, signed, and into the mirror as from the queue."""

import hashlib
import hmac
import itertools
import json
import time
from typing import Any

import pytest

from shared.gateway.webhook import SECRETS, accept, apply_message
from tests.spec.conftest import Billy

SECRET = "whsec_courier0000000000000000"
NOW = int(time.time())
_numbers = itertools.count(1)


class Courier:
    """`bring` delivers the newest state of an object, each event two minutes after the one before."""

    def __init__(self, billy: Billy) -> None:
        self.billy = billy
        self._at = NOW - 80_000

    async def bring(self, value: dict[str, Any], type: str | None = None) -> str:
        """Answers what became of the event."""
        self._at += 120
        prefix = "customer.subscription" if value["object"] == "subscription" else value["object"]
        event = {
            "id": f"evt_courier{next(_numbers)}",
            "object": "event",
            "type": type or f"{prefix}.updated",
            "api_version": "2026-10-28.endive",
            "created": self._at,
            "livemode": False,
            "data": {"object": value},
        }
        payload, second = json.dumps(event).encode(), int(self.billy.clock.now())
        signature = hmac.new(SECRET.encode(), f"{second}.".encode() + payload, hashlib.sha256).hexdigest()
        message = await accept(self.billy.context, payload, f"t={second},v1={signature}")
        await apply_message(self.billy.context, json.loads(message))
        record = await self.billy.context.records.get("events", str(event["id"]))
        assert record is not None
        return str(record.document["outcome"])


@pytest.fixture
async def courier(both: Billy) -> Courier:
    await both.context.secrets.set(SECRETS, SECRET)
    return Courier(both)

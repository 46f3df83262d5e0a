"""Stripe's events about the charges of a mirror: made here, signed here, as many as a measure wants."""

import hashlib
import hmac
import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from bench.load import request
from shared.gateway.kinds import API_VERSION

BYTES = 4_200  # of a delivery, which Stripe sends indented


def charges(mirror: Path, wanted: int) -> list[dict[str, Any]]:
    """So many charges of a home's mirror, spread over all of them; fewer where it has fewer."""
    file = sqlite3.connect(f"file:{mirror / 'mirror.sqlite'}?mode=ro", uri=True)
    try:
        (there,) = file.execute("SELECT sum(count) FROM totals WHERE kind = 'charge' AND day = -1").fetchone()
        step = max(1, there // wanted)
        positions = file.execute("SELECT position FROM objects INDEXED BY by_kind WHERE kind = 'charge' AND deleted = 0 ORDER BY position")
        chosen = list(islice((position for (position,) in positions), 0, step * wanted, step))
        rows = (file.execute("SELECT body FROM objects WHERE position = ?", (position,)).fetchone() for position in chosen)
        return [orjson.loads(body) for (body,) in rows]
    finally:
        file.close()


def changes(found: list[dict[str, Any]], wanted: int, mark: str) -> Iterator[dict[str, Any]]:
    """So many events, by turns of a charge that is new and of a change to one that is there; each about a charge of its own."""
    now = int(time.time())
    for number in range(wanted):
        charge = dict(found[number // 2 % len(found)])
        new = number % 2 == 0 or number // 2 >= len(found)
        if new:
            charge |= {"id": f"ch_bench{mark}{number:012d}", "created": now, "metadata": {"order_id": f"B{number}"}}
        else:
            charge |= {"amount_refunded": 1, "description": f"Changed {mark} {number}"}
        yield {
            "id": f"evt_bench{mark}{number:012d}",
            "object": "event",
            "api_version": API_VERSION,
            "created": now,
            "data": {"object": charge, "previous_attributes": {}} if not new else {"object": charge},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": "charge.succeeded" if new else "charge.updated",
        }


def delivery(event: dict[str, Any], path: str, secret: str) -> bytes:
    """The HTTP request that brings an event, as large as a common one and signed as Stripe signs."""
    body = orjson.dumps(event, option=orjson.OPT_INDENT_2)
    if len(body) < BYTES:
        note = "." * (BYTES - len(body))
        event = {**event, "request": {**event["request"], "idempotency_key": note[: BYTES - len(body)]}}
        body = orjson.dumps(event, option=orjson.OPT_INDENT_2)
    moment = str(int(time.time()))
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={moment},v1={mac}", "user-agent": "Stripe/1.0"}
    return request("POST", path, headers, body)

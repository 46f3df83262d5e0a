"""Webhook deliveries: signed, concurrent, retried with back-off, and out of order or twice when asked to be."""

import asyncio
import contextlib
import hmac
import random
import time
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import httpx
import orjson

from sandbox import dispatch
from sandbox.guard import is_loopback
from sandbox.world import World

TRIES = 10
FIRST_RETRY = 0.5
CONCURRENT = 16
BATCH = 64


@dataclass(slots=True)
class Behaviour:
    """`delay_ms` holds every delivery back, `duplicate` sends that many more copies, `shuffle` mixes the order, `pause` sends nothing,
    `unpromised` also makes the events that Stripe was seen to send and does not promise. As Stripe may, events come mixed and twice."""

    delay_ms: int = 0
    duplicate: int = 1
    shuffle: bool = True
    pause: bool = False
    unpromised: bool = False

    def change(self, wanted: dict[str, Any]) -> None:
        known = {field.name for field in fields(self)}
        if unknown := wanted.keys() - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name, value in wanted.items():
            setattr(self, name, int(value) if name in ("delay_ms", "duplicate") else bool(value))


def _reachable(world: World, url: str) -> bool:
    """Asked again at each delivery: the endpoint may have been made by a sandbox that was started with the flag."""
    return world.webhooks_anywhere or is_loopback(url)


def signature(payload: bytes, secret: str, timestamp: int) -> str:
    """The Stripe-Signature header over exactly these bytes."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


class Courier:
    """Sends what `dispatch` queued. The queue is in the store, so that a restart goes on where the last run stopped."""

    def __init__(self, world_of: Any) -> None:
        self._world_of = world_of
        self.behaviour = Behaviour()
        self._wake = asyncio.Event()
        self._flying: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        limits = httpx.Limits(max_connections=CONCURRENT, max_keepalive_connections=CONCURRENT)
        async with httpx.AsyncClient(timeout=10, limits=limits, trust_env=False) as client:
            try:
                while True:
                    self._wake.clear()
                    pause = self._start(client)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), pause)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, client: httpx.AsyncClient) -> float | None:
        """Start what is due; give the seconds until something else is, or None."""
        if self.behaviour.pause:
            return None
        db = self._world_of(False).store.db
        held = self.behaviour.delay_ms / 1000
        rows = db.execute(
            "SELECT id, event, livemode, endpoint, attempt, due FROM deliveries WHERE state = 'pending' ORDER BY due, id LIMIT ?", (BATCH,)
        ).fetchall()
        now = time.time()
        waiting = [row for row in rows if row[0] not in self._flying]
        due = [row for row in waiting if row[5] + held <= now]
        if self.behaviour.shuffle:
            random.shuffle(due)
        for row in due[: max(0, BATCH - len(self._flying))]:
            self._flying.add(row[0])
            task = asyncio.create_task(self._deliver(client, *row[:5]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        later = [row[5] + held - now for row in waiting if row not in due]
        return max(0.01, min(later)) if later else None

    async def _deliver(self, client: httpx.AsyncClient, id: int, event_id: str, livemode: int, endpoint_id: str, attempt: int) -> None:
        try:
            world: World = self._world_of(bool(livemode))
            endpoint, event = world.get("webhook_endpoint", endpoint_id), world.get("event", event_id)
            if endpoint is None or event is None or endpoint["status"] != "enabled" or not _reachable(world, endpoint["url"]):
                self._end(world, id, event_id, "dropped", None)
                return
            payload = orjson.dumps(event, option=orjson.OPT_INDENT_2)
            secret = world.private("webhook_endpoint", endpoint_id)["secret"]
            status = None
            for _ in range(1 + self.behaviour.duplicate):
                status = await self._post(client, endpoint["url"], payload, secret)
            if status is not None and 200 <= status < 300:
                self._end(world, id, event_id, "delivered", status)
            elif attempt + 1 >= TRIES:
                self._end(world, id, event_id, "failed", status)
            else:
                due = time.time() + FIRST_RETRY * 2**attempt
                world.store.db.execute(
                    "UPDATE deliveries SET attempt = ?, due = ?, answer = ? WHERE id = ?", (attempt + 1, due, status, id)
                )
        finally:
            self._flying.discard(id)
            self.wake()

    async def _post(self, client: httpx.AsyncClient, url: str, payload: bytes, secret: str) -> int | None:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(payload, secret, int(time.time())),
        }
        try:
            return (await client.post(url, content=payload, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    def _end(self, world: World, id: int, event_id: str, state: str, answer: int | None) -> None:
        db = world.store.db
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE deliveries SET state = ?, answer = ? WHERE id = ?", (state, answer, id))
        if state != "failed":
            dispatch.settled(world, event_id)
        db.execute("COMMIT")

"""Writing history fast: rows in batches, straight into the store."""

from __future__ import annotations

from collections import Counter
from random import Random

import orjson

from sandbox.dispatch import API_VERSION
from sandbox.ids import ALPHABET
from sandbox.store import LINKS
from sandbox.world import World, links_of  # the one place that knows which links are columns

BATCH = 2_000
_INSERT = (
    f"INSERT INTO objects (kind, livemode, id, created, {', '.join(LINKS)}, body, private)"  # noqa: S608 — the columns are ours
    f" VALUES (?, ?, ?, ?, {', '.join('?' * len(LINKS))}, ?, ?)"
)
_PAIRS = [one + other for one in ALPHABET for other in ALPHABET]


class Ledger:
    """Collects objects, counts them, and announces those that are younger than Stripe's 30 days of events."""

    def __init__(self, world: World, rng: Random, *, events_since: int, running: bool = True) -> None:
        self._db = world.store.db
        self._livemode = world.livemode
        self._rng = rng
        self._rows: list[tuple] = []
        self._events_since = events_since
        self._running = running
        self.made: Counter[str] = Counter()

    def id(self, prefix: str) -> str:
        return f"{prefix}_{''.join(self._rng.choices(_PAIRS, k=12))}"

    def put(self, obj: dict, *, created: int | None = None, private: dict | None = None) -> dict:
        kind = obj["object"]
        moment = created if created is not None else obj["created"]
        secret = orjson.dumps(private).decode() if private else None
        self._rows.append((kind, self._livemode, obj["id"], moment, *links_of(obj), orjson.dumps(obj).decode(), secret))
        self.made[kind] += 1
        if len(self._rows) >= BATCH:
            self.flush()
        return obj

    def event(self, type: str, obj: dict, created: int) -> None:
        """Remember that something happened, unless it is too long ago to be told."""
        if created < self._events_since or not self._running:
            return
        self.put(
            {
                "id": self.id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": created,
                "data": {"object": obj},
                "livemode": self._livemode,
                "pending_webhooks": 0,
                "request": {"id": None, "idempotency_key": None},
                "type": type,
            }
        )

    def timer(self, name: str, id: str, at: int) -> None:
        """What the sandbox's clock will do by itself when it gets there."""
        if self._running:
            self._db.execute("INSERT INTO timers (at, name, id, livemode) VALUES (?, ?, ?, ?)", (at, name, id, self._livemode))

    def flush(self) -> None:
        self._db.executemany(_INSERT, self._rows)
        self._rows.clear()

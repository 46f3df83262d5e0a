"""Histories of a company by chance: its changes, and what of Stripe's events reaches the mirror, when, how often and in which order."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import orjson

from shared.context import Context
from shared.gateway.apply import apply_event
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.kinds import KINDS
from shared.operations import freshness
from shared.operations.sync import request_run
from shared.stores import precedence
from shared.stores.precedence import There
from shared.stores.protocols import Applied, Query, Write
from tests.edge.random_changes import Changes
from tests.gateway.conftest import Double

PARAMS = {"subscription": {"status": "all"}}  # what a list leaves out unless it is asked for; not taken from the table that is judged
# Of what changes of a charge Stripe documents `charge.updated`; for everything else it sends the event of what changed it, or none.
OF_A_CHARGE = {"description", "metadata", "balance_transaction", "fraud_details", "shipping", "receipt_email", "customer"}
DROPPED, TWICE = 0.15, 0.2  # shares of the deliveries
QUIET = 15.0  # seconds after which what Stripe still does by itself is done: an acquirer's reference, a fee that is known later


class History:
    """A mirror that follows a company of its own: read once, then told by what is left of the webhooks."""

    def __init__(self, context: Context, double: Double, seed: int) -> None:
        self._context = context
        self._double = double
        self._chance = random.Random(seed)
        self._changes = Changes(double.url, seed)
        self._seen = set[str]()
        self._lost: list[int] = []  # when those events were made that no webhook brought

    async def live(self, changes: int) -> None:
        """Changes before anybody looks, the first synchronisation, and then changes in bursts whose events come late, twice, or never."""
        self._changes.make(changes // 3)
        self._subscribe_and_cancel()
        self._seen |= {event["id"] for event in self._events()}
        await request_run(self._context, "key_history")
        assert await run_slice(self._context, 120) is Slice.DONE
        for _ in range(4):
            self._changes.make(changes // 6)
            self._come_and_go()
            await self._deliver()
            await self._read_while_behind()
        self._changes.close()
        while (await catch_up(self._context)).more:
            pass

    def _subscribe_and_cancel(self) -> None:
        """What a list leaves out, made before anybody listens."""
        double, customer = self._double, self._double.customer()
        price = {"currency": "usd", "unit_amount": 900, "recurring[interval]": "month", "product_data[name]": "Plan"}
        asked = {"customer": customer["id"], "items[0][price]": double.call("POST", "/v1/prices", price)["id"]}
        asked |= {"collection_method": "send_invoice", "days_until_due": "7"}
        double.call("DELETE", f"/v1/subscriptions/{double.call('POST', '/v1/subscriptions', asked)['id']}")

    def _come_and_go(self) -> None:
        """Customers who are changed and then deleted, so that some deletion arrives before a change."""
        for customer in [self._double.customer() for _ in range(6)]:
            self._double.call("POST", f"/v1/customers/{customer['id']}", {"name": "Leaves"})
            self._double.call("DELETE", f"/v1/customers/{customer['id']}")

    async def left(self, seconds: float = QUIET) -> list[str]:
        """In what the mirror still differs from Stripe after so many seconds, as sentences; nothing as soon as it is equal."""
        deadline = time.monotonic() + seconds
        while (found := await self._differences()) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            await catch_up(self._context)
        return found

    async def _differences(self) -> list[str]:
        found: list[str] = []
        for kind in KINDS:
            truth, ours = self._at_stripe(kind), await self._mirrored(kind)
            found += [f"{kind} {id} is missing" for id in truth.keys() - ours.keys()]
            found += [f"{kind} {id} is no more" for id in ours.keys() - truth.keys()]
            found += [
                f"{kind} {id} differs in {_differing(truth[id], ours[id])}" for id in truth.keys() & ours.keys() if truth[id] != ours[id]
            ]
        return found

    async def _deliver(self) -> None:
        events = [event for event in self._events() if event["id"] not in self._seen and _is_promised(event)]
        self._seen |= {event["id"] for event in events}
        kept = [event for event in events if self._chance.random() >= DROPPED]
        arrived = {event["id"] for event in kept}
        self._lost += [event["created"] for event in events if event["id"] not in arrived]
        kept += [event for event in kept if self._chance.random() < TWICE]
        self._chance.shuffle(kept)
        for event in kept:
            await apply_event(self._context, event, sent=int(self._context.seam.now()))

    async def _read_while_behind(self) -> None:
        """No list says that it is as of a moment after something that it does not know yet."""
        behind = min(self._lost, default=None)
        for kind in KINDS:
            _, as_of = await freshness.of(self._context, kind)
            assert as_of is not None
            assert behind is None or as_of <= behind, f"{kind} says that it is as of {as_of}, and an event of {behind} was lost"

    def _events(self) -> list[dict[str, Any]]:
        return list(self._listed("/v1/events", {}))

    def _at_stripe(self, kind: str) -> dict[str, dict[str, Any]]:
        return {value["id"]: value for value in self._listed(KINDS[kind].path, PARAMS.get(kind, {}))}

    def _listed(self, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        query, more = {"limit": "100"} | params, True
        while more:
            page = self._double.call("GET", f"{path}?{'&'.join(f'{name}={value}' for name, value in query.items())}")
            yield from page["data"]
            more = page["has_more"]
            if more:
                query["starting_after"] = page["data"][-1]["id"].replace(" ", "%20")

    async def _mirrored(self, kind: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        position: int | None = None
        while True:
            page = await self._context.mirror.list(Query(kind, limit=100, after=position))
            found |= {value["id"]: value for value in map(orjson.loads, page.bodies)}
            position = page.position
            if position is None:
                return found


def _is_promised(event: dict[str, Any]) -> bool:
    """Whether Stripe documents the event for what has changed."""
    changed = set(event["data"].get("previous_attributes") or {})
    return event["type"] != "charge.updated" or not changed or bool(changed & OF_A_CHARGE)


def _differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(name for name in one | other if one.get(name) != other.get(name))


# Faults that somebody could make


@contextmanager
def last_one_wins_a_tie() -> Iterator[None]:
    """What comes later is taken for newer where the times cannot tell."""
    with _judging(lambda there, write, told: Applied.APPLIED if told is Applied.TIE else told):
        yield


@contextmanager
def a_tombstone_wakes() -> Iterator[None]:
    """An event that comes after a deletion brings the object back."""
    with _judging(lambda there, write, told: Applied.APPLIED if there.deleted and not write.deleted else told):
        yield


@contextmanager
def no_status_all() -> Iterator[None]:
    """Lists are asked without what they leave out unless it is asked for."""
    from dataclasses import replace

    with patch.dict(KINDS, {name: replace(kind, params=()) for name, kind in KINDS.items()}):
        yield


@contextmanager
def _judging(turn: Any) -> Iterator[None]:
    from shared.stores import cosmos_documents, sqlite_upsert

    honest = precedence.judge

    def judge(there: There, write: Write, *, same: bool) -> Applied:
        return turn(there, write, honest(there, write, same=same))

    with patch.object(sqlite_upsert, "judge", judge), patch.object(cosmos_documents, "judge", judge):
        yield


PLANTED = (last_one_wins_a_tie, a_tombstone_wakes, no_status_all)

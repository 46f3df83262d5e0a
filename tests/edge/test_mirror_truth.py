"""After any changes, delivered in any order, the mirror holds what Stripe holds: object by object and sum by sum."""

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.gateway.kinds import KINDS, write_from_object
from shared.stores.protocols import Mirror, Query
from tests.edge.random_changes import Changes
from tests.edge.running_system import STORES, System, eventually, running_system

pytestmark = pytest.mark.slow

CHANGES = {"embedded": 200, "azure": 120}
SEED = int(os.environ.get("BILLY_SOAK_SEED", "7"))


@pytest.mark.parametrize("store", STORES)
def test_the_mirror_equals_stripe_after_changes_delivered_late_twice_in_any_order_and_through_a_killed_host(
    tmp_path: Path, store: str
) -> None:
    count = int(os.environ.get("BILLY_SOAK_CHANGES") or CHANGES[store])
    with running_system(tmp_path / "billy", scale={"embedded": "0.05", "azure": "0.02"}[store], store=store) as system:
        system.control("POST", "webhooks", {"shuffle": True, "duplicate": 1, "delay_ms": 150})
        changes = Changes(system.facts["sandbox_url"], SEED)
        for _ in range(2):
            changes.make(count // 2)
            os.kill(system.pid(), signal.SIGKILL)
        system.control("POST", "webhooks", {"shuffle": True, "duplicate": 0, "delay_ms": 0})
        changes.close()
        assert changes.done > count / 2
        eventually(lambda: _quiet(system), 60 + count / 10, "all deliveries")
        assert Counter(each["state"] for each in system.control("GET", "deliveries")["deliveries"]).keys() == {"delivered"}
        assert _left(system, 60) == []
        for kind in ("charges", "customers", "subscriptions", "invoices", "refunds"):
            answer = system.api("GET", f"/api/{kind}?limit=1")
            assert answer.json().get("total") == len(
                _at_stripe(system, f"/v1/{kind}", {"status": "all"} if kind == "subscriptions" else {})
            ), answer.text


def _quiet(system: System) -> bool:
    return system.control("GET", "health")["pending_deliveries"] == 0


def _left(system: System, seconds: float) -> list[str]:
    """What the mirror still differs in after so many seconds, or nothing as soon as it is equal. What a crash has left is ended by a timer,
    which is rung here instead of waited for."""
    deadline = time.monotonic() + seconds
    while (found := asyncio.run(_compared(system))) and time.monotonic() < deadline:
        system.ring("repair_mirror")
        time.sleep(1)
    return found


async def _compared(system: System) -> list[str]:
    """What of the mirror is not what Stripe's own lists say, as sentences."""
    found: list[str] = []
    mirror = system.mirror()
    try:
        for kind, facts in KINDS.items():
            truth = _at_stripe(system, facts.path, dict(facts.params))
            ours, total = await _mirrored(mirror, kind)
            found += [f"the total of {kind} is {total} and {len(ours)} are listed"] if total != len(ours) else []
            found += [f"{kind} {id} is missing" for id in truth.keys() - ours.keys()]
            found += [f"{kind} {id} is no more" for id in ours.keys() - truth.keys()]
            for id in truth.keys() & ours.keys():
                if truth[id] != ours[id]:
                    fields = {name for name in truth[id] | ours[id] if truth[id].get(name) != ours[id].get(name)}
                    found.append(f"{kind} {id} differs in {sorted(fields)}")
            sums: Counter[tuple[str, str, str]] = Counter()
            for value in truth.values():
                write = write_from_object(kind, value, 0)
                cell = (write.status or "", write.currency or "")
                sums.update({(*cell, "count"): 1, (*cell, "amount"): write.amount or 0, (*cell, "refunded"): write.refunded or 0})
            told: Counter[tuple[str, str, str]] = Counter()
            for total in await mirror.totals(kind):
                cell = (total.status, total.currency)
                told.update({(*cell, "count"): total.count, (*cell, "amount"): total.amount, (*cell, "refunded"): total.refunded})
            if +sums != +told:
                found.append(f"the totals of {kind} are not the sums of its objects")
    finally:
        await mirror.close()
    return found


async def _mirrored(mirror: Mirror, kind: str) -> tuple[dict[str, dict[str, Any]], int | None]:
    """What the lists show, and the total that they tell."""
    found: dict[str, dict[str, Any]] = {}
    position: int | None = None
    while True:
        page = await mirror.list(Query(kind, limit=100, after=position))
        found |= {value["id"]: value for value in map(orjson.loads, page.bodies)}
        position = page.position
        if position is None:
            return found, page.total


def _at_stripe(system: System, path: str, params: dict[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    while True:
        query = httpx.QueryParams({**params, "limit": "100"} | ({"starting_after": list(found)[-1]} if found else {}))
        page = system.stripe("GET", f"{path}?{query}")
        found |= {value["id"]: value for value in page["data"]}
        if not page["has_more"]:
            return found

"""A list is read as fast as a backfill needs it."""

import os
from time import perf_counter

import httpx
import pytest

from sandbox.cards import CARDS
from sandbox.charging import built
from sandbox.clock import Clock
from sandbox.ids import Ids
from sandbox.store import Store
from sandbox.world import World
from tests.peers.sandbox import running_sandbox

ROWS = int(os.environ.get("SANDBOX_ROWS", "60000"))
LEAST = 10_000


@pytest.mark.slow
def test_full_pages_of_a_large_list_are_served_at_ten_thousand_objects_a_second(tmp_path, record_property):
    store = Store(tmp_path)
    world = World(store, livemode=False, account="acct_speed", clock=Clock(), ids=Ids(1))
    card = CARDS["visa"]
    method = {
        "id": "pm_speed",
        "type": "card",
        "billing_details": {},
        "card": card.details(exp_month=1, exp_year=2030, fingerprint="f", checked=True),
    }
    store.db.execute("BEGIN")
    world.insert_many(
        (built(world, amount=1000, currency="usd", method=method, card=card, capture=True, created=1_700_000_000 + n // 3), None)
        for n in range(ROWS)
    )
    store.db.execute("COMMIT")
    store.close()
    with running_sandbox(tmp_path) as running, httpx.Client(base_url=running.url, trust_env=False, timeout=30) as http:
        headers, rates = {"Authorization": "Bearer rk_test_speed1234"}, []
        cursor, seen = None, set()
        while len(rates) < 5:
            start, count = perf_counter(), 0
            for _ in range(50):
                page = http.get(
                    "/v1/charges", params={"limit": 100} | ({"starting_after": cursor} if cursor else {}), headers=headers
                ).json()
                cursor, count = page["data"][-1]["id"], count + len(page["data"])
                seen.update(item["id"] for item in page["data"])
            rates.append(count / (perf_counter() - start))
        assert len(seen) == 5 * 50 * 100
    best = max(rates)
    record_property("objects_per_second", round(best))
    print(f"{best:,.0f} objects a second, parsed by the client, of {ROWS:,} rows")
    assert best >= LEAST

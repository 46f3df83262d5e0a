"""Everything a Stripe account holds into the mirror, over HTTP from the sandbox, beside reading the same lists and keeping nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import home as homes
from bench.peers import paging
from bench.processes import HOST_CORE, OTHER_CORE, Server
from bench.table import Row, middle, rate
from quickstart.client import call
from shared.gateway.kinds import KINDS

if TYPE_CHECKING:
    from bench.run import Run

PAGES = 150  # of each list that the peer reads in one round, and
ROUNDS = 3  # rounds before and after the backfill, in a full run
FLAT = 1.25  # memory at the end over memory when a quarter was done
LARGEST = 250  # MB
UNLIMITED = {"BILLY_SYNC_REQUESTS_PER_SECOND": "10000"}


def measure(run: Run) -> list[Row]:
    run.mirror(again=True)
    return run.fresh


def fill(run: Run, home: Path) -> list[Row]:
    """Fills the mirror of an empty home from the company; the host and what it is compared with have one core, the sandbox the other."""
    from bench.run import say

    company = run.company()
    key = homes.owner_key(home)
    with homes.sandbox(company, cores=[OTHER_CORE]) as stripe:
        say("paging the lists with aiohttp and orjson alone")
        raw = [_paged(stripe) for _ in range(run.rounds(ROUNDS))]
        say("backfilling the mirror")
        with homes.host(home, stripe=stripe.url, settings=UNLIMITED, cores=[HOST_CORE]) as host:
            before = host.processor()
            objects, seconds, memory = _backfilled(host, key)
            peak, processor = host.memory(), host.processor() - before
        raw += [_paged(stripe) for _ in range(run.rounds(ROUNDS))]
    peer, ours = middle(wall for wall, _ in raw), objects / seconds
    each, busy = objects / processor, middle(busy for _, busy in raw)
    quarter = next((size for done, size in memory if done >= objects / 4), peak)
    last = memory[-1][1]
    return [
        Row(
            f"backfill of {objects:,} objects into the mirror, one core",
            rate(ours, "objects"),
            f"{rate(peer, 'objects')} paged by aiohttp + orjson, not kept",
            ours / peer,
            "≥ 5,000/s",
            ours >= 5000,
        ),
        Row("… in a second of processor time, whatever else runs", rate(each, "objects"), rate(busy, "objects"), each / busy),
        Row("… against the most that Stripe lets anybody read", rate(ours, "objects"), "10,000 objects/s", ours / 10_000, "≥ 1 (later)"),
        Row("memory of the host, peak, whole backfill", f"{peak:.0f} MB", "", None, f"≤ {LARGEST} MB", peak <= LARGEST),
        Row(
            "… at its end, beside when a quarter was done",
            f"{last:.0f} MB",
            f"{quarter:.0f} MB",
            last / quarter,
            f"flat: ≤ {FLAT}",
            last <= FLAT * quarter,
        ),
    ]


def _paged(stripe: Server) -> tuple[float, float]:
    return paging.run_paging(stripe.url, homes.STRIPE_KEY, [(kind.path, dict(kind.params)) for kind in KINDS.values()], PAGES, [HOST_CORE])


def _backfilled(host: Server, key: str) -> tuple[int, float, list[tuple[int, float]]]:
    """Objects, seconds, and the host's memory at so many objects."""
    memory: list[tuple[int, float]] = []
    began = time.perf_counter()
    call("POST", f"{host.url}/api/sync", key=key, body={})
    while True:
        time.sleep(0.25)
        state: dict[str, Any] = call("GET", f"{host.url}/api/sync", key=key)
        objects = sum(int(kind["objects"] or 0) for kind in state["kinds"].values())
        memory.append((objects, host.memory("VmRSS")))
        if state["complete"] and not state["running"]:
            return objects, time.perf_counter() - began, memory
        if state["last_error"] and not state["running"]:
            raise RuntimeError(f"the backfill stopped: {state['last_error']}")

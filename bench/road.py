"""Reads over the whole HTTP road (key, role, store, view, audit row), beside the bare queries over HTTP on the same file."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bench import events
from bench import home as homes
from bench.load import Seen, request, run_load, write_requests
from bench.processes import running
from bench.table import Row, middle, pair
from quickstart.client import call

if TYPE_CHECKING:
    from bench.run import Run

ROUNDS = 5
REQUESTS = 200  # of one round
PAGE, FAR = 100, 1000  # charges on a page, and the number of the page that is far down
LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of read: its paths here and at the peer (a new one at each call), and the slowest 95th percentile in milliseconds."""

    name: str
    ours: Callable[[], str]
    peer: Callable[[], str]
    slowest: float


def measure(run: Run) -> list[Row]:
    home = run.mirror()
    key = homes.owner_key(home)
    with homes.host(home) as host:
        asked = _reads(home, host.url, key)
        folder = run.folder("road")
        with running(["-m", "bench.peers.reads_endpoint", str(home / "mirror.sqlite")], folder / "log") as peer:
            seen: dict[tuple[str, str], list[Seen]] = {}
            for number in range(run.rounds(ROUNDS) + 1):
                for each in asked:
                    for side, port, path in (("ours", host.port, each.ours), ("peer", peer.port, each.peer)):
                        headers = {"authorization": f"Bearer {key}"} if side == "ours" else {}
                        random.seed(number)
                        paths = [path() for _ in range(run.sized(REQUESTS, 50))]
                        write_requests(folder / "reads", (request("GET", each, headers) for each in paths))
                        result = run_load(port, folder / "reads", 1)
                        if result.failed:
                            raise RuntimeError(f"{result.failed} reads of {each.name} were refused by {side}")
                        if number:
                            seen.setdefault((each.name, side), []).append(result)
    return [_row(each, seen[each.name, "ours"], seen[each.name, "peer"]) for each in asked]


def _row(asked: Asked, ours: list[Seen], peer: list[Seen]) -> Row:
    mine, slow = middle(each.p50 for each in ours), middle(each.p95 for each in ours)
    theirs, tail = middle(each.p50 for each in peer), middle(each.p95 for each in peer)
    met = slow * 1000 <= asked.slowest
    return Row(
        f"HTTP: {asked.name}", pair(mine, slow), f"{pair(theirs, tail)} bare Starlette", mine / theirs, f"p95 ≤ {asked.slowest:g} ms", met
    )


def _reads(home: Path, url: str, key: str) -> list[Asked]:
    charges = events.charges(home, 2000)
    people = [each for charge in charges if (each := charge["billing_details"])["email"] and (each["name"] or "").strip()]
    first = int(time.time()) // 86_400 - time.gmtime().tm_mday + 1
    number, cursor, before = _far(home, url, key)

    def id() -> str:
        return random.choice(charges)["id"]

    def part() -> str:
        return quote(random.choice(people)["email"].partition("@")[0][:-1])

    def surname() -> str:
        return quote(random.choice(people)["name"].split()[-1])

    listed, bare = f"/api/charges?status=succeeded&limit={PAGE}", "/list?status=succeeded&before="
    found = [("part of an email", part, ""), ("a surname", surname, "&whole=1"), ("a common word", lambda: "order", "&whole=1")]
    found.append(("nothing", lambda: "qqqqzzzz", ""))
    return [
        Asked("get by id", lambda: f"/api/charges/{id()}", lambda: f"/get/{id()}", 5),
        Asked(f"{PAGE} newest of a status, page 1", lambda: listed, lambda: f"{bare}{LAST}", 15),
        Asked(f"{PAGE} newest of a status, page {number:,}", lambda: f"{listed}&cursor={cursor}", lambda: f"{bare}{before}", 15),
        *(
            Asked(f"search: {name}", lambda q=q: f"/api/search?q={q()}", lambda q=q, whole=whole: f"/search?q={q()}{whole}", 20)
            for name, q, whole in found
        ),
        Asked("get_stats", lambda: "/api/stats", lambda: f"/stats?first={first}", 10),
    ]


def _far(home: Path, url: str, key: str) -> tuple[int, str, int]:
    """The last full page, at most number 1,000: its number, the cursor that the API gives for it, and its first position for the peer."""
    file = sqlite3.connect(f"file:{home / 'mirror.sqlite'}?mode=ro", uri=True)
    (total,) = file.execute("SELECT sum(count) FROM totals WHERE kind = 'charge' AND day = -1 AND status = 'succeeded'").fetchone()
    number, cursor = min(FAR, total // PAGE), ""
    for _ in range(number - 1):
        cursor = call("GET", f"{url}/api/charges?status=succeeded&limit={PAGE}&cursor={cursor}", key=key)["next_cursor"]
    at = "SELECT position FROM objects INDEXED BY by_status WHERE deleted = 0 AND kind = 'charge' AND status = 'succeeded' ORDER BY position DESC LIMIT 1 OFFSET ?"
    (position,) = file.execute(at, ((number - 1) * PAGE,)).fetchone()
    file.close()
    return number, cursor, position + 1

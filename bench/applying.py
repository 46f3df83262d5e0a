"""How many queued events a second the host applies to the mirror: the queue is filled first, then the host is started."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from bench import events
from bench import home as homes
from bench.table import Row, middle, rate
from devhost.outputs import Outputs
from devhost.queues.embedded import EmbeddedQueues
from devhost.queues.embedded_sql import queue_lengths
from functions.webhooks import QUEUE

if TYPE_CHECKING:
    from bench.run import Run

EVENTS = 30_000
ROUNDS = 3
LEAST = 1000


def measure(run: Run) -> list[Row]:
    home = run.mirror()
    count = run.sized(EVENTS, 1500)
    rates: list[float] = []
    found = events.charges(home, count)
    for number in range(run.rounds(ROUNDS)):
        _fill(home, [orjson.dumps(event).decode() for event in events.changes(found, count, f"{int(time.time())}x{number}")])
        with homes.host(home):
            rates.append(_drained(home / "host" / "queue.sqlite"))
    ours = middle(rates)
    return [
        Row(
            "events applied to the mirror, sustained",
            f"{rate(ours)} (slowest round {rate(min(rates))})",
            "",
            None,
            f"≥ {LEAST:,}/s",
            ours >= LEAST,
        )
    ]


def _fill(home: Path, messages: list[str]) -> None:
    async def put() -> None:
        queues = EmbeddedQueues(home / "host" / "queue.sqlite")
        await queues.open()
        outputs = Outputs(queues, "base64")
        await queues.put(QUEUE, [outputs.encode(message) for message in messages])
        await queues.close()

    asyncio.run(put())


def _drained(queue: Path) -> float:
    """Events a second between the tenth and the last twentieth of the queue; what failed makes the measure fail."""
    seen: list[tuple[float, int]] = []
    first = queue_lengths(queue).get(QUEUE, 0)
    while True:
        lengths = queue_lengths(queue)
        if lengths.get(f"{QUEUE}-poison"):
            raise RuntimeError("events ended in the poison queue")
        left = lengths.get(QUEUE, 0)
        seen.append((time.perf_counter(), left))
        if left == 0:
            break
        time.sleep(0.05)
    steady = [each for each in seen if first * 0.05 <= each[1] <= first * 0.9] or seen
    (began, most), (ended, least) = steady[0], steady[-1]
    return (most - least) / (ended - began)

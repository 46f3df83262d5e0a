"""What the mirror takes in, beside one bare table that keeps the same bodies: `python -m bench.writes [--scale 0.1] [--into FOLDER]`."""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import batched
from pathlib import Path

from bench.data import NOW, Counts, company
from bench.run import open_run
from bench.table import Row, rate, render
from shared.stores.protocols import Applied, Write
from shared.stores.sqlite_mirror import SqliteMirror

PAGE = 100


class Bare:
    """The least that keeps a body durably under its id: one table, one index, the same commits."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE objects (id TEXT PRIMARY KEY, body BLOB)")

    def put(self, writes: Sequence[Write]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?)", ((each.id, each.body) for each in writes))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


async def backfill(mirror: SqliteMirror, writes: Sequence[Write], at_once: int) -> float:
    """Rows a second of pages of 100 of which so many are in flight."""
    began = time.perf_counter()
    for pages in batched(batched(writes, PAGE, strict=False), at_once, strict=False):
        for answers in await asyncio.gather(*(mirror.apply(page) for page in pages)):
            assert Applied.STALE not in answers
    return len(writes) / (time.perf_counter() - began)


async def events(mirror: SqliteMirror, writes: Sequence[Write], at_once: int) -> float:
    """Events a second, each a call of its own, of which so many are in flight."""
    waiting: Iterator[Write] = iter(writes)

    async def worker() -> None:
        for write in waiting:
            (answer,) = await mirror.apply([write])
            assert answer is Applied.APPLIED

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return len(writes) / (time.perf_counter() - began)


def stream(filled: Sequence[Write], count: int, part: int) -> list[Write]:
    """Half changes of charges that are there, half objects that are new, in a mixed order. Later parts are newer."""
    chance = random.Random(part)
    body = b'"captured":false,"part":%d' % part
    changed = [
        replace(each, stamp=NOW + part, status="failed", body=each.body.replace(b'"captured":true', body))
        for each in chance.sample([each for each in filled if each.kind == "charge"], count // 2)
    ]
    new = [
        replace(each, id=f"{each.id}{part}", created=NOW + n, stamp=NOW + n)
        for n, each in enumerate(chance.sample(list(filled), count - count // 2))
    ]
    return chance.sample(changed + new, len(changed) + len(new))


def bare_rate(bare: Bare, writes: Sequence[Write], together: int) -> float:
    began = time.perf_counter()
    for page in batched(writes, together, strict=False):
        bare.put(page)
    return len(writes) / (time.perf_counter() - began)


async def measure_writes(folder: Path, counts: Counts, into: Path | None = None) -> list[Row]:
    """The rows of the table; `into` is a folder that is already full, whose objects get company."""
    writes = [replace(each, id=f"{each.id}w") if into else each for each in company(counts, seed=2 if into else 1)]
    mirror, bare = SqliteMirror.open(into or folder), Bare(folder)
    rows: list[Row] = []

    def row(name: str, ours: float, peer: float, least: float | None) -> None:
        target = "" if least is None else f"≥ {least:,.0f}/s"
        rows.append(
            Row(name, rate(ours), f"{rate(peer)} bare, no index, no search", ours / peer, target, None if least is None else ours >= least)
        )

    cpu = time.process_time()
    filled = await backfill(mirror, writes, 8)
    cpu = (time.process_time() - cpu) / len(writes)
    row(f"backfill of {len(writes):,} objects, pages of 100, 8 in flight", filled, bare_rate(bare, writes, 800), 5000)
    again = await backfill(mirror, writes, 8)
    row("… the same once more: nothing has changed", again, bare_rate(bare, writes, 800), None)
    many, few = max(1000, min(10_000, len(writes) // 8)), 1000
    at_32 = await events(mirror, stream(writes, many, 1), 32)
    row("events, 32 in flight", at_32, bare_rate(bare, stream(writes, many, 1), 32), 1000)
    row("events, one after the other", await events(mirror, stream(writes, few, 2), 1), bare_rate(bare, stream(writes, few, 2), 1), None)
    size = ((into or folder) / "mirror.sqlite").stat().st_size
    began = time.perf_counter()
    await mirror.close()
    bare.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kept = sum(len(each.body) for each in writes) / 2**20
    rows.append(Row("processor time of the backfill", f"{cpu * 1e6:.0f} µs an object"))
    rows.append(Row("size of the file", f"{size / 2**20:,.0f} MB", "" if into else f"{kept:,.0f} MB of bodies"))
    rows.append(Row("closing, with the log folded in", f"{time.perf_counter() - began:.2f} s", "", None, "", None))
    rows.append(Row("peak memory, with every object held by the measure", f"{memory:,.0f} MB"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.writes", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1, help="1 is 1,000,000 charges")
    parser.add_argument("--into", type=Path, help="a folder that bench.data filled")
    chosen = parser.parse_args()
    with open_run(chosen.scale) as run:
        folder = run.folder("writes")
        print(render(asyncio.run(measure_writes(folder, Counts().scaled(chosen.scale), chosen.into))))
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

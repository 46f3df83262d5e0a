"""The mirror's reads, each beside the bare SQLite query that answers it, in turns: `python -m bench.reads [--scale 1]`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.data import NOW, Counts, fill, person
from bench.run import STORE, open_run, say
from bench.table import Row, ms, pair, percentile, render
from shared.stores.protocols import Query
from shared.stores.sqlite_mirror import SqliteMirror

ROUNDS = 200
PAGE = "SELECT body FROM objects INDEXED BY by_status WHERE deleted = 0 AND kind = ? AND status = ? AND position < ? ORDER BY position DESC LIMIT 100"
FOUND = "SELECT o.body FROM words_{0} JOIN objects o ON o.position = words_{0}.rowid WHERE words_{0} MATCH ? ORDER BY words_{0}.rowid DESC LIMIT 20"
KINDS = ("customer", "charge", "subscription", "invoice")
CELLS = "SELECT day, status, currency, count, amount, refunded FROM totals WHERE kind = ? AND day BETWEEN ? AND ?"
MONTH = "SELECT {0} FROM objects INDEXED BY by_customer WHERE deleted = 0 AND kind = 'charge' AND customer = ? AND position >= ? {1}"
SUMS = """SELECT status, currency, count(*), sum(amount), sum(refunded) FROM objects
WHERE deleted = 0 AND kind = ? AND position >= ? GROUP BY 1, 2"""


class Bare:
    """A plain connection with the mirror's own settings."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
        self._connection.execute("PRAGMA cache_size = -32768")

    def __call__(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        self._connection.close()


async def compare(
    name: str,
    target: float | None,
    slowest: float,
    values: Iterable[Any],
    ours: Callable[[Any], Awaitable[Any]],
    bare: Callable[[Any], Any],
) -> Row:
    """Both in turns, and who is first in turns too, so that neither always finds the pages warm. `slowest` p95 in ms."""
    mine: list[float] = []
    theirs: list[float] = []
    for turn, value in enumerate(values):
        for side in (0, 1) if turn % 2 else (1, 0):
            began = time.perf_counter()
            if side:
                await ours(value)
                mine.append(time.perf_counter() - began)
            else:
                bare(value)
                theirs.append(time.perf_counter() - began)
    p50, p95, peer = percentile(mine, 50), percentile(mine, 95), percentile(theirs, 50)
    ratio = p50 / peer
    promised = f"p95 ≤ {slowest:g} ms" if target is None else f"≤ {target:g}×, p95 ≤ {slowest:g} ms"
    met = p95 * 1000 <= slowest and (target is None or ratio <= target)
    return Row(name, pair(p50, p95), f"{ms(peer)} ms bare", ratio, promised, met)


async def measure_reads(folder: Path, counts: Counts) -> list[Row]:
    """The rows of the table for a folder that holds the company of `counts`."""
    mirror, bare, chance = SqliteMirror.open(folder), Bare(folder / "mirror.sqlite"), random.Random(7)
    people = [person(chance.randrange(counts.customers)) for _ in range(ROUNDS)]
    everything = bare("SELECT id FROM objects WHERE kind = 'charge' AND rowid % ? = 0 LIMIT 2000", max(1, counts.charges // 2000))
    charges = [id for (id,) in chance.sample(everything, min(len(everything), 2000))]
    deep = min(999, counts.charges * 88 // 100 // 100 - 2)
    (far,) = bare(
        "SELECT position FROM objects INDEXED BY by_status WHERE deleted = 0 AND kind = 'charge' AND status = 'succeeded' ORDER BY position DESC LIMIT 1 OFFSET ?",
        deep * 100 - 1,
    )[0]

    async def listed(after: int | None) -> None:
        assert len((await mirror.list(Query("charge", status="succeeded", limit=100, after=after))).bodies) == 100

    async def search(words: tuple[str, str]) -> None:
        await mirror.search(words[0], KINDS, 20)

    async def stats(first: int) -> None:
        await mirror.totals("charge", first, NOW // 86_400)
        await mirror.totals("subscription")

    def bare_search(words: tuple[str, str]) -> None:
        for kind in KINDS:
            bare(FOUND.format(kind), words[1])

    def bare_page(after: int | None) -> None:
        bare(PAGE, "charge", "succeeded", 2**63 - 1 if after is None else after)

    def bare_stats(first: int) -> None:
        bare(CELLS, "charge", first, NOW // 86_400)
        bare(CELLS, "subscription", -1, -1)

    async def of_month(customer: str) -> None:
        await mirror.list(Query("charge", customer=customer, created_from=NOW - 30 * 86_400 - 77, limit=100))

    def bare_month(customer: str) -> None:
        for wanted, end in (("body", "ORDER BY position DESC LIMIT 100"), ("count(*)", "")):
            bare(MONTH.format(wanted, end), customer, (NOW - 30 * 86_400 - 77) << 31)

    def find(name: str, pairs: list[tuple[str, str]]) -> Awaitable[Row]:
        return compare(f"search: {name}", 3, 20, pairs, search, bare_search)

    month = NOW // 86_400 - 30
    emails = [email for _, _, email in people]
    surnames = [name.split()[1] for _, name, _ in people]
    rows = [
        await compare(
            "get by id",
            2,
            5,
            charges,
            lambda id: mirror.get("charge", id),
            lambda id: bare("SELECT body FROM objects WHERE id = ? AND kind = 'charge'", id),
        ),
        await compare("100 newest of a status, page 1", 2, 15, [None] * ROUNDS, listed, bare_page),
        await compare(f"100 newest of a status, page {deep + 1:,}", 2, 15, [far] * ROUNDS, listed, bare_page),
        await compare("a customer's charges of a month, and how many", 2, 15, [id for id, _, _ in people], of_month, bare_month),
        await find("an email's beginning", [(e[: e.index("@")], f'"{" ".join(e[: e.index("@")].split("."))}"*') for e in emails]),
        await find("a whole email", [(e, f'"{e.replace("@", " ").replace(".", " ")}"*') for e in emails]),
        await find("a surname", [(s, f'"{s}"*') for s in surnames]),
        await find("the beginning of a surname", [(s[:4], f'"{s[:4]}"*') for s in surnames]),
        await find("one letter", [(s[0], f'"{s[0]}"*') for s in surnames]),
        await find("a common word", [("subscription", '"subscription"*')] * 50),
        await find("two common words", [("subscription gmail", '"subscription"* AND "gmail"*')] * 50),
        await find("nothing found", [("qqqqzzzz", '"qqqqzzzz"*')] * ROUNDS),
        await find("a whole id", [(id, f'"{id.replace("_", "")}"*') for id in charges[:ROUNDS]]),
        await compare("stats: a month and all subscriptions", None, 10, [month] * ROUNDS, stats, bare_stats),
        await compare(
            "… beside summing the objects", None, 10, [month] * 20, stats, lambda first: bare(SUMS, "charge", first * 86_400 << 31)
        ),
    ]
    bare.close()
    await mirror.close()
    return rows


@contextmanager
def _filled(scale: float) -> Iterator[tuple[Path, Counts]]:
    """A folder with the company, made on first use and kept."""
    counts, folder = Counts().scaled(scale), STORE / f"store-{scale:g}"
    if not (folder / "ready").exists():
        say(f"filling a mirror with {counts}")
        (folder / "mirror.sqlite").unlink(missing_ok=True)

        async def make() -> None:
            mirror = SqliteMirror.open(folder)
            await fill(mirror, counts)
            await mirror.close()

        asyncio.run(make())
        (folder / "ready").touch()
    yield folder, counts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 1,000,000 charges")
    parser.add_argument("--folder", type=Path, help="a folder that bench.data filled at that scale")
    chosen = parser.parse_args()
    with open_run(chosen.scale):
        if chosen.folder:
            print(render(asyncio.run(measure_reads(chosen.folder, Counts().scaled(chosen.scale)))))
        else:
            with _filled(chosen.scale) as (folder, counts):
                print(render(asyncio.run(measure_reads(folder, counts))))


if __name__ == "__main__":
    main()

"""`python -m bench` (`make bench`): one table of every measure, its peer in the same run, and its target."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable

from bench import agents, applying, backfill, cold_start, cosmos, refunds, road, store, webhooks
from bench.run import Run, open_run, say
from bench.table import Row, render

MEASURES: dict[str, Callable[[Run], list[Row]]] = {
    "cold": cold_start.measure,
    "backfill": backfill.measure,
    "reads": road.measure,
    "refunds": refunds.measure,
    "store": store.measure,
    "mcp": agents.measure,
    "webhooks": webhooks.measure,
    "apply": applying.measure,
    "cosmos": cosmos.measure,
}

BROKEN = "it broke"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 1,000,000 charges; 0.01 ends within a minute")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="this measure alone; may be given more than once")
    chosen = parser.parse_args()
    rows: list[Row] = []
    began = time.monotonic()
    with open_run(chosen.scale) as run:
        for name in chosen.only or MEASURES:
            say(name)
            rows += _rows(name, run)
    missed = sum(row.met is False for row in rows)
    print(render(rows))
    print(
        f"\nscale {chosen.scale:g}, {time.monotonic() - began:.0f} s, {missed} of {sum(row.met is not None for row in rows)} targets missed"
    )
    return int(any(row.ours == BROKEN for row in rows))


def _rows(name: str, run: Run) -> list[Row]:
    """The rows of a measure; one that breaks is a row too, so that the others are still told."""
    try:
        return MEASURES[name](run)
    except Exception as error:
        traceback.print_exc()
        return [Row(name, BROKEN, type(error).__name__, met=False)]


if __name__ == "__main__":
    sys.exit(main())

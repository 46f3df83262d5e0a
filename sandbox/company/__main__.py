"""Fill a sandbox's home before it is started: `python -m sandbox.company --home DIR --customers 100000 --charges 1000000 …`.

Meant for large companies: indexes are built once at the end, and a crash half way means starting over.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from sandbox.company.fill import Counts, fill
from sandbox.server import Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.company", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the sandbox keeps its state; it must not be running")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1, help="1 is 300 customers with 3,000 charges")
    for name in ("customers", "charges", "subscriptions", "invoices"):
        parser.add_argument(f"--{name}", type=int, help=f"instead of what the scale gives for {name}")
    parser.add_argument("--lean", action="store_true", help="without balance transactions and the intents of single orders")
    chosen = parser.parse_args()

    scaled = Counts.scaled(chosen.scale)
    counts = Counts(*(getattr(chosen, name) or getattr(scaled, name) for name in ("customers", "charges", "subscriptions", "invoices")))
    sandbox = Sandbox(chosen.home, seed=chosen.seed)
    db = sandbox.store.db
    began = time.monotonic()
    for setting in ("synchronous = OFF", "journal_mode = MEMORY", "cache_size = -400000"):
        db.execute(f"PRAGMA {setting}")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'objects' AND sql IS NOT NULL").fetchall()
    for name, sql in indexes:
        if "objects_id" not in sql:
            db.execute(f"DROP INDEX {name}")
    db.execute("BEGIN")
    made = fill(sandbox.world(False), seed=chosen.seed, counts=counts, lean=chosen.lean)
    sandbox.store.set_fact("company", chosen.scale)
    db.execute("COMMIT")
    for _, sql in indexes:
        if "objects_id" not in sql:
            db.execute(sql)
    db.execute("PRAGMA journal_mode = WAL")
    sandbox.store.close()
    seconds = time.monotonic() - began
    print(
        json.dumps(
            {"made": made, "objects": sum(made.values()), "seconds": round(seconds, 1), "per_second": round(sum(made.values()) / seconds)}
        )
    )


if __name__ == "__main__":
    main()

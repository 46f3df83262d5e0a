"""What a run is: how large, where its data lies, and the data set that its measures share."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import backfill
from bench.processes import ROOT
from bench.table import Row

STORE = ROOT / ".bench"
FULL = {"customers": 100_000, "charges": 1_000_000, "subscriptions": 100_000, "invoices": 300_000}


@dataclass(slots=True)
class Run:
    """`scale` 1 is a million charges. Scratch data is removed at the end; the company and its mirror are kept for the next run."""

    scale: float
    scratch: Path
    fresh: list[Row] = field(default_factory=list[Row])

    def sized(self, full: int, least: int) -> int:
        """How many of something that a full run has `full` of."""
        return max(least, int(full * min(1.0, self.scale)))

    def rounds(self, full: int) -> int:
        """How many rounds of a measure that a full run repeats so often."""
        return full if self.scale >= 0.1 else 2

    def folder(self, name: str) -> Path:
        """An empty folder of this run's own."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def company(self) -> Path:
        """The home of a sandbox that holds the data set, made on first use."""
        home = STORE / f"company-{self.scale:g}"
        ready = home / "ready"
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            counts = [part for name, full in FULL.items() for part in (f"--{name}", str(max(10, int(full * self.scale))))]
            say(f"making the company of {FULL['charges'] * self.scale:,.0f} charges")
            command = [sys.executable, "-m", "sandbox.company", "--home", str(home), "--lean", *counts]
            made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            ready.write_text(json.dumps(json.loads(made)["made"]))
        return home

    def mirror(self, *, again: bool = False) -> Path:
        """A home whose mirror holds the data set: brought there by a backfill, which is a measure of its own."""
        home = STORE / f"home-{self.scale:g}"
        ready = home / "ready"
        if again or not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            self.fresh = backfill.fill(self, home)
            ready.touch()
        return home


@contextmanager
def open_run(scale: float) -> Iterator[Run]:
    STORE.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=STORE))
    try:
        yield Run(scale, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def say(text: str) -> None:
    """What is under way, on standard error: standard output holds the table alone."""
    print(f"  {text} …", file=sys.stderr, flush=True)

"""What a cold start costs: import and index of the package that is deployed, beside an empty app; bytecode cached, the bare interpreter off."""

from __future__ import annotations

import compileall
import fnmatch
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import ROOT
from bench.table import Row, middle, ms

if TYPE_CHECKING:
    from bench.run import Run

ROUNDS = 15
MOST = 2.0
PEERS = ROOT / "bench" / "peers"
HEAVY = (
    "mcp",
    "mcp_types",
    "stripe",
    "aiohttp",
    "httpx",
    "starlette",
    "uvicorn",
    "azure.core",
    "azure.cosmos",
    "azure.data",
    "azure.identity",
)
HEAVY += ("azure.keyvault", "azure.storage", "cryptography", "jwt", "opentelemetry")


def measure(run: Run) -> list[Row]:
    ours, empty = run.folder("package"), run.folder("empty")
    package(ours)
    shutil.copytree(PEERS / "empty_app", empty, dirs_exist_ok=True)
    for folder in (ours, empty):
        compileall.compile_dir(folder, quiet=2)
    times: dict[str, list[float]] = {"bare": [], "ours": [], "empty": []}
    indexed = [sys.executable, "-P", "-m", "bench.peers.index_app"]
    commands = {"bare": [sys.executable, "-P", "-c", "pass"], "ours": [*indexed, str(ours)], "empty": [*indexed, str(empty)]}
    loaded = ""
    for number in range(run.sized(ROUNDS, 3) + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            output = _run(command, ours.parent)
            if number:
                times[name].append(time.perf_counter() - began)
            if name == "ours":
                loaded = output
    bare, mine, peer = (middle(times[name]) for name in ("bare", "ours", "empty"))
    ratio = (mine - bare) / (peer - bare)
    count, *modules = loaded.split()
    heavy = sorted({name for name in modules if any(name == each or name.startswith(each + ".") for each in HEAVY)}, key=len)[:5]
    return [
        Row(
            f"cold start: import and index of {count} functions",
            f"{ms(mine - bare)} ms",
            f"{ms(peer - bare)} ms empty app (bare interpreter {ms(bare)} ms off)",
            ratio,
            f"≤ {MOST:g}×",
            ratio <= MOST,
        ),
        Row("heavy modules loaded before the first request", ", ".join(heavy) or "none", "", None, "none", not heavy),
    ]


def package(target: Path) -> None:
    """Copies what a deployment would take: everything that `.funcignore` does not name."""
    ignored = [line.rstrip("/") for line in (ROOT / ".funcignore").read_text().split() if not line.startswith("#")]

    def left_out(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == ROOT
        return [
            name
            for name in names
            if name == "__pycache__" or (top and (name.startswith(".") or any(fnmatch.fnmatch(name, pattern) for pattern in ignored)))
        ]

    shutil.copytree(ROOT, target, ignore=left_out, dirs_exist_ok=True)


def _run(command: list[str], folder: Path) -> str:
    """The output of a process that has its modules from the deployed package, and nothing of this checkout but the runner."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BILLY_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder).stdout

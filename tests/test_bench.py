"""The measures run, and print one table with a verdict on every target."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_measures_print_one_table_with_a_peer_and_a_verdict_for_each_target() -> None:
    command = [sys.executable, "-m", "bench", "--scale", "0.002", "--only", "cold", "--only", "mcp"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    heading, rule, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if line.startswith("|")
    ]
    assert heading == ["measure", "ours", "peer", "ratio", "target", "met"]
    assert set("".join(rule)) == {"-"}
    found = {row[0]: dict(zip(heading, row, strict=True)) for row in rows}
    cold = next(row for name, row in found.items() if name.startswith("cold start"))
    assert float(cold["ratio"]) > 1
    assert found["heavy modules loaded before the first request"]["ours"] == "none"
    for generation in ("2026-07-28", "2025-11-25"):
        agent = found[f"MCP {generation}: tools/call, get by id"]
        assert re.fullmatch(r"[0-9.]+ / [0-9.]+ ms", agent["ours"])
        ratio = float(agent["ratio"])
        assert agent["met"] == ("met" if ratio <= 3 else "MISSED") or ratio == 3
    missed = sum(row["met"] == "MISSED" for row in found.values())
    assert f"{missed} of {sum(bool(row['met']) for row in found.values())} targets missed" in done.stdout

"""The README's walk, pasted as it stands into a shell beside a running system."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.edge.running_system import ROOT, STORES, running_system

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the walk is pasted into a shell that has curl"),
]


def walk() -> str:
    """Every shell block under the heading of the walk, in order."""
    section = (ROOT / "README.md").read_text().split("## See it happen")[1].split("\n## ")[0]
    return "\necho '---'\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


@pytest.mark.requirement("AB-092", "AB-162")
@pytest.mark.parametrize("store", STORES)
def test_the_walk_can_be_pasted_and_shows_what_it_says(tmp_path: Path, store: str) -> None:
    with running_system(tmp_path / ".billy", store=store) as system:
        done = subprocess.run(["bash", "-eu", "-c", walk()], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        _, asked, spoke, agent, refunded, audited = done.stdout.split("---\n")
        stats, failed, found = (json.loads(part) for part in re.split(r"(?<=\})(?=\{)", asked.strip()))
        assert stats["complete"]
        assert {charge["status"] for charge in failed["data"]} == {"failed"}
        assert found["data"]
        charge = json.loads(spoke)
        assert charge["amount"] == 20000
        refusal = json.loads(agent)["result"]
        assert (refusal["isError"], refusal["structuredContent"]["who_can"]) == (True, ["billing_manager", "owner"])
        first, second = (json.loads(line) for line in refunded.strip().splitlines())
        assert (first["result"]["amount"], second["result"]["id"]) == (4599, first["result"]["id"])
        assert [refund["amount"] for refund in system.stripe("GET", f"/v1/refunds?charge={charge['id']}")["data"]] == [4599]
        rows = json.loads(audited)["data"]
        assert {row["actor_name"] for row in rows} == {"support agent"}
        assert any(row["decision"] == "denied" and row["code"] == "not_allowed" for row in rows)

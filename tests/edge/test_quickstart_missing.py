"""`make run` is ready also where a part of Stripe cannot be read: it says what is missing, and the rest is there."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shared.gateway.kinds import KINDS
from tests.edge.running_system import ROOT, environment, eventually, free_port
from tests.peers.sandbox import control, running_sandbox

pytestmark = pytest.mark.slow

KEY = "rk_test_missingsomething0"
ALL = [*(facts.permission for facts in KINDS.values()), "rak_event_read"]


@pytest.mark.requirement("SC-87")
@pytest.mark.parametrize(
    "missing, permissions, fault, said",
    [
        ("dispute", [each for each in ALL if each != "rak_dispute_read"], None, "Give the restricted key the permission rak_dispute_read"),
        ("events", [each for each in ALL if each != "rak_event_read"], None, "rak_event_read"),
        ("coupon", ALL, {"match": "GET /v1/coupons", "kind": "cut", "times": 10_000}, "coupon: "),
    ],
    ids=["a read permission", "the permission for events", "a list that never arrives whole"],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_ready(
    tmp_path: Path, missing: str, permissions: list[str], fault: dict[str, object] | None, said: str
) -> None:
    with running_sandbox(tmp_path / "sandbox", seed=3, scale=0.02) as sandbox:
        assert control(sandbox.url, "POST", "keys", {"key": KEY, "permissions": permissions}).status_code == 200
        if fault:
            assert control(sandbox.url, "POST", "faults", fault).status_code == 200
        home = tmp_path / "billy"
        settings = {"PORT": str(free_port()), "BILLY_STRIPE_API_BASE": sandbox.url, "BILLY_STRIPE_API_KEY": KEY}
        home.mkdir()
        with (home / "run.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "quickstart"], cwd=ROOT, env=environment(home, **settings), stdout=log, stderr=subprocess.STDOUT
            )
        try:
            eventually(lambda: "Ctrl-C stops." in (home / "run.log").read_text(), 90, "being ready")
            words = (home / "run.log").read_text()
            assert "Not everything could be read from Stripe." in words and said in words and KEY not in words
            facts = json.loads((home / "run.json").read_text())
            bearer = {"authorization": f"Bearer {facts['owner_key']}"}
            state = httpx.get(f"{facts['url']}/api/sync", headers=bearer, timeout=30).json()
            assert [each["part"] for each in state["failing"]] == [missing]
            assert [name for name, kind in state["kinds"].items() if not kind["complete"]] == [missing] * (missing in KINDS)
            health = httpx.get(f"{facts['url']}/api/health", timeout=30).json()
            assert health["ready"] is True and health["mirror"]["failing"] == [missing]
            listed = httpx.get(f"{facts['url']}/api/charges", headers=bearer, timeout=30).json()
            assert listed["complete"] is True and listed["data"]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0

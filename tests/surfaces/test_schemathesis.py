"""Schemathesis calls every operation of the running host with what the OpenAPI document allows, and with what it forbids."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.devhost_process import ROOT
from tests.peers.sandbox import running_sandbox
from tests.surfaces.running import RunningBilly, running_billy

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schemathesis")]

LEFT_OUT = {
    "unsupported_method": "the Functions host answers 404, not 405, to a method that no function takes",
    "positive_data_acceptance": "a cursor, an expiry or a date can be a text of the right shape and still mean nothing",
}


@pytest.fixture(scope="module")
def billy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBilly]:
    home = tmp_path_factory.mktemp("billy")
    with running_sandbox(home / "sandbox") as sandbox:
        settings = {"BILLY_STRIPE_API_BASE": sandbox.url, "BILLY_STRIPE_API_KEY": "rk_test_schemathesis"}
        with running_billy(home, **settings) as running:
            yield running


@pytest.mark.requirement("SC-26", "SC-48")
@pytest.mark.parametrize("role", ["read_only", "owner"])
def test_whatever_is_sent_the_answer_is_what_the_document_says(billy: RunningBilly, role: str, tmp_path: Path) -> None:
    before = len(billy.audit())
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{billy.url}/api/openapi.json"]
    command += ["--header", f"Authorization: Bearer {billy.keys[role]}", "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT)]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--seed", "1", "--warnings", "off", "--continue-on-failure"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.surfaces.schemathesis_hooks", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-12_000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None and int(generated[1]) > 300
    assert len(billy.audit()) - before > 300, "calls that left no row"
    assert billy.client.get("/api/health").json()["ready"] is True

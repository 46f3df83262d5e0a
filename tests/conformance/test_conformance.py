"""The official MCP conformance suite, on both revisions: on the real /mcp of a running host, and on the same door and wrapper with the
suite's own tools behind it. `expected/` lists what fails, each with its reason; what is listed and passes is a failure too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.edge.devhost_process import ROOT
from tests.peers.node import node_bin, node_env, node_modules
from tests.surfaces.running import running_billy

EXPECTED = Path(__file__).parent / "expected"
REVISIONS = ("2025-11-25", "2026-07-28")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("conformance")]


@contextmanager
def front(*arguments: str, **settings: str) -> Iterator[str]:
    """The process that adds the key; yields the address of /mcp."""
    command = [sys.executable, "-m", "tests.conformance.front", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1] + "/mcp"
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture(scope="module")
def billy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        running_billy(tmp_path_factory.mktemp("billy")) as running,
        front("billy", running.url, BILLY_TEST_KEY=running.keys["owner"]) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with front("suite", str(tmp_path_factory.mktemp("suite"))) as url:
        yield url


@pytest.mark.requirement("TB-013")
@pytest.mark.parametrize("subject", ["billy", "suite"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_the_official_suite_finds_no_more_than_what_is_listed(
    subject: str, revision: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(subject)
    script = node_modules() / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    expected = EXPECTED / f"{subject}-{revision}.yml"
    command = [str(node_bin()), str(script), "server", "--url", url, "--requirements", revision, "--expected-failures", str(expected)]
    done = subprocess.run(command, cwd=tmp_path, env=node_env(), capture_output=True, text=True, timeout=180, check=False)
    report = done.stdout[done.stdout.find("=== SUMMARY") :] + done.stderr
    assert done.returncode == 0, report
    assert "passed" in report


@pytest.mark.parametrize("path", sorted(EXPECTED.glob("*.yml")), ids=lambda path: path.stem)
def test_every_expected_failure_has_its_reason(path: Path) -> None:
    entries = [line for line in path.read_text().splitlines() if line.strip().startswith("-")]
    assert entries
    assert [line for line in entries if "#" not in line or len(line.split("#", 1)[1].strip()) < 15] == []

"""The official Stripe CLI runs its own trigger scripts against the sandbox; what passes may only grow."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.peers.node import node_env, node_modules
from tests.peers.sandbox import client_of, running_sandbox

LISTED = Path(__file__).with_name("cli_triggers.txt")
KEY = "sk_test_12345abcdefgh"


def cli(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    # The launcher of the package starts a program for this platform and passes everything on.
    return subprocess.run(
        [node_modules() / ".bin" / "stripe", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        env=node_env() | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)},
    )


@pytest.mark.slow
def test_the_official_trigger_scripts_that_passed_still_pass(tmp_path):
    """A script passes when the CLI says so and an event of its name was recorded, unless the name is not an event's."""
    names = [line for line in LISTED.read_text().splitlines() if line and not line.startswith("#")]
    assert len(names) == len(set(names)) >= 40
    assert set(names) <= set(re.findall(r"^  ([a-z_]+(?:\.[a-z_]+)+)$", cli("trigger", "--help", home=tmp_path).stdout, re.MULTILINE))
    with running_sandbox(tmp_path / "sandbox") as running:

        def passes(name: str) -> str | None:
            done = cli("trigger", name, "--api-base", running.url, "--api-key", KEY, home=tmp_path)
            return None if done.returncode == 0 and "Trigger succeeded" in done.stdout else f"{name}: {(done.stdout + done.stderr)[-300:]}"

        with ThreadPoolExecutor(4) as pool:
            failed = [why for why in pool.map(passes, names) if why]
        emitted = {event.type for event in client_of(running, KEY).v1.events.list({"limit": 100}).auto_paging_iter()}
    assert not failed
    assert not set(names) - emitted

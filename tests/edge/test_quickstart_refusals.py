"""`make run` that cannot run says in one or two sentences why, and what to do; it gives nothing to a stranger."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.running_system import ROOT, free_port

pytestmark = pytest.mark.slow


def _run(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"BILLY_HOME": str(home), "PORT": str(free_port()), "BILLY_COMPANY_SCALE": "0.01"}
    return subprocess.run(
        [sys.executable, "-m", "quickstart"],
        cwd=ROOT,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused_in_words(tmp_path: Path, port: str) -> None:
    run = _run(tmp_path, PORT=port)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "PORT is a whole number from 1 to 65535.\n"


def test_a_port_in_use_is_named_and_its_holder_is_not_spoken_to(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.settimeout(0.1)
        port = str(taken.getsockname()[1])
        run = _run(tmp_path, PORT=port)
        with pytest.raises(TimeoutError):
            taken.accept()
    assert run.returncode == 1
    assert f"Port {port} cannot be used" in run.stderr


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("")
    run = _run(home)
    assert run.returncode == 1
    assert "Set BILLY_HOME to a folder that can be written." in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("key", ["sk_test_unrestricted0000", "no key at all", "pk_test_public00000000"])
def test_a_stripe_key_that_is_not_taken_is_refused_before_anything_starts_and_not_shown(tmp_path: Path, key: str) -> None:
    run = _run(tmp_path, BILLY_STRIPE_API_KEY=key)
    assert run.returncode == 1
    assert "rk_" in run.stderr
    assert "Traceback" not in run.stderr
    assert key not in run.stdout + run.stderr


def test_a_live_key_on_a_home_of_the_test_mode_is_refused(tmp_path: Path) -> None:
    nowhere = {"BILLY_STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}"}
    assert "cannot be reached" in _run(tmp_path, BILLY_STRIPE_API_KEY="rk_test_first0000000000", **nowhere).stderr
    run = _run(tmp_path, BILLY_STRIPE_API_KEY="rk_live_second000000000", **nowhere)
    assert run.returncode == 1
    assert "The Stripe key is of live mode, and what is kept here is of test mode." in run.stderr

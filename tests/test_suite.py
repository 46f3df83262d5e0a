"""How the suite itself is run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GROUPED = """
import pytest

@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("left", "right")])
def side(request):
    return request.param

@pytest.mark.parametrize("number", range(6))
def test_one(side, number):
    pass
"""


@pytest.mark.slow
def test_the_tests_of_a_group_run_in_one_worker(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "test_grouped.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    ran = re.findall(r"\[(gw\d)\].* PASSED .*\[(left|right)-", done.stdout)
    assert len(ran) == 12, done.stdout
    assert {side: {worker for worker, each in ran if each == side} for side in ("left", "right")} in (
        {"left": {"gw0"}, "right": {"gw1"}},
        {"left": {"gw1"}, "right": {"gw0"}},
    )

"""Fixtures that every part shares."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId


@pytest.fixture
def data_file(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the file of that name beside the test; `BILLY_WRITE_SNAPSHOTS=1` writes it instead."""

    def compare(name: str, text: str) -> None:
        path = Path(str(request.path)).parent / name
        if os.environ.get("BILLY_WRITE_SNAPSHOTS"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text, f"{path.name} differs; look at the change, then run again with BILLY_WRITE_SNAPSHOTS=1"

    return compare


PROCESSES = {
    "sandbox",
    "sandbox_url",
    "double",
    "own_double",
    "azurite",
    "running",
    "keyvault",
    "cosmos",
    "told",
}  # fixtures that start one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test beside another process is slow, whether it says so or not. And a group's tests share a worker: pytest-xdist 3.8 tells its
    scheduler so in the test's id, by an attribute that pytest 9.2 does not look at any more (pytest-xdist #1386)."""
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if groups and getattr(config.option, "loadgroup", False):
            item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(groups)}")
        if PROCESSES & set(getattr(item, "fixturenames", ())) or "sandbox" in item.path.parent.parts:
            item.add_marker("slow")

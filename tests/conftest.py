"""Fixtures that every part shares."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


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


PROCESSES = {"sandbox", "sandbox_url", "double", "own_double", "azurite", "running", "keyvault", "cosmos"}  # fixtures that start one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test beside another process is slow, whether it says so or not."""
    for item in items:
        if PROCESSES & set(getattr(item, "fixturenames", ())) or "sandbox" in item.path.parent.parts:
            item.add_marker("slow")

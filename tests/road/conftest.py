"""A folder for the stores of one history after another."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.road.stores import close_stores

IN_MEMORY = Path("/dev/shm")  # a folder without a disk, where the machine has one


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)
        close_stores(Path(folder))

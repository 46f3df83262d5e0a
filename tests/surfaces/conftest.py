"""A running Billy for the tests that call it over HTTP."""

from collections.abc import Iterator

import pytest

from tests.surfaces.running import RunningBilly, running_billy


@pytest.fixture(scope="session")
def billy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBilly]:
    """One host for all tests of a worker; they only read, or count from where they began."""
    with running_billy(tmp_path_factory.mktemp("billy")) as running:
        yield running

"""Who asks at /mcp in these tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.mcp.asking import GENERATIONS, Asker
from tests.surfaces.company import open_company
from tests.surfaces.running import RunningBilly, running_billy


@pytest_asyncio.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    async with open_company(tmp_path / "billy") as company:
        yield Asker(company)


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> str:
    """Each of the two protocol generations in turn."""
    return request.param


@pytest.fixture(scope="session")
def billy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBilly]:
    """One host for all tests of a worker; they only read, or count from where they began."""
    with running_billy(tmp_path_factory.mktemp("billy")) as running:
        yield running

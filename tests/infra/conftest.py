"""The infrastructure, read once."""

import pytest

from tests.infra.bicep_files import Infrastructure, read


@pytest.fixture(scope="session")
def infra() -> Infrastructure:
    return read()

"""A Billy on Azure's stores whose requests to Cosmos DB pass a front that a test makes fail."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.spec.conftest import billy, emptied, emulators, sandbox_url
from tests.stores.cosmos_front import Front, running_front

__all__ = ["billy", "emulators", "sandbox_url"]


@pytest.fixture
async def front(emulators: dict[str, str]) -> AsyncIterator[Front]:
    async with running_front(emulators["cosmos_endpoint"]) as running:
        yield running


@pytest.fixture
async def stores(emulators: dict[str, str], front: Front) -> dict[str, Any]:
    await emptied(emulators)
    return emulators | {"cosmos_endpoint": front.url}

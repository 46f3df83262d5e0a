"""What tests of failures that last share: a proxy before a company at Stripe, quick retries, and a run until nothing more can be done."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.context import Context
from shared.gateway import transport
from shared.gateway.backfill import Slice, run_slice
from shared.operations.sync import request_run
from tests.gateway.conftest import Double
from tests.peers.proxy import Proxy, running_proxy
from tests.peers.sandbox import running_sandbox

Open = Callable[..., Any]


def filled(home: Path, counts: dict[str, int]) -> Iterator[Double]:
    """A sandbox with a company of so many objects."""
    with running_sandbox(home, seed=11) as sandbox:
        double = Double(sandbox.url)
        double.control("POST", "company", {"seed": 11, "counts": counts})
        yield double


@pytest.fixture
async def proxy(company: Double, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.setattr(transport, "TRY", 0.4)
    monkeypatch.setattr(transport.Transport, "_sleep_time_seconds", lambda self, *_: 0.0)
    async with running_proxy(company.url) as running:
        yield running


@pytest.fixture
async def context(proxy: Proxy, open_context: Open) -> Context:
    return await open_context(Double(proxy.url))


async def run(context: Context) -> Slice:
    """Slices of a run until there is nothing more to do for now."""
    await request_run(context, "key_1")
    for _ in range(50):
        if (ended := await run_slice(context, 30)) is not Slice.MORE:
            return ended
    raise AssertionError("it does not end")


def too_deep(levels: int = 300) -> dict[str, Any]:
    """Metadata of an object that can be read and not be written: nested deeper than a writer of JSON goes."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value

"""The adapters of mirror and records, opened for a test in a folder of its own."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.protocols import Mirror, Records
from shared.stores.sqlite_mirror import SqliteMirror
from shared.stores.sqlite_records import SqliteRecords
from tests.peers.cosmos import KEY

# A test on Cosmos takes longer, and all of them share one server, so they stay in one worker.
COSMOS = (pytest.mark.slow, pytest.mark.xdist_group("cosmos"))


async def cosmos_account(endpoint: str, home: Path, **options: Any) -> CosmosAccount:
    """An account of its own for each folder: a database on the one server."""
    account = CosmosAccount(endpoint, KEY, database=hashlib.sha256(str(home).encode()).hexdigest()[:16], **options)
    await account.create_missing()
    return account


async def _sqlite_mirror(home: Path, _: str) -> Mirror:
    return SqliteMirror.open(home)


async def _cosmos_mirror(home: Path, endpoint: str) -> Mirror:
    return CosmosMirror(await cosmos_account(endpoint, home))


async def _sqlite_records(home: Path, _: str) -> Records:
    return SqliteRecords.open(home, time.time)


async def _cosmos_records(home: Path, endpoint: str) -> Records:
    return CosmosRecords(await cosmos_account(endpoint, home))


type Opening[T] = Callable[[Path, str], Awaitable[T]]

MIRRORS: dict[str, Opening[Mirror]] = {"sqlite": _sqlite_mirror, "cosmos": _cosmos_mirror}
RECORDS: dict[str, Opening[Records]] = {"sqlite": _sqlite_records, "cosmos": _cosmos_records}


def each(table: Iterable[str]) -> list[Any]:
    """The adapters of a table as parameters of a test."""
    return [pytest.param(name, marks=COSMOS if name == "cosmos" else ()) for name in sorted(table)]


def endpoint_of(adapter: str, request: pytest.FixtureRequest) -> str:
    """Where the adapter's engine listens: a server is started only where a test needs one."""
    return request.getfixturevalue("cosmos_endpoint") if adapter == "cosmos" else ""

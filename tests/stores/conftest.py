"""Every contract runs on every adapter: add one to the tables below, and its protocol's tests run on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.stores.local_secrets import LocalSecrets
from shared.stores.protocols import AuditLog, Mirror, Records, Secrets
from shared.stores.sqlite_audit import SqliteAuditLog
from shared.stores.sqlite_mirror import SqliteMirror
from shared.stores.sqlite_records import SqliteRecords

MIRRORS = {"sqlite": SqliteMirror.open}
RECORDS = {"sqlite": SqliteRecords.open}
AUDIT_LOGS = {"sqlite": SqliteAuditLog.open}
SECRETS = {"file": LocalSecrets.open}


@pytest.fixture(params=sorted(MIRRORS))
async def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mirror]:
    opened = MIRRORS[request.param](tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(params=sorted(RECORDS))
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    opened = RECORDS[request.param](tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(params=sorted(AUDIT_LOGS))
async def audit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AuditLog]:
    opened = AUDIT_LOGS[request.param](tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(params=sorted(SECRETS))
async def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Secrets]:
    opened = SECRETS[request.param](tmp_path)
    yield opened
    await opened.close()

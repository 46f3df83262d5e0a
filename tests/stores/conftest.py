"""Every contract runs on every adapter: add one to the tables here and in adapters.py, and its protocol's tests run on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex
from time import time

import pytest

from shared.stores.cosmos import CosmosAccount
from shared.stores.identity import managed_identity
from shared.stores.keyvault import KeyVaultSecrets
from shared.stores.local_secrets import LocalSecrets
from shared.stores.protocols import AuditLog, Mirror, Records, Secrets
from shared.stores.sqlite_audit import SqliteAuditLog
from shared.stores.tables import TablesAuditLog
from tests.peers.azurite import running_azurite
from tests.peers.cosmos import running_cosmos
from tests.peers.keyvault import CLIENT_ID, Vault, running_vault
from tests.stores.adapters import MIRRORS, RECORDS, cosmos_account, each, endpoint_of
from tests.stores.cosmos_front import Front, running_front

AUDIT_LOGS = ["sqlite", pytest.param("tables", marks=pytest.mark.slow)]
SECRETS = ["file", "vault"]


@pytest.fixture
async def account(cosmos_endpoint: str, tmp_path: Path) -> AsyncIterator[CosmosAccount]:
    opened = await cosmos_account(cosmos_endpoint, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def front(cosmos_endpoint: str) -> AsyncIterator[Front]:
    async with running_front(cosmos_endpoint) as running:
        yield running


@pytest.fixture(scope="session")
def cosmos_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Cosmos server of this test process."""
    with running_cosmos(tmp_path_factory.mktemp("cosmos")) as endpoint:
        yield endpoint


@pytest.fixture(params=each(MIRRORS))
async def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mirror]:
    opened = await MIRRORS[request.param](tmp_path, endpoint_of(request.param, request))
    yield opened
    await opened.close()


@pytest.fixture(params=each(RECORDS))
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    opened = await RECORDS[request.param](tmp_path, endpoint_of(request.param, request))
    yield opened
    await opened.close()


@pytest.fixture(params=AUDIT_LOGS)
def audit(request: pytest.FixtureRequest) -> AuditLog:
    return request.getfixturevalue(f"{request.param}_audit")


@pytest.fixture
async def sqlite_audit(tmp_path: Path) -> AsyncIterator[SqliteAuditLog]:
    opened = SqliteAuditLog.open(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def tables_audit(azurite_tables: tuple[str, str]) -> AsyncIterator[TablesAuditLog]:
    """An audit log with a table of its own."""
    opened = TablesAuditLog.open(*azurite_tables, table=f"audit{token_hex(8)}")
    await opened.create()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def azurite_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Azurite's table service: its endpoint and key."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as connection_string:
        facts = dict(part.split("=", 1) for part in connection_string.strip(";").split(";"))
        yield facts["TableEndpoint"], facts["AccountKey"]


@pytest.fixture(params=SECRETS)
def secrets(request: pytest.FixtureRequest) -> Secrets:
    return request.getfixturevalue(f"{request.param}_secrets")


@pytest.fixture
async def file_secrets(tmp_path: Path) -> AsyncIterator[LocalSecrets]:
    opened = LocalSecrets.open(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vault]:
    """An empty vault, and an app's platform that gives its identity tokens."""
    async with running_vault(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def vault_secrets(vault: Vault) -> AsyncIterator[KeyVaultSecrets]:
    async with managed_identity(CLIENT_ID) as identity:
        opened = KeyVaultSecrets.open(vault.url, identity, time, connection_verify=str(vault.certificate), retry_total=0)
        yield opened
        await opened.close()

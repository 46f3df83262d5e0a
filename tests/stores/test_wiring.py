"""Which stores run: what the settings have to say, and that a key never stands in for the identity in Azure."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import BillyError
from shared.settings import Settings
from shared.wiring import close_context, make_context

ROOT = Path(__file__).parents[2]
AZURE = {
    "cosmos_endpoint": "https://billy.documents.azure.com:443/",
    "tables_endpoint": "https://billy.table.core.windows.net/",
    "key_vault_url": "https://billy.vault.azure.net/",
}


def settings(home: Path, **given: str) -> Settings:
    return Settings(store="azure", home=home, identity_client_id="00000000-0000-4000-8000-000000000001", **given)  # type: ignore[arg-type]


async def test_stores_in_azure_open_without_a_call_and_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    """Sockets reach loopback alone here: a call would fail."""
    context = await make_context(settings(tmp_path / "billy", **AZURE))
    await close_context(context)
    assert not (tmp_path / "billy").exists()


@pytest.mark.parametrize("missing", AZURE)
async def test_a_missing_address_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(BillyError) as refused:
        await make_context(settings(tmp_path, **{name: value for name, value in AZURE.items() if name != missing}))
    assert refused.value.code == "unavailable" and refused.value.next == f"Set BILLY_{missing.upper()}."


@pytest.mark.requirement("SC-62")
@pytest.mark.parametrize("key", ["cosmos_key", "tables_key"])
@pytest.mark.parametrize(
    "local", [{}, {"tables_endpoint": "http://127.0.0.1:10002/devstoreaccount1"}, {"cosmos_endpoint": "http://localhost:3000"}]
)
async def test_a_key_for_anything_but_this_machine_is_refused_and_not_shown(tmp_path: Path, key: str, local: dict[str, str]) -> None:
    with pytest.raises(BillyError) as refused:
        await make_context(settings(tmp_path, **(AZURE | local), **{key: "a2V5LWNhbmFyeQ=="}))
    assert "emulator" in refused.value.detail and "a2V5" not in f"{refused.value!r}"


@pytest.mark.parametrize(
    "address",
    [
        "https://localhost.evil.example",
        "https://127.0.0.1.evil.example",
        "https://evil.example/127.0.0.1",
        "https://127.0.0.1@evil.example",
    ],
)
async def test_an_address_that_only_looks_like_this_machine_is_none(tmp_path: Path, address: str) -> None:
    given = AZURE | {"cosmos_endpoint": address, "tables_endpoint": address}
    with pytest.raises(BillyError):
        await make_context(settings(tmp_path, **given, cosmos_key="a2V5"))


def test_azures_clients_are_not_imported_before_a_call_needs_them() -> None:
    """They cost seconds of processor time at a cold start."""
    heavy = "azure.identity,azure.data.tables,azure.keyvault.secrets,azure.cosmos,azure.core,aiohttp,msal,cryptography"
    check = f"import sys, function_app; print(sorted(set({heavy.split(',')!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

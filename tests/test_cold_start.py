"""What an instance loads before its first request, what the first request adds, and what is packed. `docs/cold-start.md` has the figures."""

import re
from pathlib import Path

import pytest

from bench import package
from bench.cold_start import ALLOWED, LARGEST, emulated, first_request, index, strangers
from tests.infra.bicep_files import accessed, is_name, read

ROOT = Path(__file__).parent.parent
# What the first request may add: the clients of the store that is chosen, with what they need.
FIRST = {
    "embedded": {"pydantic", "azure_functions_runtime"},
    "azure": {
        *("pydantic", "azure_functions_runtime"),
        *("azure.core", "azure.cosmos", "azure.data", "azure.identity", "azure.keyvault", "isodate"),  # the clients
        *("msal", "msal_extensions", "cryptography", "_cffi_backend", "_openssl", "jwt"),  # of azure.identity
        *("requests", "urllib3", "charset_normalizer", "idna", "certifi"),  # of msal and azure.core
        *("aiohttp", "aiohappyeyeballs", "aiosignal", "attr", "attrs", "frozenlist", "multidict", "propcache", "yarl"),  # how they travel
    },
}


def deployed() -> dict[str, str]:
    """The app's settings as the Bicep sets them; an address that only a deployment knows is one that leads nowhere."""
    infra = read()
    given = infra.one("Microsoft.Web/sites/config", "modules/app.bicep").at("properties")
    known = {"insightsConnection": "InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint=https://127.0.0.1:1/"}
    values: dict[str, str] = {}
    for name, value in given.items():
        word = accessed(value)
        if isinstance(value, str) and not is_name(value) and "${" not in value:
            values[str(name)] = value
        elif word in known:
            values[str(name)] = known[word]
        elif str(name).endswith(("ENDPOINT", "URL", "Uri")):
            values[str(name)] = "https://127.0.0.1:1/"
    return values


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    package.lay_out(folder)
    return folder


def too_much(folder: Path, settings: dict[str, str]) -> set[str]:
    return set(strangers(index(folder, settings)[1])) - set(ALLOWED)


# Before the first request


def test_the_settings_of_a_deployment_are_those_that_it_is_tried_with() -> None:
    assert {"BILLY_STORE", "BILLY_COSMOS_ENDPOINT", "BILLY_KEY_VAULT_URL", "APPLICATIONINSIGHTS_CONNECTION_STRING"} <= set(deployed())


@pytest.mark.parametrize("store", ["embedded", "azure"])
def test_before_the_first_request_nothing_is_loaded_but_what_the_list_allows(packed: Path, tmp_path: Path, store: str) -> None:
    settings = {"BILLY_HOME": str(tmp_path / "home")} | (deployed() if store == "azure" else {})
    count, modules = index(packed, settings)
    assert set(strangers(modules)) - set(ALLOWED) == set(), (
        "import it where it is used, or say in bench/cold_start.py why every start must wait for it"
    )
    parts = {f"functions.{path.stem}" for path in (packed / "functions").glob("*.py") if path.stem != "__init__"}
    assert parts <= set(modules), "a part of the app was not loaded, so this test saw nothing of it"
    assert count >= len(parts)
    assert not (tmp_path / "home").exists(), "a start opens no store"


@pytest.mark.parametrize(
    ("heavy", "where"),
    [
        ("opentelemetry.sdk.trace", "functions/rest.py"),
        ("opentelemetry.trace", "shared/road/execute.py"),
        ("azure.identity.aio", "shared/wiring.py"),
        ("azure.monitor.opentelemetry.exporter", "functions/webhooks.py"),
        ("stripe", "functions/webhooks.py"),
        ("mcp.server.lowlevel", "functions/mcp.py"),
        ("sandbox.clock", "functions/sync.py"),
    ],
)
def test_a_heavy_import_would_be_seen_wherever_it_stands(packed: Path, tmp_path: Path, heavy: str, where: str) -> None:
    package.lay_out(tmp_path / "app")
    file = tmp_path / "app" / where
    file.write_text(f"{file.read_text()}\nimport {heavy}\n")
    names = set(strangers([heavy]))
    assert names and names <= too_much(tmp_path / "app", deployed())


def test_every_name_of_the_list_is_needed(packed: Path) -> None:
    assert set(ALLOWED) <= set(strangers(index(packed, {})[1]))


# The first request


@pytest.mark.slow
@pytest.mark.xdist_group("cosmos")
def test_the_first_request_loads_the_clients_of_its_store_alone_and_the_second_nothing(packed: Path, tmp_path: Path) -> None:
    with emulated(tmp_path) as azure:
        for store, settings in (("embedded", {}), ("azure", azure)):
            told = first_request(packed, {"BILLY_HOME": str(tmp_path / "home"), **settings})
            assert (told["first"]["status"], told["second"]["status"]) == (200, 200)
            assert (
                set(strangers(told["first"]["loaded"])) - {name for name in strangers(told["first"]["loaded"]) if "cython" in name}
                <= FIRST[store]
            )
            assert told["second"]["loaded"] == []
            assert "stripe" not in told["first"]["loaded"], "a read of the mirror asks nothing of Stripe"


# The package


def test_the_package_holds_our_code_and_what_it_needs_and_nothing_else(packed: Path, tmp_path: Path) -> None:
    files = package.files_below(packed)
    top = {name.split("/")[0] for name in files}
    assert top == {"function_app.py", "functions", "shared", "host.json", "requirements.txt", "LICENSE"}
    assert {name for name in files if not name.endswith(".py")} == {"host.json", "requirements.txt", "LICENSE"}
    assert package.weigh(files, tmp_path).packed <= LARGEST


def test_a_package_that_is_made_by_hand_holds_the_same(packed: Path) -> None:
    (line,) = re.findall(r'^cp -r (.+) "\$PACKAGE"$', (ROOT / "docs" / "deploy.md").read_text(), re.M)
    assert set(line.split()) | {"LICENSE"} == {name.split("/")[0] for name in package.files_below(packed)}


def test_what_the_remote_build_adds_is_followed_to_the_last_distribution() -> None:
    names = {each.name.lower() for each in package.distributions()}
    assert {"azure-cosmos", "azure-core", "msal", "cryptography", "pydantic-core"} <= {name.replace("_", "-") for name in names}
    assert names.isdisjoint({"pytest", "uvloop", "schemathesis", "ruff"}), "these are never installed in Azure"

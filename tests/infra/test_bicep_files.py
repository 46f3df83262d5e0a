"""What a compiler would say first: files parse, modules get what they declare, names exist, and nothing comes from a registry."""

import json
import re

import pytest

from tests.infra.bicep_files import FOLDER, Infrastructure, accessed, names_used, read, sources, walk

WORDS = {
    *("if", "for", "in", "true", "false", "null", "union", "empty", "guid", "toLower", "uniqueString", "loadJsonContent"),
    *("subscription", "resourceGroup", "tenant", "environment", "subscriptionResourceId"),
}


@pytest.mark.parametrize("name", sources())
def test_a_file_parses(name: str) -> None:
    assert read({name: sources()[name]}).files[name]


@pytest.mark.parametrize("name", sources())
def test_every_name_that_a_file_uses_is_declared_in_it_and_every_parameter_is_used(name: str, infra: Infrastructure) -> None:
    parsed, text = infra.files[name], infra.texts[name]
    parameters = set(parsed.get("parameters", {}))
    loops = set(re.findall(r"\[for (\w+) in", text)) | {each for pair in re.findall(r"\[for \((\w+), (\w+)\) in", text) for each in pair}
    declared = parameters | loops | {each for part in ("variables", "resources", "modules") for each in parsed.get(part, {})}
    used = names_used(text)
    assert used - declared - WORDS == set()
    assert parameters - used == set(), "a parameter that nothing uses"


def test_a_misspelt_name_would_be_found() -> None:
    assert "storgeId" in names_used("resource a 'x@1' = {\n  name: 'n-${storgeId}'\n}\n")
    assert "workspace" in names_used("output id string = workspace.id\n")


def test_every_module_is_used_and_gets_exactly_what_it_declares(infra: Infrastructure) -> None:
    modules = infra.modules()
    assert {file for file, _ in modules.values()} == set(infra.files) - {"main.bicep"}
    for symbol, (file, body) in modules.items():
        declared = infra.files[file]["parameters"]
        needed = {name for name, each in declared.items() if each["default"] is None}
        given = set(body["params"])
        assert needed <= given <= set(declared), symbol


def test_every_output_that_is_read_is_there(infra: Infrastructure) -> None:
    modules = infra.modules()
    read_ones = set(re.findall(r"(\w+)\.outputs\.(\w+)", infra.texts["main.bicep"]))
    assert len(read_ones) > 20
    assert {(module, name) for module, name in read_ones if name not in infra.files[modules[module][0]].get("outputs", {})} == set()


def test_everything_is_a_native_resource_of_a_fixed_version(infra: Infrastructure) -> None:
    for text in infra.texts.values():
        assert re.findall(r"'(?:br|ts|br/public)[:/]", text) == []
    for file, parsed in infra.files.items():
        for symbol, each in parsed.get("resources", {}).items():
            assert re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", each["api_version"]), (file, symbol)
            assert re.fullmatch(r"Microsoft\.\w+(/\w+)+", each["type"]), (file, symbol)


def test_one_type_is_asked_for_in_one_version(infra: Infrastructure) -> None:
    versions: dict[str, set[str]] = {}
    for parsed in infra.files.values():
        for each in parsed.get("resources", {}).values():
            versions.setdefault(each["type"], set()).add(each["api_version"])
    assert {type: found for type, found in versions.items() if len(found) > 1} == {}


def test_azd_gives_every_parameter_that_has_no_default_and_no_unknown_one(infra: Infrastructure) -> None:
    given = json.loads((FOLDER / "main.parameters.json").read_text())["parameters"]
    declared = infra.files["main.bicep"]["parameters"]
    assert {name for name, each in declared.items() if each["default"] is None and name in given} == {"name", "location"}
    assert set(given) <= set(declared)
    for each in given.values():
        assert re.fullmatch(r"\$\{[A-Z_]+(=[a-z0-9A-Z]*)?\}", each["value"]), "a value is set by the environment, and no secret stands here"


def test_everything_that_can_be_tagged_is_tagged(infra: Infrastructure) -> None:
    cannot = re.compile(
        r"/(roleAssignments|roleDefinitions|locks|diagnosticSettings|config|basicPublishingCredentialsPolicies|subnets"
        r"|sqlDatabases|sqlRole\w+|containers|queues|tables|\w+Services|virtualNetworkLinks|privateDnsZoneGroups)$"
    )
    untagged = [(each.file, each.symbol) for each in infra.resources if not cannot.search(each.type) and each.at("tags") is None]
    assert untagged == []


def test_what_holds_data_tells_the_workspace_what_was_done_to_it(infra: Infrastructure) -> None:
    told = {(each.file, accessed(each.at("scope"))) for each in infra.of("Microsoft.Insights/diagnosticSettings")}
    assert told == {
        ("modules/storage.bicep", "queues"),
        ("modules/audit.bicep", "tables"),
        ("modules/cosmos.bicep", "account"),
        ("modules/vault.bicep", "vault"),
    }
    for each in infra.of("Microsoft.Insights/diagnosticSettings"):
        assert accessed(each.at("properties", "workspaceId")) == "workspaceId"
        assert all(log["enabled"] in (True, "true") for log in each.at("properties", "logs"))


def test_no_output_and_no_file_holds_or_asks_for_a_secret(infra: Infrastructure) -> None:
    asking = re.compile(
        r"\blist(Keys|ConnectionStrings|Secrets|AccountSas|ServiceSas|\w*Keys)\w*\s*\(|getSecret\(|AccountKey=|SharedAccess", re.I
    )
    for name, text in infra.texts.items():
        assert asking.search(text) is None, name
        assert "Microsoft.KeyVault/vaults/secrets'" not in text and "vaults/secrets@" not in text, name
    outputs = infra.files["main.bicep"]["outputs"]
    assert set(outputs) == {"AZURE_RESOURCE_GROUP", "BILLY_URL", "BILLY_VAULT_NAME", "BILLY_FUNCTION_APP"}
    leaking = re.compile(r"connection|key|secret|token|password", re.I)
    shown = [accessed(value) for each in outputs.values() for value in walk(each["value"])]
    assert [each for each in shown if each and leaking.search(each)] == []

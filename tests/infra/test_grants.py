"""Who may do what: every grant is listed here with what it reaches, and the audit table takes rows and gives them, from anybody at most."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.bicep_files import ROOT, Infrastructure, Resource, accessed, is_name, read, sources

GRANT = "Microsoft.Authorization/roleAssignments"
ENTITIES = "Microsoft.Storage/storageAccounts/tableServices/tables/entities"
COSMOS = "Microsoft.DocumentDB/databaseAccounts"
ITEMS = f"{COSMOS}/sqlDatabases/containers/items"

BUILT_IN = {
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "4633458b-17de-408a-874b-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
}
EXPECTED = {  # file, role, on what, to whom
    ("modules/monitoring.bicep", "Monitoring Metrics Publisher", "insights", "appPrincipalId"),
    ("modules/storage.bicep", "Storage Blob Data Owner", "account", "appPrincipalId"),
    ("modules/storage.bicep", "Storage Queue Data Contributor", "account", "appPrincipalId"),
    ("modules/audit.bicep", "appender", "table", "appPrincipalId"),
    ("modules/vault.bicep", "Key Vault Secrets User", "vault", "appPrincipalId"),
    ("modules/vault.bicep", "Key Vault Secrets Officer", "vault", "operatorId"),
}


def granted(infra: Infrastructure) -> set[tuple[str, str, str | None, str | None]]:
    return {
        (each.file, _role(infra, each), accessed(each.at("scope")), accessed(each.at("properties", "principalId")))
        for each in infra.of(GRANT)
    }


def _role(infra: Infrastructure, grant: Resource) -> str:
    role = grant.at("properties", "roleDefinitionId")
    if isinstance(role, dict) and "function" in role:
        name = role["function"]["parameters"]["resource_name_1"]
        value = infra.variable(grant.file, str(name)) if is_name(name) else str(name)
        return BUILT_IN.get(str(value), str(value))
    return str(accessed(role)).removesuffix(".id")


def wider(infra: Infrastructure) -> list[str]:
    """What lets anybody do more with the audit log than insert and read rows."""
    wrong: list[str] = []
    (role,) = infra.of("Microsoft.Authorization/roleDefinitions", "modules/audit.bicep")
    (permission,) = role.at("properties", "permissions")
    if sorted(permission["dataActions"]) != [f"{ENTITIES}/add/action", f"{ENTITIES}/read"]:
        wrong.append("the role does more than insert and read entities")
    if permission["actions"]:
        wrong.append("the role manages something")
    on_audit = infra.of(GRANT, "modules/audit.bicep")
    if [(_role(infra, each), accessed(each.at("scope"))) for each in on_audit] != [("appender", "table")]:
        wrong.append("something else than the one role on the one table is granted beside the audit log")
    for each in infra.of(GRANT):
        if each.at("scope") is None or accessed(each.at("scope")) in ("group", "resourceGroup"):
            wrong.append(f"{each.file} grants on the whole resource group")
        if _role(infra, each) not in {*BUILT_IN.values(), "appender"}:
            wrong.append(f"{each.file} grants a role that is not known here")
    if len(infra.of("Microsoft.Authorization/roleDefinitions")) != 1:
        wrong.append("there is a second custom role")
    wrong += [
        f"{each.file} leaves a key that may do everything"
        for each in infra.of("Microsoft.Storage/storageAccounts")
        if each.at("properties", "allowSharedKeyAccess") not in (False, "false")
    ]
    for name, text in infra.texts.items():
        if name != "modules/audit.bicep" and re.search(r"audit\.outputs\.(?!id\b|tableEndpoint\b)\w+", text):
            wrong.append(f"{name} takes more of the audit module than its address")
        if name not in ("modules/audit.bicep", "main.bicep") and f"{GRANT}@" in text and "auditId" in text:
            wrong.append(f"{name} knows the audit account and grants roles")
    return wrong


@pytest.mark.requirement("AB-163")
def test_the_app_may_insert_and_read_audit_rows_and_nobody_more(infra: Infrastructure) -> None:
    assert wider(infra) == []


def _put(file: str, old: str, new: str) -> Callable[[dict[str, str]], None]:
    def change(texts: dict[str, str]) -> None:
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new)

    return change


def _second_grant(texts: dict[str, str]) -> None:
    texts["modules/audit.bicep"] += """
resource more 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
    principalId: appPrincipalId
  }
}
"""


def _grant_on_the_group(texts: dict[str, str]) -> None:
    texts["modules/identity.bicep"] += """
resource more 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(identity.id)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
    principalId: identity.properties.principalId
  }
}
"""


@pytest.mark.parametrize(
    "change",
    [
        _put("modules/audit.bicep", "entities/add/action'", "entities/write'"),
        _put("modules/audit.bicep", "entities/add/action'", "entities/*'"),
        _put(
            "modules/audit.bicep",
            "entities/add/action'",
            "entities/add/action'\n          'Microsoft.Storage/storageAccounts/tableServices/tables/entities/delete'",
        ),
        _put("modules/audit.bicep", "actions: []\n        notActions", "actions: [\n          '*'\n        ]\n        notActions"),
        _put("modules/audit.bicep", "scope: table\n", "scope: account\n"),
        _put(
            "modules/audit.bicep",
            "roleDefinitionId: appender.id",
            "roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')",
        ),
        _put("modules/audit.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
        _put("modules/storage.bicep", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),
        _second_grant,
        _grant_on_the_group,
    ],
    ids=["write", "star", "delete", "manage", "account", "contributor", "keys", "elsewhere", "second", "group"],
)
def test_a_wider_grant_would_be_found(change: Callable[[dict[str, str]], None]) -> None:
    texts = sources()
    change(texts)
    assert wider(read(texts)) != []


def test_every_grant_is_known_and_says_why(infra: Infrastructure) -> None:
    assert granted(infra) == EXPECTED
    for each in infra.of(GRANT):
        description = each.at("properties", "description")
        assert isinstance(description, str) and len(description) > 40 and description.endswith("."), each.symbol


def test_a_grants_name_is_made_of_what_it_grants(infra: Infrastructure) -> None:
    """So that a deployment that is repeated finds it, and two never share one."""
    for each in [*infra.of(GRANT), *infra.of(f"{COSMOS}/sqlRoleAssignments")]:
        parts = each.at("name", "function", "parameters")
        assert each.at("name", "function", "type") == "guid" and len([part for part in parts.values() if part]) == 3, each.symbol


def test_the_app_does_with_documents_what_its_code_calls_and_no_more(infra: Infrastructure) -> None:
    calls = {
        "read_item": f"{ITEMS}/read",
        "create_item": f"{ITEMS}/create",
        "replace_item": f"{ITEMS}/replace",
        "patch_item": f"{ITEMS}/replace",
        "upsert_item": f"{ITEMS}/upsert",
        "delete_item": f"{ITEMS}/delete",
        "query_items": f"{COSMOS}/sqlDatabases/containers/executeQuery",
        "read_all_items": f"{COSMOS}/sqlDatabases/containers/executeQuery",
        "query_items_change_feed": f"{COSMOS}/sqlDatabases/containers/readChangeFeed",
    }
    code = "\n".join(path.read_text() for path in sorted((ROOT / "shared" / "stores").glob("cosmos*.py")))
    assert not re.search(r"execute_item_batch|delete_all_items", code), "say here what it needs"
    needed = {action for call, action in calls.items() if re.search(rf"\b{call}\(", code)} | {f"{COSMOS}/readMetadata"}
    (permission,) = infra.one(f"{COSMOS}/sqlRoleDefinitions").at("properties", "permissions")
    if not any((ROOT / "shared" / "stores").glob("cosmos.py")):
        pytest.skip("the adapter is not in this checkout")
    assert set(permission["dataActions"]) == needed
    (grant,) = infra.of(f"{COSMOS}/sqlRoleAssignments")
    assert accessed(grant.at("properties", "principalId")) == "appPrincipalId"
    assert grant.at("properties", "scope") == "${account.id}/dbs/${layout.database}"


def test_the_code_that_keeps_the_audit_log_calls_nothing_that_the_role_refuses() -> None:
    code = Path(ROOT / "shared" / "stores" / "tables.py").read_text()
    assert set(re.findall(r"_table\.(\w+)", code)) == {"create_table", "close", "create_entity", "get_entity", "query_entities"}
    assert not re.search(r"\.create\(\)", (ROOT / "function_app.py").read_text())

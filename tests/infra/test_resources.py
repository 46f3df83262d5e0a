"""Bicep beside code: what the code uses is what is deployed, and nothing is open that is not meant to be."""

import json
import re
from dataclasses import fields
from functools import reduce
from typing import Any

import pytest
import yaml

from devhost.settings import LARGEST_BODY
from shared.reading import CALL, EVENT
from shared.settings import Settings, read_destination, read_settings, weakened
from shared.stores.tables import TABLE
from tests.infra.bicep_files import FOLDER, ROOT, Infrastructure, accessed, is_name

APP = "modules/app.bicep"
NOT_SET = {  # settings of the code that the deployment leaves alone, each with its reason
    "BILLY_HOME": "where the embedded stores lie",
    "BILLY_COSMOS_KEY": "for an emulator alone",
    "BILLY_TABLES_KEY": "for an emulator alone",
    "BILLY_STRIPE_API_KEY": "lies in Key Vault",
    "BILLY_STRIPE_WEBHOOK_SECRET": "lies in Key Vault",
}
NOT_ON_FLEX = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTSHARE",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
}


@pytest.fixture(scope="session")
def settings(infra: Infrastructure) -> dict[str, Any]:
    return infra.one("Microsoft.Web/sites/config", APP).at("properties")


def true(value: Any) -> bool:
    return value is True or value == "true"


def false(value: Any) -> bool:
    return value is False or value == "false"


def test_the_settings_that_are_set_are_the_settings_that_the_code_reads(settings: dict[str, Any]) -> None:
    known = {f"BILLY_{field.name.upper()}" for field in fields(Settings)}
    given = {name for name in settings if name.startswith("BILLY_")}
    assert given == known - set(NOT_SET)
    assert set(NOT_SET) < known


def test_a_setting_that_no_parameter_gives_is_the_codes_own_default(settings: dict[str, Any]) -> None:
    defaults = Settings()
    own = {name: value for name, value in settings.items() if name.startswith("BILLY_") and isinstance(value, str) and not is_name(value)}
    assert own.pop("BILLY_STORE") == "azure"
    for name, value in own.items():
        default = getattr(defaults, name.removeprefix("BILLY_").lower())
        assert value == (str(default).lower() if isinstance(default, bool) else str(default)), name
    assert len(own) >= 5


def test_what_is_deployed_is_what_the_code_takes_and_opens_no_guard(infra: Infrastructure, settings: dict[str, Any]) -> None:
    """A value that the code refused would be found by the first call, and not by the deployment."""
    given = {name: value for name, value in settings.items() if name.startswith("BILLY_") and isinstance(value, str) and not is_name(value)}
    defaults = {name: each["default"] for name, each in infra.files["main.bicep"]["parameters"].items() if "default" in each}
    assert defaults["allowedOrigins"] == "" and defaults["extraHosts"] == ""
    given |= {"BILLY_SYNC_SCHEDULE": defaults["syncSchedule"], "BILLY_ALLOWED_ORIGINS": defaults["allowedOrigins"]}
    assert weakened(read_settings(given)) == ()
    environment = {"OTEL_TRACES_SAMPLER": settings["OTEL_TRACES_SAMPLER"], "OTEL_TRACES_SAMPLER_ARG": defaults["traceShare"]}
    assert read_destination(environment).share == 1.0


def test_the_schedule_that_is_deployed_is_the_codes_default(infra: Infrastructure) -> None:
    assert infra.files["main.bicep"]["parameters"]["syncSchedule"]["default"] == Settings().sync_schedule


def test_agents_reach_mcp_under_the_apps_own_host_name(settings: dict[str, Any]) -> None:
    """The code's default is localhost alone: without this every call of /mcp would be refused."""
    hosts = settings["BILLY_ALLOWED_HOSTS"]["operator"]["operands"]
    assert accessed(hosts["true_value"]) == "app.properties.defaultHostName"
    assert hosts["false_value"] == "${app.properties.defaultHostName},${extraHosts}"


def test_the_host_reaches_its_storage_as_the_identity_and_no_setting_holds_a_secret(settings: dict[str, Any]) -> None:
    storage = {name: value for name, value in settings.items() if name.startswith("AzureWebJobsStorage")}
    assert storage == {
        "AzureWebJobsStorage__blobServiceUri": "storageBlobEndpoint",
        "AzureWebJobsStorage__queueServiceUri": "storageQueueEndpoint",
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": "identityClientId",
    }
    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == "ClientId=${identityClientId};Authorization=AAD"
    others = set(settings) - set(storage) - {name for name in settings if name.startswith("BILLY_")}
    assert others == {
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
        "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
    }


@pytest.mark.requirement("SC-5")
def test_the_host_refuses_what_is_larger_than_any_route_takes_before_it_reads_it(settings: dict[str, Any]) -> None:
    """By itself it reads 100 MiB of anybody. The same bytes on a laptop, whichever host serves the app there."""
    limit = settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"]
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    assert limit == str(LARGEST_BODY) == sample["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] == "4194304"
    assert max(CALL.size, EVENT.size) < int(limit)


def test_the_share_of_traces_that_is_kept_is_a_parameter_and_by_itself_the_whole(infra: Infrastructure, settings: dict[str, Any]) -> None:
    """By ids of ours: a caller must not be able to keep himself out of the traces."""
    assert (settings["OTEL_TRACES_SAMPLER"], settings["OTEL_TRACES_SAMPLER_ARG"]) == ("traceidratio", "traceShare")
    assert infra.files["main.bicep"]["parameters"]["traceShare"]["default"] == "1"


def test_the_exporter_tells_nobody_but_the_accounts_own_application_insights(settings: dict[str, Any]) -> None:
    """By itself it also reports on itself to its maker, and asks its maker how to behave."""
    assert settings["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] == settings["APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED"] == "true"


def test_every_binding_uses_the_connection_that_is_configured() -> None:
    code = "\n".join(path.read_text() for path in sorted((ROOT / "functions").glob("*.py")))
    assert set(re.findall(r'connection="(\w+)"', code)) == {"AzureWebJobsStorage"}


def test_the_queues_and_their_poison_queues_are_the_codes(infra: Infrastructure) -> None:
    code = "\n".join(path.read_text() for path in sorted((ROOT / "functions").glob("*.py")))
    used = set(re.findall(r'^QUEUE = "([\w-]+)"', code, re.M))
    used |= set(re.findall(r'wakes="([\w-]+)"', "\n".join(path.read_text() for path in (ROOT / "shared" / "operations").glob("*.py"))))
    assert used == {"stripe-events", "billy-sync"}
    deployed = infra.variable("modules/storage.bicep", "queueNames")
    assert sorted(deployed) == sorted([*used, *(f"{name}-poison" for name in used)])


def test_the_audit_table_is_the_codes_and_the_only_table(infra: Infrastructure) -> None:
    assert [each.at("name") for each in infra.of("Microsoft.Storage/storageAccounts/tableServices/tables")] == [TABLE]


def test_the_containers_come_from_the_codes_own_layout(infra: Infrastructure) -> None:
    layout = json.loads((FOLDER / "cosmos-layout.json").read_text())
    assert infra.variable("modules/cosmos.bicep", "layout")["function"]["parameters"]["file_path"] == "../cosmos-layout.json"
    containers = infra.one("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    body = json.dumps(containers.at("properties"))
    taken = set(re.findall(r"container\.(\w+)", infra.texts["modules/cosmos.bicep"]))
    for container in layout["containers"]:
        assert set(container) == taken, "every fact of the layout is deployed"
    assert "indexingPolicy" in body and "partitionKey" in body
    assert set(layout) - {"containers"} == set(re.findall(r"\blayout\.(?!json)(\w+)", infra.texts["modules/cosmos.bicep"])) - {"containers"}


def test_the_account_takes_identities_alone_and_can_be_put_back_to_any_second(infra: Infrastructure) -> None:
    account = infra.one("Microsoft.DocumentDB/databaseAccounts")
    assert true(account.at("properties", "disableLocalAuth")) and true(account.at("properties", "disableKeyBasedMetadataWriteAccess"))
    assert account.at("properties", "backupPolicy", "type") == "Continuous"
    assert infra.files["main.bicep"]["parameters"]["cosmosCapacity"]["default"] == "serverless"


def test_the_vault_takes_roles_alone_and_forgets_nothing_early(infra: Infrastructure) -> None:
    vault = infra.one("Microsoft.KeyVault/vaults").at("properties")
    assert all(true(vault[name]) for name in ("enableRbacAuthorization", "enableSoftDelete", "enablePurgeProtection"))
    assert int(vault["softDeleteRetentionInDays"]) == 90 and "accessPolicies" not in vault


@pytest.mark.parametrize("file", ["modules/storage.bicep", "modules/audit.bicep"])
def test_storage_takes_no_keys_no_strangers_and_no_old_tls(infra: Infrastructure, file: str) -> None:
    account = infra.one("Microsoft.Storage/storageAccounts", file).at("properties")
    assert all(false(account[name]) for name in ("allowSharedKeyAccess", "allowBlobPublicAccess", "allowCrossTenantReplication"))
    assert true(account["supportsHttpsTrafficOnly"]) and account["minimumTlsVersion"] == "TLS1_2"


def test_telemetry_is_sent_as_the_identity(infra: Infrastructure) -> None:
    assert true(infra.one("Microsoft.Insights/components").at("properties", "DisableLocalAuth"))
    assert json.loads((ROOT / "host.json").read_text())["telemetryMode"] == "OpenTelemetry"


@pytest.mark.requirement("SC-62")
def test_the_app_answers_over_tls_alone_and_takes_no_passwords(infra: Infrastructure) -> None:
    app = infra.one("Microsoft.Web/sites").at("properties")
    assert true(app["httpsOnly"]) and app["siteConfig"]["minTlsVersion"] == "1.2" and app["siteConfig"]["ftpsState"] == "Disabled"
    assert "cors" not in app["siteConfig"]
    policies = infra.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {each.at("name") for each in policies} == {"ftp", "scm"}
    assert all(false(each.at("properties", "allow")) for each in policies)


def test_only_the_app_is_public_when_the_network_is_private(infra: Infrastructure) -> None:
    open_to_all = {
        (each.file, str(each.at("properties", "publicNetworkAccess")))
        for each in infra.resources
        if isinstance(each.at("properties"), dict) and not isinstance(each.at("properties", "publicNetworkAccess"), dict)
        if each.at("properties", "publicNetworkAccess") is not None
    }
    assert open_to_all == {(APP, "Enabled")}, "Stripe and agents call the app; the rest has a switch"
    for name in ("storage", "audit", "cosmos", "vault"):
        given = infra.modules()[name][1]["params"]["public"]
        assert given["operator"]["type"] == "not" and "privateNetwork" in json.dumps(given), name
        assert infra.texts[f"modules/{name}.bicep"].count("publicNetworkAccess: public ? 'Enabled' : 'Disabled'") == 1
    addresses = {"blob", "queue", "table", "Sql", "vault"}
    assert {each["part"] for each in infra.variable("modules/endpoints.bicep", "targets")} == addresses


def test_the_plan_is_flex_with_the_python_that_is_tested_and_an_explicit_concurrency(
    infra: Infrastructure, settings: dict[str, Any]
) -> None:
    assert infra.one("Microsoft.Web/serverfarms").at("sku", "name") == "FC1"
    app = infra.one("Microsoft.Web/sites")
    runtime = app.at("properties", "functionAppConfig", "runtime")
    assert (runtime["name"], runtime["version"]) == ("python", (ROOT / ".python-version").read_text().strip())
    triggers = app.at("properties", "functionAppConfig", "scaleAndConcurrency", "triggers")
    assert accessed(triggers["http"]["perInstanceConcurrency"]) == "httpConcurrency"
    assert set(settings) & NOT_ON_FLEX == set()
    assert "linuxFxVersion" not in infra.texts[APP] and "alwaysOn" not in infra.texts[APP]


def test_the_package_is_fetched_as_the_identity_from_a_private_container(infra: Infrastructure) -> None:
    storage = infra.one("Microsoft.Web/sites").at("properties", "functionAppConfig", "deployment", "storage")
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert [each.at("properties", "publicAccess") for each in infra.of("Microsoft.Storage/storageAccounts/blobServices/containers")] == [
        "None"
    ]


def test_azd_deploys_the_service_that_the_app_is_tagged_with(infra: Infrastructure) -> None:
    document = yaml.safe_load((ROOT / "azure.yaml").read_text())
    (service,) = document["services"]
    assert f"'azd-service-name': '{service}'" in infra.texts[APP]
    assert (ROOT / document["infra"]["path"] / f"{document['infra']['module']}.bicep").exists()
    assert document["services"][service] == {"project": ".", "language": "py", "host": "function"}


def test_every_alert_listens_for_something_that_is_said(infra: Infrastructure) -> None:
    rules = {rule["name"]: rule for rule in infra.variable("modules/alerts.bicep", "rules")}
    from shared.operations.alarms import ATTEMPTS_UNSETTLED, DIGESTS_MISSING, KEYS_OLDER, MIRROR_OLD, SYNC_FAILING
    from shared.road.settling import FAILED_LATER, NEEDS_PERSON
    from shared.road.shown import DISAGREES

    lines = {
        "mirror-age": {MIRROR_OLD},
        "sync-failing": {SYNC_FAILING},
        "unknown-attempts": {ATTEMPTS_UNSETTLED},
        "needs-a-person": {NEEDS_PERSON, FAILED_LATER},
        "money-disagrees": {DISAGREES},
        "keys-older": {KEYS_OLDER},
        "digests-missing": {DIGESTS_MISSING},
    }
    assert set(rules) == {"poison-messages", "audit-touched", *lines}
    for name, said in lines.items():
        assert rules[name]["query"].startswith("AppTraces | where Message contains ")
        assert set(re.findall(r'"([^"]+)"', rules[name]["query"])) == said
    sent = {
        (each.file, log["category"]) for each in infra.of("Microsoft.Insights/diagnosticSettings") for log in each.at("properties", "logs")
    }
    assert ("modules/storage.bicep", "StorageWrite") in sent and "StorageQueueLogs" in rules["poison-messages"]["query"]
    assert {("modules/audit.bicep", "StorageWrite"), ("modules/audit.bicep", "StorageDelete")} <= sent
    assert "StorageTableLogs" in rules["audit-touched"]["query"] and "InsertEntity" not in rules["audit-touched"]["query"].replace('"', "")


def test_live_money_is_kept_longer_and_cannot_be_deleted_with_its_group(infra: Infrastructure) -> None:
    locks = {(each.file, each.at("properties", "level")) for each in infra.of("Microsoft.Authorization/locks")}
    assert locks == {("modules/audit.bicep", "CanNotDelete"), ("modules/cosmos.bicep", "CanNotDelete")}
    assert "var protected = stripeMode == 'live'" in infra.texts["main.bicep"]
    tier = reduce(
        lambda value, step: value[step],
        ("backupPolicy", "continuousModeProperties", "tier"),
        infra.one("Microsoft.DocumentDB/databaseAccounts").at("properties"),
    )
    assert tier["operator"]["operands"]["true_value"] == "Continuous30Days"


@pytest.mark.requirement("AB-161")
def test_a_deployment_shares_nothing_with_another(infra: Infrastructure) -> None:
    """One company, one deployment: its own group, names of its own, and nothing that was there before."""
    assert infra.one("Microsoft.Resources/resourceGroups").at("name") == "rg-${name}"
    assert "var token = toLower(uniqueString(subscription().id, name, location))" in infra.texts["main.bicep"]
    for symbol, (_, body) in infra.modules().items():
        assert accessed(body["scope"]) == "group", symbol
        assert "token" in json.dumps(body["params"], default=str), symbol
    existing = [symbol for parsed in infra.files.values() for symbol, each in parsed.get("resources", {}).items() if each["existing"]]
    assert existing == []

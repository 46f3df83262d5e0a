"""One bad setting never takes the app away: everything is indexed, every call says that it cannot be served, and health says what to mend."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.settings import READERS
from tests.edge.devhost_process import NEVER, RunningHost, running_host, wait_until
from tests.edge.running_system import ROOT

pytestmark = pytest.mark.slow

# A value for each setting that is none of it.
NONSENSE = {
    "store": "cosmos-canary4711",
    "home": '"canary4711"',
    "identity_client_id": "canary4711",
    "cosmos_endpoint": "https://canary4711 x",
    "cosmos_key": "canary4711 canary4711",
    "tables_endpoint": "http://canary4711.example",
    "tables_key": "canary4711 canary4711",
    "queues_endpoint": "ftp://canary4711",
    "key_vault_url": "https://canary4711/secrets",
    "stripe_api_base": "http://canary4711.example:80",
    "stripe_api_key": "rk_test_canary4711 whsec_canary4711",
    "stripe_webhook_secret": "'whsec_canary4711'",
    "allow_secret_key": "canary4711",
    "allowed_hosts": "*.canary4711",
    "allowed_origins": "null,https://canary4711",
    "trusted_proxies": "azure,0.0.0.0/0",
    "webhook_tolerance": "²4711",
    "sync_schedule": "every canary4711 hours",
    "sync_concurrency": "canary4711",
    "sync_requests_per_second": "99999999999canary4711",
}
ASKED = [
    ("GET", "/api/stats"),
    ("GET", "/api/tools"),
    ("GET", "/api/openapi.json"),
    ("POST", "/api/refunds"),
    ("POST", "/mcp"),
    ("POST", "/webhooks/stripe"),
]


def lines(host: RunningHost) -> list[dict[str, Any]]:
    return [json.loads(line) for line in host.log.splitlines()]


def ask(host: RunningHost) -> list[Any]:
    answers = []
    for method, path in ASKED:
        answer = host.client.request(method, path, json={} if method == "POST" else None)
        assert answer.status_code == 503 and answer.headers["x-correlation-id"], path
        answers.append(answer.json())
    return answers


def test_every_setting_is_tried() -> None:
    assert set(NONSENSE) == set(READERS)


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize("name", NONSENSE)
def test_with_a_bad_setting_the_app_stands_and_health_names_it(name: str, tmp_path: Path) -> None:
    variable = f"BILLY_{name.upper()}"
    with running_host(tmp_path, app=ROOT, **{"BILLY_HOME": str(tmp_path / "billy"), variable: NONSENSE[name]}) as host:
        health = host.client.get("/api/health")
        assert health.status_code == 503
        assert health.json()["ready"] is False
        assert health.json()["wrong"] == [{"name": variable, "takes": READERS[name].takes}]
        answers = [*ask(host), *ask(host)]
        assert {json.dumps(answer, sort_keys=True) for answer in answers} == {json.dumps(answers[0], sort_keys=True)}, (
            "the same words everywhere"
        )
        assert answers[0]["code"] == "unavailable" and "health" in answers[0]["next"]
        said = [line for line in lines(host) if variable in json.dumps(line)]
        assert [line["event"] for line in said] == ["billy.settings_wrong"], "once in a process"
        assert "canary4711" not in host.log + health.text + json.dumps(answers) and "4711" not in json.dumps(said)
        assert not [line for line in lines(host) if line.get("event") in ("billy.crash", "billy.invocation_failed")]


def test_what_opens_a_guard_stands_in_the_first_line_and_in_health(tmp_path: Path) -> None:
    opened = {"BILLY_ALLOW_SECRET_KEY": "true", "BILLY_WEBHOOK_TOLERANCE": "600", "BILLY_ALLOWED_ORIGINS": "https://desk.example"}
    with running_host(tmp_path, app=ROOT, BILLY_HOME=str(tmp_path / "billy"), BILLY_SYNC_SCHEDULE=NEVER, **opened) as host:
        health = host.client.get("/api/health")
        assert health.status_code == 200
        assert {each["name"] for each in health.json()["weakened"]} == set(opened) and "desk.example" not in health.text
        assert host.client.get("/api/health").status_code == 200
        (line,) = [line for line in lines(host) if line.get("event") == "billy.started"]
        assert (line["level"], set(line["weakened"].split(", "))) == ("warning", set(opened))


@pytest.mark.requirement("SC-90")
def test_a_store_that_is_led_nowhere_is_told_by_what_is_missing(tmp_path: Path) -> None:
    with running_host(tmp_path, app=ROOT, BILLY_STORE="Azure", BILLY_HOME=str(tmp_path / "billy")) as host:
        health = host.client.get("/api/health")
        assert health.status_code == 503 and not health.json()["ready"]
        assert "BILLY_STORE" in health.json()["detail"] and "BILLY_COSMOS_ENDPOINT" in health.json()["next"]
        assert {answer["code"] for answer in ask(host)} == {"unavailable"}


@pytest.mark.requirement("SC-90", "SC-58")
@pytest.mark.parametrize("name", ["stripe-api-key", "stripe-webhook-secrets", "first-owner-key"])
def test_a_secret_that_is_not_what_is_needed_is_named_by_health_and_the_rest_goes_on(name: str, tmp_path: Path) -> None:
    home = tmp_path / "billy"
    home.mkdir(mode=0o700)
    (home / "secrets.json").touch(0o600)
    (home / "secrets.json").write_text(json.dumps({name: '"canary4711"'}))
    with running_host(tmp_path, app=ROOT, BILLY_HOME=str(home)) as host:
        health = host.client.get("/api/health")
        assert health.status_code == 503
        assert [each["name"] for each in health.json()["wrong"]] == [name] and "canary4711" not in health.text
        assert host.client.get("/api/stats").json()["code"] == "unauthenticated"
        (home / "secrets.json").write_text(json.dumps({name: {"first-owner-key": "billy_" + "q" * 44}.get(name, "\ufeffwhsec_abc\n")}))
        if name != "stripe-api-key":
            wait_until(lambda: host.client.get("/api/health").status_code == 200, "mended without a restart")

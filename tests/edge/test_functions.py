"""The app as the real worker library indexes it, beside the catalogue and host.json."""

import json
import subprocess
import sys

import pytest

from shared.road.catalogue import OPERATIONS
from tests.edge.running_system import ROOT

OTHERS = {  # functions that are no operation, with their routes
    "list_tools": "api/tools",
    "get_openapi": "api/openapi.json",
    "get_health": "api/health",
    "mcp": "mcp",
    "preflight": "api/{*path}",
    "stripe_webhook": "webhooks/stripe",
}


@pytest.fixture(scope="module")
def functions() -> dict[str, dict]:
    printed = subprocess.run(
        [sys.executable, "-m", "devhost", "--app", str(ROOT), "--index"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {function["name"]: function for function in json.loads(printed.stdout)}


@pytest.mark.requirement("SC-62")
def test_the_anonymous_routes_are_the_catalogue_and_the_listed_others(functions: dict[str, dict]) -> None:
    expected = {operation.name: operation.path.lstrip("/") for operation in OPERATIONS} | OTHERS
    routes = {name: function["route"] for name, function in functions.items() if function["trigger"] == "http"}
    assert routes == expected


def test_every_operation_answers_to_its_own_verb_alone(functions: dict[str, dict]) -> None:
    for operation in OPERATIONS:
        assert [method.upper() for method in functions[operation.name]["methods"]] == [operation.verb]


def test_every_queue_and_timer_is_known(functions: dict[str, dict]) -> None:
    queues = {name: function["queue"] for name, function in functions.items() if function["trigger"] == "queue"}
    timers = {name for name, function in functions.items() if function["trigger"] == "timer"}
    assert queues == {"apply_stripe_event": "stripe-events", "run_sync": "billy-sync"}
    assert timers == {"adopt_first_key", "raise_alarms", "repair_mirror", "settle_attempts", "sync_timer", "sync_watch"}


def test_no_route_begins_with_what_the_host_keeps_for_itself(functions: dict[str, dict]) -> None:
    assert [f["route"] for f in functions.values() if f["trigger"] == "http" and f["route"].startswith(("admin", "runtime"))] == []


def test_the_route_prefix_is_empty_and_failed_messages_end_as_poison() -> None:
    host = json.loads((ROOT / "host.json").read_text())["extensions"]
    assert host["http"]["routePrefix"] == ""
    assert host["queues"]["maxDequeueCount"] >= 5

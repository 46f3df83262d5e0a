"""What finds evidence is drawn by us: a caller's trace is kept beside the id of each request, and decides nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.edge.running_system import System, running_system

pytestmark = pytest.mark.slow

VICTIM = "0123456789abcdef0123456789abcdef"
TRACEPARENTS = [
    f"00-{VICTIM}-00f067aa0ba902b7-00",
    "00-0000000000000001ffffffffffffffff-00f067aa0ba902b7-01",
    "00-aaaaaaaaaaaaaaaa0000000000000001-00f067aa0ba902b7-01",
]
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25", "content-type": "application/json"}
TOOL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "billy_list_customers", "arguments": {}}}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("traced") / ".billy", scale="0.02") as running:
        yield running


def rows(system: System, **where: str) -> list[dict[str, Any]]:
    return system.api("GET", "/api/audit", params=where).json()["data"]


@pytest.mark.requirement("SC-110")
@pytest.mark.parametrize("traceparent", TRACEPARENTS)
def test_every_request_has_an_id_of_ours_and_the_callers_stands_beside_it(system: System, traceparent: str) -> None:
    reader = system.api("POST", "/api/keys", json={"name": f"reader {traceparent[3:9]}", "role": "read_only"}).json()["result"]["key"]
    sent = {"traceparent": traceparent}
    answers: list[httpx.Response] = []
    for _ in range(2):
        answers += [
            system.api("GET", "/api/stats", key="none", headers=sent),
            system.api("GET", "/api/stats", key=reader, headers=sent),
            system.api("POST", "/api/refunds", key=reader, headers=sent, json={"charge": "ch_1"}),
            system.api("POST", "/mcp", key=reader, headers=HEADERS | sent, content=json.dumps(TOOL)),
            system.api("POST", "/mcp", key="none", headers=HEADERS | sent, content=json.dumps(TOOL)),
            system.api("POST", "/webhooks/stripe", headers=sent, content=b"{}"),
        ]
    ids = [answer.headers["x-correlation-id"] for answer in answers]
    given = traceparent[3:35]
    assert len({*ids, given}) == len(ids) + 1, "two calls never share one, and none has the caller's"
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)
    for answer, id in zip(answers, ids, strict=True):
        (row,) = rows(system, correlation_id=id)
        assert (row["correlation_id"], row["parent"]) == (id, given), answer.request.url
    assert rows(system, correlation_id=given) == [], "who sends somebody's id puts nothing under it"


def test_somebody_elses_id_leads_to_their_rows_alone(system: System) -> None:
    victim = system.api("GET", "/api/stats").headers["x-correlation-id"]
    before = rows(system, correlation_id=victim)
    for key in (None, "none"):
        system.api("GET", "/api/stats", key=key, headers={"traceparent": f"00-{victim}-00f067aa0ba902b7-01"})
    assert [row["operation"] for row in before] == ["get_stats"] and rows(system, correlation_id=victim) == before
    assert before[0]["parent"] != victim, "where a caller sends none, the host's own trace is the parent"


@pytest.mark.parametrize(
    "nonsense", ["", "x", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", f"00-{VICTIM.upper()}-00f067aa0ba902b7-01", "\u00ff" * 400]
)
def test_what_is_no_trace_is_kept_nowhere_and_turns_nobody_away(system: System, nonsense: str) -> None:
    answer = system.api("GET", "/api/stats", headers={"traceparent": nonsense.encode("latin-1")})
    assert answer.status_code == 200
    (row,) = rows(system, correlation_id=answer.headers["x-correlation-id"])
    assert re.fullmatch("[0-9a-f]{32}", row["parent"]) and row["parent"] not in (VICTIM, "0" * 32, row["correlation_id"])

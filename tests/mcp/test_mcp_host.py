"""The /mcp function itself, as the host serves it."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.edge.devhost_process import ROOT
from tests.mcp.asking import LEGACY, message
from tests.surfaces.running import RunningBilly, running_billy

LIST = json.dumps(message(LEGACY, "tools/list")).encode()
JSON = {"Content-Type": "application/json", "Accept": "application/json"}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mcp-host")]


@pytest.mark.requirement("SC-4")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD"])
def test_the_host_answers_405_at_once_to_what_is_not_a_post(billy: RunningBilly, method: str) -> None:
    began = time.monotonic()
    reply = billy.client.request(method, "/mcp", headers={"Accept": "text/event-stream"})
    assert (reply.status_code, reply.headers["allow"], reply.content) == (405, "POST", b"")
    assert time.monotonic() - began < 2


@pytest.mark.requirement("SC-1", "SC-16")
@pytest.mark.parametrize("token", ["rk_live_51Abc", "eyJhbGciOiJub25lIn0.e30.", "billy_" + "A" * 43])
def test_somebody_elses_token_gets_401(billy: RunningBilly, token: str) -> None:
    reply = billy.client.post("/mcp", content=LIST, headers=JSON | {"Authorization": f"Bearer {token}"})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert token not in reply.text


@pytest.mark.requirement("SC-2", "SC-3")
def test_host_and_origin_are_checked_each_alone(billy: RunningBilly) -> None:
    key = billy.bearer("owner")
    assert billy.client.post("/mcp", content=LIST, headers=JSON | key | {"Host": "evil.example"}).status_code == 403
    assert billy.client.post("/mcp", content=LIST, headers=JSON | key | {"Origin": "https://evil.example"}).status_code == 403
    assert billy.client.post("/mcp", content=LIST, headers=JSON | key).status_code == 200


@pytest.mark.requirement("SC-5")
def test_a_body_of_five_megabytes_gets_413(billy: RunningBilly) -> None:
    reply = billy.client.post("/mcp", content=b" " * 1_000_000, headers=JSON | billy.bearer("owner"))
    assert reply.status_code == 413


@pytest.mark.requirement("SC-10")
def test_a_key_in_the_address_gets_401(billy: RunningBilly) -> None:
    reply = billy.client.post(f"/mcp?token={billy.keys['owner']}", content=LIST, headers=JSON | billy.bearer("owner"))
    assert reply.status_code == 401


@pytest.mark.requirement("SC-7")
def test_a_routing_header_that_comes_twice_is_refused(billy: RunningBilly) -> None:
    call = json.dumps(message("2026-07-28", "tools/call", {"name": "billy_get_charge", "arguments": {"id": "ch_001"}}))
    headers = [
        *(JSON | billy.bearer("owner")).items(),
        ("Mcp-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "billy_get_charge"),
        ("Mcp-Name", "billy_get_charge"),
    ]
    reply = billy.client.post("/mcp", content=call, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, -32020)


@pytest.mark.requirement("SC-48")
def test_requests_that_are_turned_away_are_counted_in_the_audit(billy: RunningBilly) -> None:
    before = len(billy.audit())
    key = billy.bearer("owner")
    billy.client.post("/mcp", content=LIST, headers=JSON)
    billy.client.post("/mcp", content=LIST, headers=JSON | key | {"Host": "evil.example"})
    billy.client.post("/mcp", content=b"[]", headers=JSON | key)
    billy.client.post("/mcp", content=b" " * 1_000_000, headers=JSON | key)
    rows = billy.audit()[before:]
    assert [row["code"] for row in rows] == ["unauthenticated", "not_allowed", "invalid_request", "too_large"]
    assert {row["surface"] for row in rows} == {"mcp"}


def test_a_filter_in_the_address_reaches_the_list(billy: RunningBilly) -> None:
    reply = billy.client.post("/mcp?tags[0]=refunds&methods[0]=read", content=LIST, headers=JSON | billy.bearer("owner"))
    assert [tool["name"] for tool in reply.json()["result"]["tools"]] == ["billy_list_refunds", "billy_get_refund"]


def test_the_first_requests_may_come_all_at_once(tmp_path: Path) -> None:
    with running_billy(tmp_path) as billy, ThreadPoolExecutor(24) as crowd:
        roles = ["owner", "read_only"] * 12

        def ask(role: str) -> list[str]:
            reply = httpx.post(f"{billy.url}/mcp", content=LIST, headers=JSON | billy.bearer(role), timeout=30)
            return [tool["name"] for tool in reply.json()["result"]["tools"]]

        answers = list(crowd.map(ask, roles))
    for role, names in zip(roles, answers, strict=True):
        assert ("billy_create_refund" in names) is (role == "owner")


def test_the_protocol_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, function_app; print([name for name in ('mcp', 'mcp_types', 'stripe', 'starlette') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

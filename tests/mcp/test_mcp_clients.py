"""Other people's clients call real tools over the running host. They check every answer against its published schema themselves."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from shared.road.catalogue import OPERATIONS
from tests.peers.node import HOME, node_bin, node_env, node_modules
from tests.surfaces.running import RunningBilly

CORE = [operation.tool for operation in OPERATIONS if "core" in operation.tags]
READING = [operation.tool for operation in OPERATIONS if "core" in operation.tags and not operation.writes]
CLIENTS = Path(__file__).parent / "clients"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mcp-host")]


@pytest.mark.requirement("TB-013", "AB-110")
@pytest.mark.parametrize("mode, version", [("auto", "2026-07-28"), ("2026-07-28", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_the_python_client_of_either_generation_calls_tools(billy: RunningBilly, mode: Any, version: str) -> None:
    http = httpx2.AsyncClient(headers=billy.bearer("read_only"))
    async with http, Client(streamable_http_client(f"{billy.url}/mcp", http_client=http), mode=mode) as client:
        assert client.protocol_version == version
        assert [tool.name for tool in (await client.list_tools()).tools] == READING
        charge = await client.call_tool("billy_get_charge", {"id": "ch_001"})
        assert charge.structured_content is not None and charge.structured_content["amount"] == 1001
        stats = await client.call_tool("billy_get_stats", {})
        assert stats.is_error is False
        refused = await client.call_tool("billy_get_charge", {"id": "nonsense"})
        assert refused.is_error is True
        with pytest.raises(MCPError) as caught:
            await client.call_tool("billy_create_refund", {"charge": "ch_001"})
        assert caught.value.code == -32602


def run(script: str, *arguments: str) -> dict[str, Any]:
    """Runs a client's script with the packages of the peers in reach; what it printed."""
    node_modules()
    command = [str(node_bin()), "--input-type=module", "-", *arguments]
    text = (CLIENTS / script).read_text()
    done = subprocess.run(command, input=text, cwd=HOME, env=node_env(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "script, mode, version",
    [
        ("first_generation.mjs", "", "2025-11-25"),
        ("second_generation.mjs", "auto", "2026-07-28"),
        ("second_generation.mjs", "default", "2025-11-25"),
    ],
)
def test_the_typescript_clients_call_tools_and_accept_every_answer(billy: RunningBilly, script: str, mode: str, version: str) -> None:
    said = run(script, f"{billy.url}/mcp", billy.keys["owner"], mode)
    assert said["version"] == version
    assert said["tools"] == CORE
    assert said["charge"]["structuredContent"]["amount"] == 1001
    assert said["list"]["structuredContent"]["total"] == 130
    assert said["stats"]["structuredContent"]["active_subscriptions"] == 1
    assert said["refused"]["isError"] is True
    assert said["refused"]["structuredContent"]["code"] == "invalid_request"
    assert said["unknown"] == -32602


def inspector(billy: RunningBilly, era: str, role: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = node_modules() / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
    address = ["--cli", "--transport", "http", "--server-url", f"{billy.url}/mcp", "--protocol-era", era]
    header = ["--header", f"Authorization: Bearer {billy.keys[role]}"]
    command = [str(node_bin()), str(launcher), *address, *header, *arguments]
    return subprocess.run(command, capture_output=True, env=node_env(), text=True, timeout=60, check=False)


@pytest.mark.parametrize("era", ["legacy", "modern", "auto"])
def test_the_inspector_lists_and_calls_tools(billy: RunningBilly, era: str) -> None:
    listed = inspector(billy, era, "read_only", "--method", "tools/list")
    assert listed.returncode == 0, listed.stderr
    assert [tool["name"] for tool in json.loads(listed.stdout)["tools"]] == READING
    called = inspector(billy, era, "read_only", "--method", "tools/call", "--tool-name", "billy_get_charge", "--tool-arg", "id=ch_001")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["structuredContent"]["amount"] == 1001


def test_the_inspector_tells_a_refusal_from_an_answer(billy: RunningBilly) -> None:
    refused = inspector(
        billy, "auto", "read_only", "--method", "tools/call", "--tool-name", "billy_get_charge", "--tool-arg", "id=nonsense"
    )
    unknown = inspector(billy, "auto", "read_only", "--method", "tools/call", "--tool-name", "billy_create_refund")
    assert (refused.returncode, unknown.returncode) == (5, 5)

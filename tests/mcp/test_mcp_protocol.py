"""Both protocol generations at one address, without sessions."""

import json

import pytest

from tests.mcp.asking import LEGACY, MODERN, Asker, message, routing

READ = "billy_get_charge"
ARGUMENTS = {"id": "ch_001"}


async def test_a_client_of_the_handshake_is_welcomed_without_a_session(asker: Asker) -> None:
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    reply = await asker.ask(LEGACY, "initialize", params)
    assert reply.result["protocolVersion"] == LEGACY
    assert reply.result["serverInfo"]["name"] == "agent-billy"
    assert "untrusted" in reply.result["instructions"]
    assert "mcp-session-id" not in reply.headers


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_older_revision_is_spoken_as_it_asks(asker: Asker, version: str) -> None:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    assert (await asker.ask(version, "initialize", params)).result["protocolVersion"] == version
    called = (await asker.call(version, READ, ARGUMENTS)).result
    assert json.loads(called["content"][0]["text"])["id"] == "ch_001"
    refused = (await asker.call(version, READ, {"id": "nonsense"})).result
    assert refused["isError"] is True
    assert json.loads(refused["content"][0]["text"])["code"] == "invalid_request"


async def test_a_client_without_a_handshake_discovers_the_server(asker: Asker) -> None:
    reply = await asker.ask(MODERN, "server/discover")
    assert MODERN in reply.result["supportedVersions"]
    assert reply.result["capabilities"] == {"tools": {"listChanged": False}} or "tools" in reply.result["capabilities"]
    assert reply.result["cacheScope"] == "private"


@pytest.mark.requirement("TB-013")
async def test_a_call_answers_the_same_object_as_structure_and_as_text(asker: Asker, generation: str) -> None:
    result = (await asker.call(generation, READ, ARGUMENTS)).result
    assert result.get("isError", False) is False
    assert result["structuredContent"]["id"] == "ch_001"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert len(result["content"]) == 1


async def test_null_values_of_an_answer_survive_the_protocol(asker: Asker, generation: str) -> None:
    content = (await asker.call(generation, READ, ARGUMENTS)).result["structuredContent"]
    assert content["failure_code"] is None


async def test_a_notification_is_accepted_and_has_no_answer(asker: Asker, generation: str) -> None:
    notification = message(generation, "notifications/initialized")
    del notification["id"]
    headers = {name.replace("-", "_"): value for name, value in routing(generation, "notifications/initialized").items()}
    reply = await asker.post(json.dumps(notification).encode(), **headers)
    assert reply.status == 202


async def test_a_tool_call_without_an_id_runs_nothing_and_leaves_a_row(asker: Asker, generation: str) -> None:
    call = message(generation, "tools/call", {"name": READ, "arguments": ARGUMENTS})
    del call["id"]
    headers = {name.replace("-", "_"): value for name, value in routing(generation, "tools/call", READ).items()}
    reply = await asker.post(json.dumps(call).encode(), **headers)
    assert reply.status == 202
    assert [(row["operation"], row["decision"]) for row in await asker.company.audit()] == [("unknown", "refused")]


@pytest.mark.requirement("SC-7")
@pytest.mark.parametrize(
    "headers",
    [
        {"mcp_name": "billy_list_charges"},
        {"mcp_name": None},
        {"mcp_name": f"{READ}, {READ}"},
        {"mcp_method": "tools/list"},
        {"mcp_method": None},
        {"mcp_method": "tools/call, tools/call"},
    ],
)
async def test_headers_that_contradict_the_body_are_refused_and_no_tool_runs(asker: Asker, headers: dict[str, str | None]) -> None:
    reply = await asker.call(MODERN, READ, ARGUMENTS, **headers)
    assert (reply.status, reply.error["code"]) == (400, -32020)
    assert [(row["operation"], row["decision"]) for row in await asker.company.audit()] == [("unknown", "refused")]


@pytest.mark.requirement("SC-7")
async def test_a_version_in_the_header_that_is_not_the_bodys_is_refused(asker: Asker) -> None:
    call = message(MODERN, "tools/call", {"name": READ, "arguments": ARGUMENTS})
    call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2027-01-01"
    reply = await asker.post(json.dumps(call).encode(), mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=READ)
    assert (reply.status, reply.error["code"]) == (400, -32020)


@pytest.mark.requirement("SC-8")
async def test_an_unknown_version_is_refused_with_the_list_of_known_ones(asker: Asker) -> None:
    call = message(MODERN, "tools/list")
    call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2031-01-01"
    reply = await asker.post(json.dumps(call).encode(), mcp_protocol_version="2031-01-01", mcp_method="tools/list")
    assert (reply.status, reply.error["code"]) == (400, -32022)
    assert MODERN in reply.error["data"]["supported"]
    assert [row["decision"] for row in await asker.company.audit()] == ["refused"]


@pytest.mark.requirement("SC-9")
async def test_a_session_id_of_somebody_else_has_no_effect(asker: Asker, generation: str) -> None:
    with_session = await asker.call(generation, READ, ARGUMENTS, role="read_only", mcp_session_id="session-of-the-owner")
    without = await asker.call(generation, READ, ARGUMENTS, role="read_only")
    assert with_session.body == without.body
    assert "mcp-session-id" not in with_session.headers
    forbidden = await asker.call(generation, "billy_create_refund", {"charge": "ch_001"}, role="read_only", mcp_session_id="x")
    assert forbidden.error["code"] == -32602


async def test_an_unknown_method_is_not_found(asker: Asker, generation: str) -> None:
    reply = await asker.ask(generation, "resources/list")
    assert reply.error["code"] == -32601


async def test_the_client_is_named_in_the_audit_as_it_names_itself(asker: Asker) -> None:
    await asker.call(MODERN, READ, ARGUMENTS)
    await asker.call(LEGACY, READ, ARGUMENTS)
    assert [(row["client"], row["address"], row["surface"]) for row in await asker.company.audit()] == [
        ("asker 1.0", "203.0.113.9", "mcp"),
        ("asker", "203.0.113.9", "mcp"),
    ]


async def test_a_clients_name_cannot_forge_a_line_of_the_audit(asker: Asker) -> None:
    call = message(MODERN, "tools/call", {"name": READ, "arguments": ARGUMENTS})
    call["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = {"name": "x\n\x1b[31m\u202eroot" + "y" * 1000, "version": "1"}
    await asker.post(json.dumps(call).encode(), mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=READ)
    client = (await asker.company.audit())[0]["client"]
    assert client.isprintable() and len(client) <= 120 and "\u202e" not in client

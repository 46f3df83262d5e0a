"""What comes in at REST, at /mcp and from Stripe is read by one reader, and whatever it is, one row tells of it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func
import pytest

from functions import about
from functions import mcp as mcp_edge
from functions import rest as edge
from shared.operations.start_sync import start_sync
from shared.road.catalogue import OPERATIONS
from shared.road.operation import Operation
from tests.spec.conftest import Billy, invocation_of
from tests.spec.test_webhooks import deliver, event, sign
from tests.spec.test_webhooks import hooked as hooked

WITH_BODY = [operation for operation in OPERATIONS if operation.verb in ("POST", "PATCH")]
FOR_AGENTS = [operation for operation in OPERATIONS if operation.agents]


class Out:
    """An output binding that keeps nothing."""

    def set(self, value: object) -> None: ...


def request_of(billy: Billy, operation: Operation, body: bytes, role: str) -> func.HttpRequest:
    path = dict.fromkeys(operation.path_fields, "att_" + "0" * 26)
    headers = {"authorization": f"Bearer {billy.keys[role]}", "content-type": "application/json", "user-agent": "reader/1"}
    return func.HttpRequest(
        operation.verb, "http://localhost" + operation.path.format(**path), headers=headers, route_params=path, body=body
    )


async def over_rest(billy: Billy, operation: Operation, body: bytes, role: str = "owner") -> tuple[int, dict[str, Any]]:
    request, host = request_of(billy, operation, body, role), invocation_of(operation.name)
    waking = (Out(),) if operation.wakes else ()
    answer = await (edge._waking_handler(operation) if waking else edge._handler(operation))(request, host, *waking)
    return answer.status_code, json.loads(answer.get_body())


async def over_mcp(billy: Billy, body: bytes, role: str = "owner", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status, and the problem that the answer tells, whichever way it does."""
    given = {
        "host": "localhost",
        "authorization": f"Bearer {billy.keys[role]}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
        "user-agent": "reader/1",
    }
    request = func.HttpRequest("POST", "http://localhost/mcp", headers=given | headers, body=body)
    answer = await mcp_edge.serve._function.get_user_function()(request, invocation_of("mcp"), Out())
    told = json.loads(answer.get_body())
    return answer.status_code, told.get("error", {}).get("data") or told.get("result", {}).get("structuredContent") or told


def call_of(tool: str, arguments: str) -> bytes:
    return f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}'.encode()


def nested(depth: int, kind: str) -> str:
    match kind:
        case "objects":
            return '{"a":' * depth + "1" + "}" * depth
        case "lists":
            return '{"a":' + "[" * depth + "]" * depth + "}"
        case _:
            return f'{{"{kind}":' + '{"a":' * depth + "1" + "}" * depth + "}"


@pytest.mark.requirement("SC-6", "SC-48", "SC-105")
@pytest.mark.parametrize("role", ["read_only", "billing_clerk", "owner"])
@pytest.mark.parametrize("kind", ["objects", "lists", "reason", "name"])
async def test_a_nested_body_is_refused_at_every_depth_and_leaves_one_row_with_actor_and_operation(
    hooked: Billy, role: str, kind: str
) -> None:
    for operation in WITH_BODY:
        for depth in (32, 100, 254, 256, 300, 900, 1020, 3000):
            before = {row["id"] for row in await hooked.audit(operation=operation.name)}
            status, told = await over_rest(hooked, operation, nested(depth, kind).encode(), role)
            assert (status, told["code"]) in ((400, "invalid_request"), (403, "not_allowed"))
            # By its id, not by its place: two rows of one millisecond stand in either order.
            (row,) = [each for each in await hooked.audit(operation=operation.name) if each["id"] not in before]
            assert (row["role"], row["decision"] in ("refused", "denied"), row["code"]) == (role, True, told["code"])


@pytest.mark.requirement("SC-6", "SC-48", "SC-105")
@pytest.mark.parametrize("kind", ["objects", "lists", "reason"])
async def test_a_nested_message_is_refused_at_every_depth_and_leaves_one_row(hooked: Billy, kind: str) -> None:
    for depth in (20, 31, 100, 254, 256, 300, 900, 1020, 3000):
        for operation in (FOR_AGENTS[0], next(each for each in FOR_AGENTS if each.writes)):
            before = len(await hooked.audit())
            status, told = await over_mcp(hooked, call_of(operation.tool, nested(depth, kind)))
            assert (status in (200, 400), told["code"]) == (True, "invalid_request")
            assert len(await hooked.audit()) == before + 1


@pytest.mark.requirement("SC-48", "SC-105")
@pytest.mark.parametrize("depth", [30, 100, 300, 900, 1020, 3000])
async def test_a_signed_event_that_is_nested_too_deeply_is_refused_with_one_row(hooked: Billy, depth: int) -> None:
    payload = json.dumps(event()).replace('"data": {"object": {', '"data": {"object": {"a":' + nested(depth, "objects") + ",").encode()
    status, told, messages = await deliver(hooked, payload, sign(payload))
    assert (status, told["code"], messages) == (400, "invalid_request", [])
    assert len(await hooked.audit(operation="stripe_webhook")) == 1


TWICE = [
    '{"name":"reports","role":"read_only","role":"owner"}',
    '{"charge":"ch_A","amount":1,"dry_run":true,"charge":"ch_B","amount":900000,"dry_run":false}',
    '{"amount":1,"\\u0061mount":2}',
    '{"dry_run":true,"dry_run":true}',
    '{"dry_run":true,"extra":{"a":[{"b":1,"\\u0062":1}]}}',
    '\ufeff{"dry_run":true,"dry_run":false}',
]


@pytest.mark.requirement("SC-105", "SC-48")
@pytest.mark.parametrize("body", TWICE)
async def test_a_member_that_is_given_twice_is_refused_on_every_route_and_tool(hooked: Billy, body: str) -> None:
    for operation in WITH_BODY:
        status, told = await over_rest(hooked, operation, body.encode())
        assert (status, told["code"], told["detail"]) == (400, "invalid_request", "A member is given twice in one object.")
        assert len(await hooked.audit(operation=operation.name)) == 1
    for operation in FOR_AGENTS:
        before = len(await hooked.audit())
        status, told = await over_mcp(hooked, call_of(operation.tool, body.removeprefix("\ufeff")))
        assert (status, told["code"], told["detail"]) == (400, "invalid_request", "A member is given twice in one object.")
        assert len(await hooked.audit()) == before + 1
    assert await hooked.context.records.find("attempts") == []


@pytest.mark.requirement("SC-105")
@pytest.mark.parametrize(
    "message",
    [
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"billy_get_stats","arguments":{}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"billy_get_stats","name":"billy_create_refund"}}',
        '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"billy_get_stats","arguments":{},"\\u0061rguments":{}}}',
    ],
)
async def test_a_message_says_its_method_its_tool_and_its_arguments_once(hooked: Billy, message: str) -> None:
    status, told = await over_mcp(hooked, message.encode())
    assert (status, told["detail"]) == (400, "A member is given twice in one object.")
    assert [row["code"] for row in await hooked.audit()] == ["invalid_request"]


async def test_an_event_with_a_member_twice_is_refused_though_it_is_signed(hooked: Billy) -> None:
    payload = json.dumps(event()).replace('"livemode": false', '"livemode": false, "livemode": true').encode()
    status, told, messages = await deliver(hooked, payload, sign(payload))
    assert (status, told["code"], messages) == (400, "invalid_request", [])
    assert len(await hooked.audit(operation="stripe_webhook")) == 1


BROKEN = [
    b'{"a":NaN}',
    b'{"reason":"\\ud800"}',
    b'{"reason":"\xff"}',
    b'{"amount":' + b"1" * 10_000 + b"}",
    b'{"amount":1e999}',
    b"{",
    b"[]",
    b"7",
]


@pytest.mark.requirement("SC-48", "SC-6")
@pytest.mark.parametrize("body", BROKEN)
async def test_what_cannot_be_read_is_refused_in_our_words_with_one_row_everywhere(hooked: Billy, body: bytes) -> None:
    for operation in WITH_BODY:
        status, told = await over_rest(hooked, operation, body)
        assert (status, told["code"]) == (400, "invalid_request")
        assert len(await hooked.audit(operation=operation.name)) == 1
    status, told = await over_mcp(hooked, b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + body + b"}")
    assert (status, told["code"]) == (400, "invalid_request")
    assert len(await hooked.audit(operation="unknown")) == 1


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf", b'\xef\xbb\xbf{"dry_run":true}', b'\xef\xbb\xbf {"dry_run":true}'])
async def test_a_byte_order_mark_is_skipped_on_every_surface(hooked: Billy, body: bytes) -> None:
    status, told = await over_rest(hooked, start_sync, body)
    assert status in (200, 400) and (told.get("status") == "preview") == (len(body) > 3)
    status, told = await over_mcp(hooked, b"\xef\xbb\xbf" + call_of("billy_get_stats", "{}"))
    assert (status, "month" in told) == (200, True)
    payload = b"\xef\xbb\xbf" + json.dumps(event()).encode()
    assert (await deliver(hooked, payload, sign(payload)))[0] == 200


@pytest.mark.requirement("SC-105", "SC-48")
@pytest.mark.parametrize("members", [11, 900, 1000, 30_000])
async def test_unknown_members_are_counted_and_ten_at_most_are_told_of(hooked: Billy, members: int) -> None:
    unknown = json.dumps({f"canary-{n}": 0 for n in range(members)})
    for operation in WITH_BODY:
        _, told = await over_rest(hooked, operation, unknown.encode(), "owner")
        assert told["code"] in ("invalid_request", "too_large") and len(told.get("fields", ())) <= 10
        assert "canary" not in json.dumps(told)
        assert len(await hooked.audit(operation=operation.name)) == 1
    _, told = await over_mcp(hooked, call_of("billy_list_charges", unknown), "read_only")
    assert told["code"] in ("invalid_request", "too_large") and len(told.get("fields", ())) <= 10


CRASHES: list[tuple[str, str, str]] = [  # surface, what crashes, operation of the row
    ("rest", "shared.surfaces.rest.origin_of", "list_charges"),
    ("rest", "shared.surfaces.rest.authenticate", "list_charges"),
    ("rest", "shared.surfaces.rest._arguments", "list_charges"),
    ("rest", "shared.road.execute.decide", "list_charges"),
    ("rest", "shared.road.execute.parse", "list_charges"),
    ("tools", "shared.surfaces.rest.origin_of", "list_tools"),
    ("tools", "functions.about.read_selection", "list_tools"),
    ("tools", "shared.surfaces.tools.list_tools", "list_tools"),
    ("health", "functions.about.remembered_health", "get_health"),
    ("mcp", "shared.surfaces.rest.origin_of", "unknown"),
    ("mcp", "shared.surfaces.mcp.authenticate", "unknown"),
    ("mcp", "shared.surfaces.mcp_guard.read_message", "unknown"),
    ("mcp", "shared.surfaces.mcp._client", "unknown"),
    ("mcp", "shared.surfaces.mcp_tools._permitted", "unknown"),
    ("mcp", "shared.road.execute.decide", "list_charges"),
    ("mcp-list", "shared.surfaces.mcp_tools.listed", "unknown"),
    ("webhook", "shared.surfaces.rest.origin_of", "stripe_webhook"),
    ("webhook", "shared.gateway.webhook.verify", "stripe_webhook"),
]


@pytest.mark.requirement("SC-48", "SC-12")
@pytest.mark.parametrize("surface, place, operation", CRASHES)
async def test_a_crash_anywhere_in_a_surface_leaves_one_row_and_a_reference(
    hooked: Billy, monkeypatch: pytest.MonkeyPatch, surface: str, place: str, operation: str
) -> None:
    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("rk_live_secret")

    monkeypatch.setattr(place, crash)
    ways: dict[str, Callable[[], Awaitable[tuple[Any, ...]]]] = {
        "rest": lambda: over_rest(hooked, FOR_AGENTS[0], b""),
        "tools": lambda: over_edge(hooked, about.list_tools, "list_tools"),
        "health": lambda: over_edge(hooked, about.get_health, "get_health"),
        "mcp": lambda: over_mcp(hooked, call_of("billy_list_charges", "{}")),
        "mcp-list": lambda: over_mcp(hooked, b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'),
        "webhook": lambda: deliver(hooked, json.dumps(event()).encode(), sign(json.dumps(event()).encode())),
    }
    told = (await ways[surface]())[1]
    assert (told["code"], "rk_live_secret" in json.dumps(told)) == ("internal", False)
    assert [(row["operation"], row["code"]) for row in await hooked.audit()] == [(operation, "internal")]


async def over_edge(billy: Billy, function: Any, name: str) -> tuple[int, dict[str, Any]]:
    request = func.HttpRequest("GET", "http://localhost/", headers={"authorization": f"Bearer {billy.keys['owner']}"}, body=b"")
    answer = await function._function.get_user_function()(request, invocation_of(name))
    return answer.status_code, json.loads(answer.get_body())

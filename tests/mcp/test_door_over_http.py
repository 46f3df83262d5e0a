"""The door as the local host serves it: bodies in pieces, repeated header lines, pages in browsers, and who calls by which name."""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from shared.road.catalogue import OPERATIONS
from tests.mcp.asking import GENERATIONS, LEGACY, MODERN, message, routing
from tests.surfaces.running import RunningBilly, running_billy

PAGE, FOREIGN = "https://desk.example", "https://other.example"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
LIST = json.dumps(message(LEGACY, "tools/list")).encode()
SENT = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mcp-door")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBilly]:
    """Billy with one page that may call."""
    with running_billy(tmp_path_factory.mktemp("desk"), BILLY_ALLOWED_ORIGINS=PAGE) as running:
        yield running


def raw(billy: RunningBilly, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """One exchange without a client library's own ideas of what a request looks like."""
    with socket.create_connection(("127.0.0.1", int(billy.url.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def chunked(billy: RunningBilly, path: str, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Transfer-Encoding: chunked",
        "Content-Type: application/json",
    ]
    lines += [f"Authorization: {billy.bearer('owner')['Authorization']}"]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return raw(billy, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize(
    "path, pieces",
    [
        ("/api/sync", (b'{"dry_run": ', b"true}")),
        ("/api/refunds", (b'{"charge": "ch_7Qm2", "amount": 310, "dry_run": true}',)),
        ("/mcp", (b'{"jsonrpc":"2.0","id":4,"method":"tools/list"}',)),
        ("/webhooks/stripe", (b"{}",)),
    ],
)
def test_a_body_in_pieces_is_411_in_words_and_acts_on_nothing(desk: RunningBilly, path: str, pieces: tuple[bytes, ...]) -> None:
    before = len(desk.audit())
    status, headers, body = chunked(desk, path, *pieces)
    told = json.loads(body)
    assert (status, headers["content-type"], told["code"]) == (411, "application/problem+json", "length_required")
    assert "Content-Length" in told["next"]
    assert [(row["decision"], row["code"]) for row in desk.audit()[before:]] == [("refused", "length_required")]
    attempts = desk.client.get("/api/attempts", headers=desk.bearer("owner")).json()
    assert attempts["data"] == []


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize(
    "path", ["/api/charges", "/api/stats", "/api/search", "/api/audit", "/api/tools", "/api/health", "/api/openapi.json"]
)
@pytest.mark.parametrize("query", ["status=", "customer", "q=&q=x", "limit=1&limit=2"])
def test_a_parameter_that_the_host_drops_is_refused_at_every_address(desk: RunningBilly, path: str, query: str) -> None:
    reply = desk.client.get(f"{path}?{query}", headers=desk.bearer("owner"))
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("method", ["notifications/initialized", "ping", "tools/list"])
def test_the_version_in_two_lines_or_in_one_with_a_comma_is_one(desk: RunningBilly, generation: str, method: str) -> None:
    if (generation, method) == (MODERN, "ping"):
        pytest.skip("this generation has no ping")
    sent = message(generation, method)
    if method.startswith("notifications"):
        del sent["id"]
    usual = [*(JSON | desk.bearer("owner") | {k: v for k, v in routing(generation, method).items() if k == "mcp-method"}).items()]
    for twice in ([("mcp-protocol-version", generation)] * 2, [("mcp-protocol-version", f"{generation}, {generation}")]):
        reply = desk.client.post("/mcp", content=json.dumps(sent), headers=[*usual, *twice])
        assert reply.status_code == (202 if "id" not in sent else 200), reply.text
        assert reply.content == b"" or "result" in reply.json()


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("method, params", [("notifications/initialized", {}), ("notifications/cancelled", {"requestId": 3})])
def test_the_answer_to_a_notification_is_empty_and_untyped_as_text(
    desk: RunningBilly, generation: str, method: str, params: Mapping[str, Any]
) -> None:
    sent = message(generation, method, params)
    del sent["id"]
    reply = desk.client.post("/mcp", content=json.dumps(sent), headers=JSON | desk.bearer("owner") | routing(generation, method))
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (202, b"", "0")
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.requirement("SC-4")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_answer_to_a_refused_verb_is_empty_and_untyped_as_text(desk: RunningBilly, method: str) -> None:
    reply = desk.client.request(method, "/mcp")
    assert (reply.status_code, reply.content, reply.headers["content-length"], reply.headers["allow"]) == (405, b"", "0", "POST")
    assert "text/plain" not in reply.headers["content-type"]


PATHS = ("/mcp", "/api/charges", "/api/refunds", "/api/keys/key_1", "/api/tools", "/api/health")


def preflight(billy: RunningBilly, path: str, origin: str, **headers: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": SENT}
    return billy.client.request("OPTIONS", path, headers=asked | headers)


def told_to_browsers(reply: httpx.Response) -> list[str]:
    return [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.requirement("SC-4")
@pytest.mark.parametrize("path", PATHS)
def test_a_listed_page_is_answered_its_preflight_without_a_key_and_without_a_row(desk: RunningBilly, path: str) -> None:
    before = len(desk.audit())
    reply = preflight(desk, path, PAGE)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert set(SENT.split(",")) | {"idempotency-key"} <= {each.strip() for each in reply.headers["access-control-allow-headers"].split(",")}
    assert "access-control-allow-credentials" not in reply.headers
    assert "origin" in reply.headers["vary"].lower()
    assert len(desk.audit()) == before


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_page_and_a_bare_options_are_told_nothing(desk: RunningBilly, path: str) -> None:
    for reply in (preflight(desk, path, FOREIGN), preflight(desk, path, "null"), desk.client.request("OPTIONS", path)):
        assert reply.status_code in (403, 405)
        assert told_to_browsers(reply) == []


def test_every_answer_to_a_listed_page_can_be_read_by_it(desk: RunningBilly) -> None:
    key = desk.bearer("owner")
    answers = {
        200: desk.client.post("/mcp", content=LIST, headers=JSON | key | {"Origin": PAGE}),
        401: desk.client.post("/mcp", content=LIST, headers=JSON | {"Origin": PAGE}),
        413: desk.client.post("/mcp", content=b" " * 1_000_000, headers=JSON | key | {"Origin": PAGE}),
        400: desk.client.post("/mcp?tags[0]=nonsense", content=LIST, headers=JSON | key | {"Origin": PAGE}),
        403: desk.client.post("/mcp", content=LIST, headers=JSON | key | {"Origin": PAGE, "Host": "evil.example"}),
    }
    over_rest = {
        200: desk.client.get("/api/charges", headers=key | {"Origin": PAGE}),
        401: desk.client.get("/api/charges", headers={"Origin": PAGE}),
        400: desk.client.get("/api/charges?status=", headers=key | {"Origin": PAGE}),
        403: desk.client.get("/api/audit", headers=desk.bearer("read_only") | {"Origin": PAGE}),
        404: desk.client.get("/api/attempts/att_" + "0" * 26, headers=key | {"Origin": PAGE}),
    }
    for status, reply in (*answers.items(), *over_rest.items()):
        assert reply.status_code == status
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert "origin" in reply.headers["vary"].lower()
        shown = {each.strip().lower() for each in reply.headers["access-control-expose-headers"].split(",")}
        assert {"www-authenticate", "retry-after", "x-correlation-id"} <= shown
        assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.requirement("SC-3")
def test_what_a_foreign_page_sends_is_refused_and_never_shown_to_it(desk: RunningBilly) -> None:
    key = desk.bearer("owner")
    for headers in ({"Origin": FOREIGN}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        for reply in (
            desk.client.post("/mcp", content=LIST, headers=JSON | key | headers),
            *(desk.client.get(path, headers=key | headers) for path in ("/api/charges", "/api/tools", "/api/health", "/api/openapi.json")),
        ):
            assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")
            assert told_to_browsers(reply) == []


@pytest.mark.requirement("SC-2")
@pytest.mark.parametrize("host", ["evil.example", "rebound.evil.example:4242", "localhost.evil.example"])
def test_every_operation_is_reached_under_the_servers_own_names_alone(desk: RunningBilly, host: str) -> None:
    for operation in OPERATIONS:
        path = operation.path.replace("{id}", "x")
        reply = desk.client.request(operation.verb, path, headers=desk.bearer("owner") | {"Host": host})
        assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed"), operation.name
    for path in ("/api/tools", "/api/health", "/api/openapi.json"):
        assert desk.client.get(path, headers=desk.bearer("owner") | {"Host": host}).status_code == 403, path


def test_a_page_of_this_server_may_call_and_a_typed_address_too(desk: RunningBilly) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": desk.url, "Sec-Fetch-Site": "same-origin"}):
        assert desk.client.get("/api/charges", headers=desk.bearer("owner") | headers).status_code == 200


def test_where_no_page_is_listed_nothing_is_told_to_browsers(billy: RunningBilly) -> None:
    for path in PATHS:
        reply = preflight(billy, path, PAGE)
        assert (reply.status_code, told_to_browsers(reply), "vary" in reply.headers) == (403 if path != "/mcp" else 405, [], False)

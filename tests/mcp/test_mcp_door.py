"""What is turned away before the protocol: each refusal in fixed words, each with one audit row."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from shared.reading import CALL, LEVELS
from tests.mcp.asking import LEGACY, Asker, message

LIST = json.dumps(message(LEGACY, "tools/list")).encode()
CANARY = "canary-7f3a"


async def rows(asker: Asker) -> list[dict[str, Any]]:
    return await asker.company.audit()


@pytest.mark.requirement("SC-1")
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic b3duZXI6b3duZXI=", "Bearer billy_short", "Bearer billy_" + "x" * 43, "billy_" + "x" * 43],
)
async def test_without_a_key_that_works_the_answer_is_401_and_says_no_more(asker: Asker, header: str | None) -> None:
    reply = await asker.post(LIST, authorization=header)
    other = await asker.post(LIST, authorization=None)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.body == other.body, "the answer tells what was wrong with the key"
    assert [row["decision"] for row in await rows(asker)] == ["refused", "refused"]


@pytest.mark.requirement("SC-2")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:7071", "localhost.evil.example", "", None, "localhost@evil.example"])
async def test_a_foreign_host_is_refused(asker: Asker, host: str | None) -> None:
    assert (await asker.post(LIST, host=host)).status == 403
    assert [row["code"] for row in await rows(asker)] == ["not_allowed"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7071", "[::1]:7071", "[::1]"])
async def test_every_name_of_this_server_is_served_on_any_port(asker: Asker, host: str) -> None:
    assert (await asker.post(LIST, host=host)).status == 200


@pytest.mark.requirement("SC-3")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:7072", "file://localhost:7071", "localhost:7071", ""])
async def test_a_foreign_origin_is_refused_even_with_the_right_host(asker: Asker, origin: str) -> None:
    reply = await asker.post(LIST, origin=origin)
    assert reply.status == 403
    assert [row["code"] for row in await rows(asker)] == ["not_allowed"]


@pytest.mark.parametrize("origin", ["http://localhost:7071", "https://localhost:7071", "https://desk.example"])
async def test_a_page_of_this_server_and_one_that_is_listed_may_call(asker: Asker, origin: str) -> None:
    settings = replace(asker.company.context.settings, allowed_origins=("https://desk.example",))
    asker.company.context = replace(asker.company.context, settings=settings)
    assert (await asker.post(LIST, origin=origin)).status == 200


@pytest.mark.requirement("SC-3")
async def test_a_rebound_name_does_not_make_a_page_our_own(asker: Asker) -> None:
    assert (await asker.post(LIST, host="evil.example", origin="http://evil.example")).status == 403


@pytest.mark.requirement("SC-4")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD"])
async def test_what_is_not_a_post_gets_405_at_once(asker: Asker, method: str) -> None:
    began = time.monotonic()
    reply = await asker.post(b"", method=method, authorization=None, host="evil.example")
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "POST", b"")
    assert time.monotonic() - began < 0.5


@pytest.mark.requirement("SC-5")
async def test_a_body_over_the_limit_is_refused_before_it_is_parsed(asker: Asker) -> None:
    reply = await asker.post(b"[" * (CALL.size + 1))
    assert reply.status == 413
    assert [row["code"] for row in await rows(asker)] == ["too_large"]


async def test_a_body_at_the_limit_is_read(asker: Asker) -> None:
    text = json.dumps(message(LEGACY, "tools/list", {"cursor": ""})).encode()
    padded = text.replace(b'""', b'"' + b"x" * (CALL.size - len(text)) + b'"')
    assert len(padded) == CALL.size
    assert (await asker.post(padded)).status == 200


MALFORMED = {
    "nothing": b"",
    "not JSON": b"{" + CANARY.encode(),
    "bad UTF-8": b'{"jsonrpc": "2.0", "id": 1, "method": "' + CANARY.encode() + b'\xff"}',
    "half of a surrogate pair": b'{"jsonrpc": "2.0", "id": 1, "method": "' + CANARY.encode() + b'\\ud800"}',
    "NaN": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"' + CANARY.encode() + b'": NaN}}',
    "a batch": b'[{"jsonrpc": "2.0", "id": 1, "method": "' + CANARY.encode() + b'"}]',
    "an empty batch": b"[]",
    "a text": b'"' + CANARY.encode() + b'"',
    "a number": b"7",
    "null": b"null",
    "no version": json.dumps({"id": 1, "method": CANARY}).encode(),
    "another version": json.dumps({"jsonrpc": CANARY, "id": 1, "method": "tools/list"}).encode(),
    "no method": json.dumps({"jsonrpc": "2.0", "id": 1, "params": {CANARY: 1}}).encode(),
    "a method of another kind": json.dumps({"jsonrpc": "2.0", "id": 1, "method": {CANARY: 1}}).encode(),
    "a long method": json.dumps({"jsonrpc": "2.0", "id": 1, "method": CANARY * 100}).encode(),
    "params in a list": json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [CANARY]}).encode(),
    "an id of another kind": json.dumps({"jsonrpc": "2.0", "id": {CANARY: 1}, "method": "tools/list"}).encode(),
    "a posted answer": json.dumps({"jsonrpc": "2.0", "id": 1, "result": {CANARY: 1}}).encode(),
    "deep nesting": b"[" * 100_000,
    "nesting one too deep": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": '
    + b'{"a": ' * LEVELS
    + b"1"
    + b"}" * LEVELS
    + b"}",
}


@pytest.mark.requirement("SC-6", "SC-48")
@pytest.mark.parametrize("generation_header", [None, "2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_body_gets_400_in_our_own_words(asker: Asker, case: str, generation_header: str | None) -> None:
    reply = await asker.post(MALFORMED[case], mcp_protocol_version=generation_header)
    assert reply.status == 400
    assert reply.json["id"] is None
    assert reply.error["code"] in (-32700, -32600)
    told = reply.error["data"]
    assert (told["code"], told["status"], told["detail"]) == ("invalid_request", 400, reply.error["message"]) and "JSON-RPC" in told["next"]
    assert CANARY not in reply.body.decode()
    assert [(row["decision"], row["code"]) for row in await rows(asker)] == [("refused", "invalid_request")]


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_body_that_does_not_call_itself_json_is_refused(asker: Asker, media_type: str | None) -> None:
    assert (await asker.post(LIST, content_type=media_type)).status == 400


@pytest.mark.requirement("SC-10")
@pytest.mark.parametrize("name", ["token", "key", "api_key", "access_token", "Authorization", "x"])
async def test_a_key_in_the_address_is_refused_even_beside_one_that_works(asker: Asker, name: str) -> None:
    reply = await asker.post(LIST, query={name: asker.company.keys["owner"]})
    assert reply.status == 401
    kept = json.dumps(await rows(asker))
    assert asker.company.keys["owner"] not in kept + reply.body.decode()


@pytest.mark.parametrize("query", [{"tags[0]": "nonsense-9"}, {"methods[0]": "nonsense-9"}, {"page": "nonsense-9"}])
async def test_an_unknown_filter_is_refused_and_says_what_is_known(asker: Asker, query: dict[str, str]) -> None:
    reply = await asker.post(LIST, query=query)
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    assert "nonsense-9" not in reply.body.decode()
    assert reply.json["fields"][0]["field"] in ("tags", "methods", "query")


async def test_where_the_audit_cannot_be_written_nothing_is_answered_but_that(asker: Asker) -> None:
    await asker.company.context.audit.close()  # type: ignore[attr-defined]
    assert (await asker.post(b"[]")).status == 503

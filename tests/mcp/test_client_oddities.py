"""What today's clients send that is not quite as the protocol has it. docs/agents.md keeps the table; each row names a test of this file."""

import json
import re
from collections.abc import Mapping
from typing import Any

import azure.functions as func
import pytest
from azure.functions.http import HttpResponseConverter

from functions.edge import empty
from shared.road.catalogue import BY_NAME
from shared.surfaces import rest
from tests.edge.devhost_process import ROOT
from tests.mcp.asking import GENERATIONS, LEGACY, MODERN, Asker, Reply, message, routing

READ, ARGUMENTS = "billy_get_charge", {"id": "ch_001"}
VERSION = "io.modelcontextprotocol/protocolVersion"
OLDER = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

MESSAGES: dict[str, tuple[str, dict[str, Any] | None, bool]] = {  # method, parameters, whether it has an id
    "notification": ("notifications/initialized", None, False),
    "list": ("tools/list", None, True),
    "call": ("tools/call", {"name": "billy_get_stats"}, True),
}


async def send(asker: Asker, generation: str, kind: str, **headers: str | None) -> Reply:
    method, params, is_request = MESSAGES[kind]
    sent = message(generation, method, params)
    if not is_request:
        del sent["id"]
    routed = routing(generation, method, (params or {}).get("name"))
    return await asker.post(json.dumps(sent).encode(), **({name.replace("-", "_"): value for name, value in routed.items()} | headers))


def served(reply: Reply) -> bool:
    return reply.status == 202 if not reply.body else reply.status == 200 and "result" in reply.json


async def turned_away(asker: Asker, replies: int, code: str = "invalid_request") -> None:
    """Each left one row of its own, and no tool ran."""
    assert [(row["operation"], row["decision"], row["code"]) for row in await asker.company.audit()] == [
        ("unknown", "refused", code)
    ] * replies


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("form", ["{0}, {0}", "{0},{0}", " {0} ,\t{0}", "{0}, {0}, {0}", " {0} "])
async def test_a_version_that_came_twice_with_one_value_is_one(asker: Asker, generation: str, kind: str, form: str) -> None:
    assert served(await send(asker, generation, kind, mcp_protocol_version=form.format(generation)))


@pytest.mark.requirement("SC-7")
@pytest.mark.parametrize("kind", MESSAGES)
async def test_versions_that_differ_are_refused_and_no_tool_runs(asker: Asker, generation: str, kind: str) -> None:
    other = next(each for each in GENERATIONS if each != generation)
    forms = (f"{generation}, {other}", f"{other},{generation}", f"{generation},", f",{generation}", f"{generation}, nonsense")
    for value in forms:
        reply = await send(asker, generation, kind, mcp_protocol_version=value)
        assert (reply.status, reply.error["code"]) == (400, -32020), value
        assert reply.error["data"]["code"] == "invalid_request" and reply.error["data"]["next"]
    await turned_away(asker, len(forms))


async def test_null_parameters_are_none(asker: Asker, generation: str) -> None:
    for method, id in (("tools/list", 11), ("notifications/initialized", None), ("ping", "p")):
        sent = {"jsonrpc": "2.0", "method": method, "params": None} | ({} if id is None else {"id": id})
        without = {name: value for name, value in sent.items() if name != "params"}
        headers = {name.replace("-", "_"): value for name, value in routing(generation, method).items()}
        reply, other = [await asker.post(json.dumps(each).encode(), **headers) for each in (sent, without)]
        assert (reply.status, reply.body) == (other.status, other.body)
        if generation == LEGACY:
            assert served(reply)
        elif id is not None:
            assert "_meta" in reply.error["message"], "a message of this generation says so"


async def test_null_arguments_are_none(asker: Asker, generation: str) -> None:
    reply = await asker.ask(generation, "tools/call", {"name": "billy_get_stats", "arguments": None})
    assert reply.result["structuredContent"]["month"]


async def test_parameters_and_arguments_of_another_kind_are_refused_in_our_words(asker: Asker, generation: str) -> None:
    wrong: list[dict[str, Any]] = [{"params": []}, {"params": "x"}, {"params": 0}, {"params": False}, {"id": None}]
    wrong += [{"arguments": value} for value in ("{}", [], "", 0, False)]
    for each in wrong:
        sent = message(generation, "tools/call", {"name": "billy_get_stats"})
        (sent["params"] if "arguments" in each else sent).update(each)
        headers = {name.replace("-", "_"): value for name, value in routing(generation, "tools/call", "billy_get_stats").items()}
        reply = await asker.post(json.dumps(sent).encode(), **headers)
        assert (reply.status, reply.error["data"]["code"]) == (400, "invalid_request"), each
        assert reply.error["code"] in (-32600, -32602)
    await turned_away(asker, len(wrong))


JSON_IS_TAKEN = (
    None,
    "",
    "*/*",
    "application/json",
    "application/*;q=0.5",
    "text/event-stream",
    "text/html, */*;q=0.1",
    "APPLICATION/JSON",
)
JSON_IS_NOT = ("text/html", "image/png, text/*", "application/json;q=0", "application/xml", "*/*;q=0", "application/json;q=0, */*")


@pytest.mark.parametrize("kind", MESSAGES)
async def test_who_accepts_anything_nothing_or_a_stream_alone_gets_json(asker: Asker, generation: str, kind: str) -> None:
    for accept in JSON_IS_TAKEN:
        reply = await send(asker, generation, kind, accept=accept)
        assert served(reply), accept
        assert not reply.body or reply.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("kind", MESSAGES)
async def test_who_takes_no_json_gets_406_with_a_body_that_says_what_to_send(asker: Asker, generation: str, kind: str) -> None:
    for accept in JSON_IS_NOT:
        reply = await send(asker, generation, kind, accept=accept)
        assert (reply.status, reply.json["code"]) == (406, "not_acceptable"), accept
        assert "application/json" in reply.json["next"]
    await turned_away(asker, len(JSON_IS_NOT), "not_acceptable")


@pytest.mark.parametrize("scheme", ["BEARER ", "bEaReR ", "Bearer   ", "bearer "])
async def test_the_scheme_of_a_key_is_taken_in_any_case(asker: Asker, generation: str, scheme: str) -> None:
    authorization = scheme + asker.company.keys["owner"]
    assert served(await send(asker, generation, "list", authorization=authorization))
    assert (await over_rest(asker, authorization)).status_code == 200


@pytest.mark.parametrize(
    "form", ["Bearer", "Basic {}", "Bearer {}, Bearer {}", "Bearer Bearer {}", "Bearer{}", "{}", "Bearer {}\n", "Bearer  {} x"]
)
async def test_a_key_in_another_form_is_refused_in_the_same_words(asker: Asker, form: str) -> None:
    key = asker.company.keys["owner"]
    wanted = (await asker.post(b"{}", authorization=None)).body
    for authorization in (form.replace("{}", key), f"Bearer {key.swapcase()}"):
        reply = await asker.post(b"{}", authorization=authorization)
        assert (reply.status, reply.body) == (401, wanted)
        assert json.loads((await over_rest(asker, authorization)).get_body())["detail"] == json.loads(wanted)["detail"]


async def over_rest(asker: Asker, authorization: str) -> func.HttpResponse:
    request = func.HttpRequest(method="GET", url="http://localhost/api/stats", headers={"authorization": authorization}, body=b"")
    return (await rest.answer(BY_NAME["get_stats"], request, asker.company.context)).response


async def test_a_byte_order_mark_before_json_is_skipped(asker: Asker, generation: str) -> None:
    sent = b"\xef\xbb\xbf" + json.dumps(message(generation, "tools/list")).encode()
    headers = {name.replace("-", "_"): value for name, value in routing(generation, "tools/list").items()}
    assert served(await asker.post(sent, **headers))


@pytest.mark.parametrize("status, headers", [(202, {}), (405, {"Allow": "POST"}), (204, {})])
def test_an_answer_without_a_body_has_no_type_that_strict_clients_stop_at(status: int, headers: Mapping[str, str]) -> None:
    """By the worker's own encoder, which gives every response a type."""
    encoded = HttpResponseConverter.encode(empty(status, headers), expected_type=None).value
    told = {name.lower(): item.value for name, item in encoded["headers"].items()}
    assert (encoded["status_code"].value, encoded["body"].value) == (str(status), b"")
    assert "text/plain" not in told["content-type"]


@pytest.mark.requirement("SC-7", "SC-74")
@pytest.mark.parametrize("header", [*OLDER, None])
async def test_a_newer_body_under_an_older_version_header_is_served_by_the_body(asker: Asker, header: str | None) -> None:
    """Whether or not the routing headers come with it."""
    for more in ({}, {"mcp_method": None}, {"mcp_name": None}, {"mcp_method": None, "mcp_name": None}):
        reply = await asker.call(MODERN, READ, ARGUMENTS, mcp_protocol_version=header, **more)
        assert reply.result["structuredContent"]["id"] == "ch_001"
        assert reply.result["resultType"] == "complete", "an answer of the body's generation, whole"


MIXES = [(generation, version) for generation in GENERATIONS for version in (*GENERATIONS, *OLDER[:3], None)]


@pytest.mark.requirement("SC-7", "SC-74")
@pytest.mark.parametrize("body, version", MIXES)
async def test_routing_headers_are_held_against_the_body_in_every_mix_of_generations(asker: Asker, body: str, version: str | None) -> None:
    """The name of a read may not stand over a refund: proxies, logs and rules go by the header."""
    wrong: list[dict[str, str]] = [
        {"mcp_name": "billy_list_charges"},
        {"mcp_name": f"{READ}, {READ}"},
        {"mcp_name": READ.upper()},
        {"mcp_name": ""},
        {"mcp_name": "=?base64?!?="},
        {"mcp_name": "=?base64?YmlsbHlfbGlzdF9jaGFyZ2Vz?="},
        {"mcp_method": "tools/list"},
        {"mcp_method": "tools/call, tools/call"},
        {"mcp_method": "TOOLS/CALL"},
    ]
    for each in wrong:
        reply = await asker.call(body, READ, ARGUMENTS, mcp_protocol_version=version, **({"mcp_method": "tools/call"} | each))
        assert (reply.status, reply.error["code"]) == (400, -32020), each
    await turned_away(asker, len(wrong))


@pytest.mark.parametrize("body, version", [each for each in MIXES if each != (LEGACY, MODERN)])
async def test_routing_headers_that_say_what_the_body_says_are_no_hindrance(asker: Asker, body: str, version: str | None) -> None:
    for name in (READ, f" {READ} ", "=?base64?YmlsbHlfZ2V0X2NoYXJnZQ==?="):
        reply = await asker.call(body, READ, ARGUMENTS, mcp_protocol_version=version, mcp_method="tools/call", mcp_name=name)
        assert reply.result["structuredContent"]["id"] == "ch_001", (name, reply.body)


@pytest.mark.requirement("SC-7", "SC-74")
@pytest.mark.parametrize(
    "header, told", [(LEGACY, "2025-06-18"), ("2025-06-18", LEGACY), (MODERN, LEGACY), (MODERN, "2027-01-01"), (LEGACY, 7), (MODERN, None)]
)
async def test_a_version_in_meta_is_held_against_the_header_wherever_it_stands(asker: Asker, header: str, told: Any) -> None:
    call = message(MODERN, "tools/call", {"name": READ, "arguments": ARGUMENTS})
    call["params"]["_meta"][VERSION] = told
    reply = await asker.post(json.dumps(call).encode(), mcp_protocol_version=header, mcp_method="tools/call", mcp_name=READ)
    assert (reply.status, reply.error["code"]) == (400, -32020)
    await turned_away(asker, 1)


async def test_a_newer_body_of_a_version_nobody_knows_is_told_which_are_known(asker: Asker) -> None:
    call = message(MODERN, "tools/list")
    call["params"]["_meta"][VERSION] = "2031-01-01"
    reply = await asker.post(json.dumps(call).encode(), mcp_protocol_version=LEGACY)
    assert (reply.status, reply.error["code"]) == (400, -32022)


@pytest.mark.requirement("SC-48")
@pytest.mark.parametrize("method", ["resources/list", "prompts/get", "logging/setLevel", "tools/forget", "completion/complete"])
async def test_a_refused_method_leaves_one_row_in_both_generations(asker: Asker, generation: str, method: str) -> None:
    reply = await asker.ask(generation, method)
    assert "error" in reply.json
    await turned_away(asker, 1)


@pytest.mark.requirement("SC-4", "SC-48")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT", "HEAD"])
async def test_a_refused_verb_leaves_one_row(asker: Asker, method: str) -> None:
    reply = await asker.post(b"", method=method, authorization=None)
    assert (reply.status, reply.body) == (405, b"")
    await turned_away(asker, 1, "method_not_allowed")


@pytest.mark.requirement("SC-85")
async def test_a_body_in_pieces_is_asked_for_with_its_length(asker: Asker, generation: str) -> None:
    reply = await asker.post(b"", mcp_protocol_version=generation, transfer_encoding="chunked")
    assert (reply.status, reply.json["code"]) == (411, "length_required")
    assert "Content-Length" in reply.json["next"]
    await turned_away(asker, 1, "length_required")


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("query", ["tags[0]=", "tags[]=", "methods", "methods=&tags=core", "canary", "tags[0]=core&tags[0]="])
async def test_a_filter_that_lost_its_value_opens_nothing(asker: Asker, generation: str, query: str) -> None:
    reply = await asker.ask(generation, "tools/list", url=f"https://localhost/mcp?{query}")
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    assert "canary" not in reply.body.decode()
    await turned_away(asker, 1)


def test_every_row_of_the_table_of_oddities_names_a_test_that_is_here() -> None:
    table = (ROOT / "docs" / "agents.md").read_text().split("## What clients do otherwise")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")][1:]
    here = {name for name in globals() if name.startswith("test_")}
    assert len(rows) >= 12
    assert [row[0] for row in rows if not (named := set(re.findall(r"`(test_\w+)`", row[-1]))) or not named <= here] == []

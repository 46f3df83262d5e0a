"""What a key sees and may call over MCP, and what an error gives away."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.road import attempts
from shared.road.catalogue import OPERATIONS
from shared.surfaces import schemas
from shared.surfaces.mcp_tools import tool
from tests.mcp.asking import LEGACY, MODERN, Asker
from tests.surfaces.company import CARD_NUMBER, OBJECTS

CANARY = "canary-51c0ffee"
SECRET = "rk_live_51HandlerSecret"
AGENTS = [operation for operation in OPERATIONS if operation.agents]


def names(tools: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in tools]


@pytest.mark.requirement("AB-110")
async def test_by_default_the_owner_sees_exactly_the_core(asker: Asker, generation: str) -> None:
    core = [operation.tool for operation in OPERATIONS if "core" in operation.tags]
    assert names(await asker.tools(generation)) == core
    assert len(core) >= 10


@pytest.mark.requirement("SC-22", "AB-081")
async def test_a_reader_sees_only_reading_tools(asker: Asker, generation: str) -> None:
    shown = await asker.tools(generation, role="read_only")
    assert shown
    assert all(each["annotations"]["readOnlyHint"] for each in shown)
    assert "billy_create_refund" not in names(shown)


@pytest.mark.requirement("TB-010", "TS-003")
async def test_a_filter_in_the_address_widens_or_narrows_the_list(asker: Asker, generation: str) -> None:
    assert names(await asker.tools(generation, query={"tags[0]": "refunds"})) == [
        "billy_list_refunds",
        "billy_get_refund",
        "billy_create_refund",
    ]
    assert "billy_create_refund" not in names(await asker.tools(generation, query={"methods[0]": "read"}))
    assert names(await asker.tools(generation, query={"tags[0]": "refunds", "methods[0]": "write"})) == ["billy_create_refund"]


async def test_a_tool_outside_the_core_can_be_called_by_name(asker: Asker, generation: str) -> None:
    reply = await asker.call(generation, "billy_get_refund", {"id": "re_Jane1"})
    assert reply.result["structuredContent"]["amount"] == 100


async def test_a_tool_outside_the_filter_does_not_exist(asker: Asker, generation: str) -> None:
    hidden = await asker.call(generation, "billy_get_charge", {"id": "ch_001"}, query={"tags[0]": "refunds"})
    unknown = await asker.call(generation, "billy_get_nothing", {"id": "ch_001"}, query={"tags[0]": "refunds"})
    assert hidden.body == unknown.body


@pytest.mark.requirement("SC-23")
@pytest.mark.parametrize("name", ["billy_create_refund", "billy_list_keys", "billy_list_audit", "create_refund", "", "x" * 500])
async def test_a_forbidden_tool_and_an_unknown_one_get_the_same_answer(asker: Asker, generation: str, name: str) -> None:
    forbidden = await asker.call(generation, name, {"charge": "ch_001"}, role="read_only")
    unknown = await asker.call(generation, "billy_no_such_tool", {"charge": "ch_001"}, role="read_only")
    assert (forbidden.status, forbidden.headers, forbidden.body) == (unknown.status, unknown.headers, unknown.body)
    assert forbidden.error["code"] == -32602
    assert [row["decision"] for row in await asker.company.audit()] == ["refused", "refused"]


@pytest.mark.parametrize("role", ["owner", "billing_manager"])
async def test_keys_and_the_audit_log_are_not_for_agents_of_any_role(asker: Asker, generation: str, role: str) -> None:
    reply = await asker.call(generation, "billy_list_keys", {}, role=role)
    assert reply.error["code"] == -32602


@pytest.mark.requirement("SC-24")
async def test_a_role_that_was_lowered_after_the_list_is_refused_at_the_call(asker: Asker, generation: str) -> None:
    assert "billy_create_refund" in names(await asker.tools(generation, role="billing_manager"))
    records = asker.company.context.records
    record = next(each for each in await records.find("keys") if each.document["role"] == "billing_manager")
    await records.replace("keys", record, record.document | {"role": "read_only"})
    reply = await asker.call(generation, "billy_create_refund", {"charge": "ch_001", "dry_run": True}, role="billing_manager")
    assert reply.error["code"] == -32602
    assert "billy_create_refund" not in names(await asker.tools(generation, role="billing_manager"))


IMPOSSIBLE: dict[str, Any] = {
    "a decimal": 45.99,
    "a decimal as text": "45.99",
    "a whole number with decimals as text": "100.00",
    "true": True,
    "negative": -5,
    "zero": 0,
    "an exponent as text": "1e2",
    "beyond all money": 10**20,
    "a list": [100],
    "an object": {"amount": 100},
    "digits of another script": "١٠٠",
}


@pytest.mark.requirement("SC-26", "SC-58")
@pytest.mark.parametrize("case", IMPOSSIBLE)
async def test_an_impossible_amount_is_refused_and_nothing_is_stored(asker: Asker, generation: str, case: str) -> None:
    reply = await asker.call(generation, "billy_create_refund", {"charge": "ch_001", "amount": IMPOSSIBLE[case]})
    assert reply.result["isError"] is True
    assert reply.result["structuredContent"]["code"] == "invalid_request"
    assert reply.result["structuredContent"]["fields"][0]["field"].startswith("amount")
    assert await asker.company.context.records.find(attempts.COLLECTION) == []
    assert [row["code"] for row in await asker.company.audit()] == ["invalid_request"]


@pytest.mark.requirement("SC-26")
async def test_an_argument_that_is_not_a_number_at_all_is_refused_before_the_protocol(asker: Asker) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"billy_create_refund","arguments":{"charge":"ch_001","amount":NaN}}}'
    assert (await asker.post(body)).status == 400


@pytest.mark.requirement("SC-26")
@pytest.mark.parametrize("operation", AGENTS, ids=lambda operation: operation.name)
async def test_every_tool_refuses_an_argument_that_it_does_not_know(asker: Asker, operation: Any) -> None:
    reply = await asker.call(MODERN, operation.tool, {"undreamt_of": CANARY})
    assert reply.result["isError"] is True
    assert reply.result["structuredContent"]["code"] == "invalid_request"
    assert CANARY not in reply.body.decode()


@pytest.mark.requirement("SC-58")
@pytest.mark.parametrize("operation", AGENTS, ids=lambda operation: operation.name)
async def test_no_error_repeats_the_value_of_an_argument(asker: Asker, operation: Any) -> None:
    for name in operation.input.model_fields:
        for value in (CANARY + "\n\x00", [CANARY], {CANARY: CANARY}):
            reply = await asker.call(LEGACY, operation.tool, {name: value})
            if reply.result.get("isError"):
                assert CANARY not in json.dumps(reply.result["structuredContent"].get("detail")) + str(
                    reply.result["structuredContent"].get("next")
                )
                fields = reply.result["structuredContent"].get("fields", [])
                assert all(CANARY not in field["problem"] for field in fields)


@pytest.mark.requirement("SC-28")
async def test_a_list_that_depends_on_the_role_is_private_to_caches(asker: Asker) -> None:
    for role in asker.company.keys:
        reply = await asker.ask(MODERN, "tools/list", role=role)
        assert reply.result["cacheScope"] == "private"
        assert 0 < reply.result["ttlMs"] <= 300_000


@pytest.mark.requirement("SC-28")
async def test_two_roles_that_take_turns_never_see_each_others_list(asker: Asker, generation: str) -> None:
    for _ in range(3):
        assert "billy_create_refund" in names(await asker.tools(generation, role="owner"))
        assert "billy_create_refund" not in names(await asker.tools(generation, role="read_only"))


class Broken:
    """A mirror whose every call fails with a secret in its message."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"cannot {name} with {SECRET}")


@pytest.mark.requirement("SC-12")
async def test_a_crash_shows_a_reference_and_nothing_else(asker: Asker, generation: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asker.company.context = replace(asker.company.context, mirror=Broken())
    reply = await asker.call(generation, "billy_list_charges", {})
    content = reply.result["structuredContent"]
    assert reply.result["isError"] is True
    assert content["code"] == "internal"
    assert content["reference"].startswith("ref_")
    assert SECRET not in reply.body.decode() + caplog.text
    assert content["reference"] in caplog.text
    assert [row["code"] for row in await asker.company.audit()] == ["internal"]


@pytest.mark.requirement("SC-12")
async def test_a_crash_at_the_door_shows_a_reference_and_nothing_else(asker: Asker, caplog: pytest.LogCaptureFixture) -> None:
    asker.company.context = replace(asker.company.context, records=Broken())
    reply = await asker.ask(MODERN, "tools/list")
    assert (reply.status, reply.json["code"]) == (500, "internal")
    assert reply.json["reference"] in caplog.text
    assert SECRET not in reply.body.decode() + caplog.text


@pytest.mark.requirement("SC-59", "TS-010")
async def test_a_large_answer_is_pages_that_meet_without_gap_or_overlap(asker: Asker, generation: str) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        content = (await asker.call(generation, "billy_list_charges", {"limit": 50, **cursor})).result["structuredContent"]
        seen += [charge["id"] for charge in content["data"]]
        assert content["total"] == 130
        if not content["has_more"]:
            break
        cursor = {"cursor": content["next_cursor"]}
    assert len(seen) == len(set(seen)) == 130
    assert (await asker.call(generation, "billy_list_charges", {"limit": 101})).result["isError"] is True


@pytest.mark.requirement("SC-59")
async def test_of_a_card_only_four_digits_are_shown(asker: Asker, generation: str) -> None:
    reply = await asker.call(generation, "billy_get_charge", {"id": "ch_001"})
    assert reply.result["structuredContent"]["payment_method_details"]["card"] == {"brand": "visa", "last4": CARD_NUMBER[-4:]}
    assert CARD_NUMBER not in reply.body.decode()
    assert "fingerprint" not in reply.body.decode()


@pytest.mark.parametrize("operation", [each for each in AGENTS if not each.writes], ids=lambda operation: operation.name)
async def test_every_answer_and_every_refusal_is_what_the_tool_promised(asker: Asker, generation: str, operation: Any) -> None:
    schema = tool(operation)["outputSchema"]
    ids = {kind: value["id"] for kind, value in OBJECTS}
    attempt = (await asker.call(generation, "billy_start_sync", {})).result["structuredContent"]["attempt"]
    needed = {"id": (ids | {"attempt": attempt}).get(operation.name.removeprefix("get_")), "q": "jane"}
    required = schemas.arguments(operation.input).get("required", [])
    answered = (await asker.call(generation, operation.tool, {name: needed[name] for name in required})).result
    assert answered["isError"] is False, answered
    Draft202012Validator(schema["anyOf"][0]).validate(answered["structuredContent"])
    Draft202012Validator(schema).validate(answered["structuredContent"])
    refused = (await asker.call(generation, operation.tool, {"undreamt_of": 1})).result
    Draft202012Validator(schema["anyOf"][1]).validate(refused["structuredContent"])
    Draft202012Validator(schema).validate(refused["structuredContent"])


@pytest.mark.requirement("SC-48", "CL-050")
async def test_every_call_of_a_tool_leaves_one_row_whatever_became_of_it(asker: Asker, generation: str) -> None:
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("billy_list_charges", {}, "owner"),
        ("billy_list_charges", {"limit": "5"}, "owner"),
        ("billy_get_charge", {"id": "ch_nowhere"}, "owner"),
        ("billy_create_refund", {"charge": "ch_001"}, "read_only"),
        ("billy_nothing", {}, "owner"),
        ("billy_get_stats", {}, "read_only"),
    ]
    for name, arguments, role in calls:
        await asker.call(generation, name, arguments, role=role)
    assert len(await asker.company.audit()) == len(calls)


@pytest.mark.requirement("SC-48")
@pytest.mark.parametrize(
    "params", [{}, {"name": 7}, {"name": "billy_list_charges", "arguments": []}, {"name": "billy_list_charges", "arguments": "x"}]
)
async def test_a_call_that_the_protocol_cannot_read_leaves_one_row(asker: Asker, generation: str, params: dict[str, Any]) -> None:
    reply = await asker.ask(generation, "tools/call", params)
    assert "error" in reply.json
    assert [row["decision"] for row in await asker.company.audit()] == ["refused"]


async def test_reading_the_list_leaves_no_row(asker: Asker, generation: str) -> None:
    await asker.tools(generation)
    assert await asker.company.audit() == []

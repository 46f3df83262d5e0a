"""What a model reads of a tool must be enough to call it rightly, and must never change without somebody looking."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from functions import mcp
from shared.road.catalogue import OPERATIONS
from shared.road.operation import Operation
from shared.surfaces import schemas
from shared.surfaces.mcp_tools import annotations, tool
from shared.surfaces.tools import describe

AGENTS = [operation for operation in OPERATIONS if operation.agents]
each_tool = pytest.mark.parametrize("operation", AGENTS, ids=lambda operation: operation.name)

PREFIXES = {
    "charge": "ch_",
    "customer": "cus_",
    "subscription": "sub_",
    "invoice": "in_",
    "refund": "re_",
    "attempt": "att_",
    "repeat_of": "att_",
}


def properties(operation: Operation) -> dict[str, Any]:
    return schemas.arguments(operation.input)["properties"]


@each_tool
def test_a_tool_has_all_its_hints(operation: Operation) -> None:
    hints = annotations(operation)
    assert set(hints) == {"title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    assert hints["readOnlyHint"] is not operation.writes
    assert not (hints["readOnlyHint"] and hints["destructiveHint"])
    assert hints["title"] and hints["title"][0].isupper()


@each_tool
def test_a_tool_is_named_as_the_protocol_and_every_client_allow(operation: Operation) -> None:
    assert re.fullmatch(r"billy_[a-z]+(_[a-z]+)*", operation.tool)
    assert len(operation.tool) <= 56


@each_tool
@pytest.mark.requirement("TB-020", "TS-002")
def test_a_description_says_what_the_tool_does_in_whole_sentences(operation: Operation) -> None:
    assert 40 <= len(operation.description) <= 1000
    assert operation.description[0].isupper() and operation.description.endswith(".")
    assert operation.description.isprintable()


@each_tool
@pytest.mark.requirement("TB-020")
def test_an_argument_that_is_an_id_says_how_it_begins(operation: Operation) -> None:
    for name, schema in properties(operation).items():
        noun = operation.name.split("_", 1)[-1] if name == "id" else name
        if noun in PREFIXES:
            assert PREFIXES[noun] in schema["description"], name
            if noun == "customer":  # whose ids companies choose themselves
                assert schema["maxLength"] == 255
                continue
            assert PREFIXES[noun].rstrip("_") in schema["pattern"], name


@each_tool
def test_a_get_names_the_id_it_takes_in_its_own_description(operation: Operation) -> None:
    if operation.name.startswith("get_") and "id" in operation.input.model_fields:
        assert PREFIXES[operation.name.removeprefix("get_")] in operation.description


@each_tool
def test_every_argument_is_described(operation: Operation) -> None:
    silent = [name for name, schema in properties(operation).items() if len(schema.get("description", "")) < 10]
    assert silent == []


@each_tool
def test_amounts_say_their_unit(operation: Operation) -> None:
    for name, schema in properties(operation).items():
        if "amount" in name:
            assert "minor unit" in schema["description"]
            assert schema["type"] == "integer"
    shows_money = {"charges", "refunds", "invoices", "reports", "search"} & set(operation.tags)
    if shows_money:
        said = json.dumps(tool(operation))
        assert "minor unit" in said


@each_tool
@pytest.mark.requirement("TS-013")
def test_dates_say_what_they_look_like(operation: Operation) -> None:
    for name, schema in properties(operation).items():
        if name.endswith(("_from", "_to", "_at")):
            assert re.search(r"2026-\d\d-\d\d|the same forms", schema["description"]), name


@each_tool
def test_a_write_says_how_to_try_it_and_how_to_repeat_it(operation: Operation) -> None:
    if operation.writes:
        assert {"dry_run", "idempotency_key"} <= set(properties(operation))
        assert "dry_run" in operation.description


def test_every_queue_that_an_operation_wakes_is_bound_by_the_function_of_mcp() -> None:
    (function,) = (each._function for each in mcp.blueprint._function_builders)
    bound = {each.queue_name for each in function.get_bindings() if each.type == "queue"}
    woken = {operation.wakes for operation in OPERATIONS if operation.wakes}
    assert woken and woken == bound == {mcp.QUEUE}


@each_tool
def test_the_two_ways_of_listing_tools_say_the_same(operation: Operation) -> None:
    listed, described = tool(operation), describe(operation)
    assert listed["name"] == described["name"]
    assert listed["description"] == described["description"]
    parts = [described[part] for part in ("path_schema", "query_schema", "body_schema") if described[part]]
    together = {name: schema for part in parts for name, schema in part["properties"].items()}
    assert together == listed["inputSchema"]["properties"]


@pytest.mark.requirement("SC-57")
def test_the_tools_are_the_released_ones(data_file: Callable[[str, str], None]) -> None:
    text = json.dumps([tool(operation) for operation in AGENTS], indent=2, ensure_ascii=False) + "\n"
    data_file("snapshots/tools.json", text)


def test_a_whole_list_of_tools_stays_small_enough_for_a_models_context() -> None:
    core = [tool(operation) for operation in AGENTS if "core" in operation.tags]
    assert len(json.dumps(core)) / len(core) < 2_800, "characters a tool on average"

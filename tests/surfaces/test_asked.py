"""Lists, search and statistics answer which filters arrived and how they were understood, so that a client that lost one sees it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
import pytest_asyncio

from shared.actor import Origin
from shared.road.catalogue import OPERATIONS
from shared.road.operation import Filtered, Operation
from shared.surfaces import mcp, rest, schemas
from tests.surfaces.company import Company, open_company

ROW, ATTEMPT, TRACE = "aud_" + "0" * 26, "att_" + "0" * 26, "1" * 32
WHOLE = [
    each for each in OPERATIONS if not each.writes and not each.path_fields and each.name != "get_sync"
]  # which takes nothing, of one thing

GIVEN: dict[str, tuple[str, Any]] = {  # a value as it is sent in an address, and as it is understood
    "created_from": ("2026-11-01", "2026-11-01T00:00:00Z"),
    "created_to": ("2026-11-01", "2026-11-01T23:59:59Z"),
    "limit": ("3", 3),
    "customer": ("cus_Jane1", "cus_Jane1"),
    "q": ("Jane Smith", "Jane Smith"),
    "operation": ("create_refund", "create_refund"),
    "actor": ("system", "system"),
    "attempt": (ATTEMPT, ATTEMPT),
    "object": ("ch_001", "ch_001"),
    "correlation_id": (TRACE, TRACE),
    "follow": (ROW, ROW),
    "list_audit.cursor": (ROW, ROW),
    "list_attempts.cursor": (f"0:1:{ATTEMPT}", f"0:1:{ATTEMPT}"),
}
FORMS = {"2026-11-01T01:30:00+01:00": "2026-11-01T00:30:00Z", "1793491200": "2026-11-01T00:00:00Z"}


@pytest_asyncio.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with open_company(tmp_path / "billy") as opened:
        yield opened


async def over_rest(company: Company, operation: Operation, arguments: dict[str, str]) -> dict[str, Any]:
    request = func.HttpRequest(
        method="GET",
        url=f"http://localhost{operation.path}",
        headers={"authorization": f"Bearer {company.keys['owner']}"},
        params=arguments,
        body=b"",
    )
    return json.loads((await rest.answer(operation, request, company.context)).response.get_body())


async def over_mcp(company: Company, operation: Operation, arguments: dict[str, str]) -> dict[str, Any]:
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": operation.tool, "arguments": arguments}}
    headers = {"host": "localhost", "content-type": "application/json", "authorization": f"Bearer {company.keys['owner']}"}
    answer = await mcp.answer(mcp.Request(Origin("mcp"), "POST", headers, {}, json.dumps(sent).encode()), company.context)
    return json.loads(answer.body)["result"]["structuredContent"]


async def value_of(company: Company, operation: Operation, name: str) -> tuple[str, Any]:
    """A value for one argument that the operation takes."""
    schema = schemas.arguments(operation.input)["properties"][name]
    if "enum" in schema:
        return schema["enum"][0], schema["enum"][0]
    key = f"{operation.name}.{name}"
    if name == "cursor" and key not in GIVEN:
        first = await over_rest(company, operation, {"limit": "1"})
        cursor = first["next_cursor"] or "none"
        return cursor, cursor
    return GIVEN.get(key) or GIVEN[name]


def test_every_list_search_and_statistic_says_what_it_was_asked() -> None:
    assert [each.name for each in WHOLE if not issubclass(each.output, Filtered)] == []
    assert len(WHOLE) >= 9


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("operation", WHOLE, ids=lambda operation: operation.name)
async def test_every_filter_that_arrived_is_told_as_it_was_understood_and_no_other(company: Company, operation: Operation) -> None:
    needed = {"q": "Jane"} if operation.name == "search" else {}
    surfaces = (over_rest, over_mcp) if operation.agents else (over_rest,)
    for ask in surfaces:
        assert (await ask(company, operation, dict(needed)))["asked"] == needed
        for name in schemas.query_names(operation):
            sent, understood = await value_of(company, operation, name)
            if (operation.name, name, sent) in {(each.name, "cursor", "none") for each in WHOLE}:
                continue  # a list of one page has no cursor
            answer = await ask(company, operation, needed | {name: sent})
            assert answer["asked"] == needed | {name: understood}, (name, answer)


@pytest.mark.parametrize("form", FORMS)
async def test_a_moment_in_every_form_is_told_as_the_second_that_it_is(company: Company, form: str) -> None:
    list_charges = next(each for each in OPERATIONS if each.name == "list_charges")
    for name in ("created_from", "created_to"):
        for ask in (over_rest, over_mcp):
            assert (await ask(company, list_charges, {name: form}))["asked"] == {name: FORMS[form]}


async def test_null_is_left_out_and_so_it_is_not_among_what_was_asked(company: Company) -> None:
    list_charges = next(each for each in OPERATIONS if each.name == "list_charges")
    nothing: dict[str, Any] = {"status": None, "limit": 2}
    assert (await over_mcp(company, list_charges, nothing))["asked"] == {"limit": 2}

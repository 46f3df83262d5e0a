"""What the host drops is never what the caller left out: a body without a length, a parameter without a value or given twice.

Each test runs over the whole catalogue, so an operation that is added is held too.
"""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import azure.functions as func
import pytest
import pytest_asyncio

from devhost.edge import read_query
from shared.actor import Actor, Origin
from shared.errors import BillyError
from shared.gateway.runs import is_waiting
from shared.road.catalogue import OPERATIONS
from shared.road.execute import execute
from shared.road.operation import Operation
from shared.surfaces import rest, schemas
from tests.surfaces.company import Company, open_company

PLACES = [(operation, name) for operation in OPERATIONS for name in schemas.query_names(operation)]
BODIES = [operation for operation in OPERATIONS if operation.verb not in ("GET", "DELETE")]
FILTERS = [(operation, name) for operation, name in PLACES if operation.verb == "GET"]
READS = [operation for operation in OPERATIONS if operation.verb == "GET"]

names = {"ids": lambda value: value.name if isinstance(value, Operation) else str(value)}


@pytest_asyncio.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with open_company(tmp_path / "billy") as opened:
        yield opened


async def ask(company: Company, operation: Operation, query: str = "", **headers: str) -> tuple[int, dict[str, Any]]:
    """The answer to a request as the local host hands it over, which drops what the real one drops."""
    path = dict.fromkeys(operation.path_fields, "x")
    request = func.HttpRequest(
        method=operation.verb,
        url=f"http://localhost{operation.path.format(**path)}" + (f"?{query}" if query else ""),
        headers={"authorization": f"Bearer {company.keys['owner']}"} | {name.replace("_", "-"): value for name, value in headers.items()},
        params=read_query({"query_string": query.encode()}),
        route_params=path,
        body=b"",
    )
    response = (await rest.answer(operation, request, company.context)).response
    return response.status_code, json.loads(response.get_body())


async def nothing_was_done(company: Company, count: int, code: str) -> None:
    """Each call left its one row, nothing was attempted, and no synchronisation began."""
    assert [(row["decision"], row["code"]) for row in await company.audit()] == [("refused", code)] * count
    assert list(await company.context.records.find("attempts", {}, limit=1)) == []
    assert await is_waiting(company.context) is False


ANNOUNCED: list[dict[str, str]] = [
    {"transfer_encoding": "chunked", "content_type": "application/json"},
    {"transfer_encoding": "chunked"},
    {"transfer_encoding": "gzip, chunked", "content_length": "0"},
    {"content_type": "application/json"},
    {"content_type": "application/json", "expect": "100-continue"},
    {"content_encoding": "gzip"},
    {"content_type": "application/json", "content_length": "17"},
    {"trailer": "digest", "content_type": "application/json"},
]


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("operation", BODIES, **names)
async def test_a_body_that_was_announced_and_is_not_there_is_411_in_words(company: Company, operation: Operation) -> None:
    for headers in ANNOUNCED:
        status, answer = await ask(company, operation, **headers)
        assert (status, answer["code"]) == (411, "length_required"), headers
        assert "Content-Length" in answer["next"] and "Nothing was done" in answer["next"]
    await nothing_was_done(company, len(ANNOUNCED), "length_required")


@pytest.mark.requirement("SC-85")
async def test_a_read_refuses_a_body_in_pieces_too(company: Company) -> None:
    for operation in READS:
        status, answer = await ask(company, operation, transfer_encoding="chunked")
        assert (status, answer["code"]) == (411, "length_required"), operation.name
    await nothing_was_done(company, len(READS), "length_required")


@pytest.mark.parametrize("headers", [{}, {"content_length": "0"}, {"content_length": "0", "content_type": "application/json"}], ids=str)
async def test_no_body_that_nobody_announced_is_what_it_was(company: Company, headers: Mapping[str, str]) -> None:
    start_sync = next(each for each in OPERATIONS if each.name == "start_sync")
    assert (await ask(company, start_sync, query="dry_run=true", **headers))[0] == 200


async def test_a_read_that_describes_a_body_and_sends_none_is_served(company: Company) -> None:
    get_stats = next(each for each in OPERATIONS if each.name == "get_stats")
    assert (await ask(company, get_stats, content_type="application/json"))[0] == 200


FORMS = ("{}=", "{}", "{}=&limit=1", "{0}=x&{0}=", "{0}=x&{0}=x", "{0}=x&{0}=y")


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if schemas.query_names(each)], **names)
async def test_a_parameter_without_a_value_or_given_twice_is_refused(company: Company, operation: Operation) -> None:
    asked = [(name, form.format(name)) for name in schemas.query_names(operation) for form in FORMS]
    for name, query in asked:
        status, answer = await ask(company, operation, query)
        assert (status, answer["code"], answer["fields"][0]["field"]) == (400, "invalid_request", name), query
    await nothing_was_done(company, len(asked), "invalid_request")


UNKNOWN = ("canary_7", "canary_7=", "=", "canary_7=1&canary_7=1", "CANARY_7=1&canary_7=2", "?canary_7", "canary_7=1", "limit=1&LIMIT=2")


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("operation", OPERATIONS, **names)
async def test_a_parameter_that_nobody_knows_is_refused_with_and_without_a_value(company: Company, operation: Operation) -> None:
    for query in UNKNOWN:
        status, answer = await ask(company, operation, query)
        assert (status, answer["code"]) == (400, "invalid_request"), query
        assert "canary" not in json.dumps(answer).lower()
    await nothing_was_done(company, len(UNKNOWN), "invalid_request")


SAYS_NOTHING = ("", " ", "\t", "\u200b", "\u2800", "%", "\x00", "*", "-", '""')


@pytest.mark.requirement("SC-85")
@pytest.mark.parametrize("operation, parameter", FILTERS, **names)
async def test_a_filter_fails_closed_where_its_value_says_nothing(company: Company, operation: Operation, parameter: str) -> None:
    """Over every filter of every list, search and statistic, by the road itself: what MCP and REST share."""
    actor = Actor("key_" + "0" * 26, "asker", "owner", "key", Origin("rest"))
    for value in SAYS_NOTHING:
        try:
            answered = await execute(operation, dict.fromkeys(operation.path_fields, "x") | {parameter: value}, actor, company.context)
        except BillyError as refused:
            assert refused.code == "invalid_request", repr(value)
        else:
            assert answered.body["data"] == [], "what is no word and nobody's id finds nothing"


def test_the_local_host_drops_what_the_real_one_drops() -> None:
    """Without this the tests above would prove nothing."""
    query = "a=&b&c=1&c=2&d=3"
    assert read_query({"query_string": query.encode()}) == {"c": "1,2", "d": "3"}
    assert ("a", "") in parse_qsl(query, keep_blank_values=True)

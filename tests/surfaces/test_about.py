"""What Billy says about itself over HTTP: tools, the OpenAPI document and health."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.road.catalogue import OPERATIONS
from shared.surfaces import openapi
from tests.edge.devhost_process import ROOT
from tests.surfaces.company import OBJECTS
from tests.surfaces.running import RunningBilly

NOBODYS = "att_" + "0" * 26


def documented(path: str) -> Any:
    """The schema of what a path answers, as the document has it."""
    return openapi.document()["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("surfaces-host")]


@pytest.mark.requirement("TS-001", "TS-002")
def test_one_address_lists_the_tools_that_a_key_may_call(billy: RunningBilly) -> None:
    answer = billy.client.get("/api/tools", headers=billy.bearer("owner")).json()
    assert [row["operation"] for row in answer["data"]] == [each.name for each in OPERATIONS if each.agents]
    assert answer["total"] == len(answer["data"])
    Draft202012Validator(documented("/api/tools")).validate(answer)


@pytest.mark.requirement("TS-003", "TB-010")
def test_the_list_of_tools_is_filtered_by_role_method_and_tag(billy: RunningBilly) -> None:
    def names(role: str, **query: str) -> list[str]:
        return [row["operation"] for row in billy.client.get("/api/tools", params=query, headers=billy.bearer(role)).json()["data"]]

    assert "create_refund" not in names("read_only")
    assert names("owner", **{"methods[0]": "write"}) == ["create_refund", "end_attempt", "start_sync"]
    assert names("billing_clerk", **{"methods[0]": "write"}) == ["create_refund"]
    assert names("billing_clerk", **{"methods[0]": "read", "tags[0]": "refunds"}) == ["list_refunds", "get_refund"]


@pytest.mark.requirement("TS-002")
def test_a_tool_that_is_listed_can_be_called_by_what_the_list_says(billy: RunningBilly) -> None:
    ids = {kind: value["id"] for kind, value in OBJECTS}
    rows = billy.client.get("/api/tools", params={"methods[0]": "read"}, headers=billy.bearer("read_only")).json()["data"]
    for row in rows:
        path = row["path"].replace("{id}", ids.get(row["operation"].removeprefix("get_"), NOBODYS))
        needed = dict.fromkeys((row["query_schema"] or {}).get("required", []), "jane")
        reply = billy.client.request(row["verb"], path, params=needed, headers=billy.bearer("read_only"))
        assert reply.status_code == (404 if row["operation"] == "get_attempt" else 200), row[
            "operation"
        ]  # a reader has no attempt of its own


def test_the_tools_are_not_for_everybody(billy: RunningBilly) -> None:
    reply = billy.client.get("/api/tools")
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert billy.audit()[-1]["operation"] == "list_tools"


def test_an_unknown_filter_is_a_problem_that_names_what_is_known(billy: RunningBilly) -> None:
    reply = billy.client.get("/api/tools", params={"tags[0]": "no-such-tag"}, headers=billy.bearer("owner"))
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")
    assert "core" in reply.json()["next"] and "no-such-tag" not in reply.text


def test_the_openapi_document_is_served_to_everybody_as_it_was_written(billy: RunningBilly) -> None:
    reply = billy.client.get("/api/openapi.json")
    assert reply.status_code == 200
    assert reply.json() == openapi.document() == json.loads((ROOT / "docs" / "openapi.json").read_text())


def test_health_is_told_to_everybody_and_holds_no_secret(billy: RunningBilly) -> None:
    reply = billy.client.get("/api/health")
    assert reply.status_code == 200
    assert set(reply.json()) == {"ready", "version", "store", "mirror", "keys"}
    assert reply.json()["ready"] is True
    Draft202012Validator(documented("/api/health")).validate(reply.json())
    assert not any(key in reply.text for key in billy.keys.values())

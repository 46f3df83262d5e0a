"""The OpenAPI document describes every operation, and its examples are true."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from shared.road.catalogue import OPERATIONS
from shared.road.execute import parse
from shared.road.operation import Operation
from shared.surfaces import openapi
from shared.surfaces.openapi_examples import ANSWERS, ARGUMENTS, BODIES

DOCUMENT = openapi.document()
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def described(operation: Operation) -> dict[str, Any]:
    return DOCUMENT["paths"][operation.path][operation.verb.lower()]


@each_operation
def test_every_operation_is_described_under_its_one_name(operation: Operation) -> None:
    found = described(operation)
    assert found["operationId"] == operation.name
    assert found["description"] == operation.description
    assert [each["name"] for each in found["parameters"] if each["in"] == "path"] == list(operation.path_fields)


def test_names_are_unique() -> None:
    names = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS) + 3


@each_operation
def test_every_operation_needs_a_key_and_says_how_it_fails(operation: Operation) -> None:
    found = described(operation)
    assert "security" not in found and DOCUMENT["security"] == [{"key": []}]
    assert {"200", "400", "401", "403", "404", "500", "503"} <= set(found["responses"])
    if operation.writes:
        assert "Idempotency-Key" in [each["name"] for each in found["parameters"]]


def test_errors_are_problem_documents() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_every_reference_leads_somewhere() -> None:
    registry = Registry().with_resource("", DRAFT202012.create_resource(DOCUMENT))
    resolver = registry.resolver()

    def walk(node: Any) -> int:
        if isinstance(node, dict):
            here = 1 if isinstance(node.get("$ref"), str) else 0
            if here:
                assert resolver.lookup(node["$ref"]).contents
            return here + sum(walk(value) for value in node.values())
        return sum(walk(value) for value in node) if isinstance(node, list) else 0

    assert walk(DOCUMENT) > 20


@pytest.mark.parametrize("name", ANSWERS)
def test_an_example_of_an_answer_is_what_the_schema_allows(name: str) -> None:
    operation = next(each for each in OPERATIONS if each.name == name)
    media = described(operation)["responses"]["200"]["content"]["application/json"]
    for example in media["examples"].values():
        Draft202012Validator(media["schema"]).validate(example["value"])
        operation.output.model_validate(example["value"])


@pytest.mark.parametrize("name", BODIES)
def test_an_example_of_a_body_is_accepted_by_the_operation(name: str) -> None:
    operation = next(each for each in OPERATIONS if each.name == name)
    for example in BODIES[name].values():
        parse(operation, example["value"])


@each_operation
def test_an_example_of_an_argument_is_accepted_by_the_operation(operation: Operation) -> None:
    given = {each["name"]: str(each["example"]) for each in described(operation)["parameters"] if "example" in each}
    if not operation.writes:
        parse(operation, given)
    assert all(name in given for name in operation.path_fields)


def test_every_example_belongs_to_something() -> None:
    names = {each.name for each in OPERATIONS}
    assert set(ANSWERS) <= names and set(BODIES) <= names
    arguments = {name for each in OPERATIONS for name in each.input.model_fields}
    assert {key.rsplit(".", 1)[-1] for key in ARGUMENTS} <= arguments


def test_amounts_have_examples_with_their_unit_in_words() -> None:
    assert "45.99 USD" in json.dumps(described(next(each for each in OPERATIONS if each.name == "create_refund")))

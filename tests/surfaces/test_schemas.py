"""The schemas that agents and clients are given."""

from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from shared.road.catalogue import OPERATIONS
from shared.road.operation import Input, Operation
from shared.surfaces import schemas

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


class Inner(BaseModel):
    """Something inside."""

    word: Literal["a", "b"] | None = Field(None, description="A word.")


class Sample(Input):
    required: int = Field(ge=1, description="A number.")
    optional: str | None = Field(None, max_length=5, description="A text.")
    chosen: Literal["x", "y"] | None = None
    title: str | None = Field(None, description="A property that is called title.")
    either: int | str | None = None
    inner: Inner | None = None


class Chain(BaseModel):
    next: "Chain | None" = None


def keywords(schema: Any) -> set[str]:
    """Every keyword in a schema, without the names of properties."""
    found: set[str] = set()
    if isinstance(schema, dict):
        for key, value in schema.items():
            found.add(key)
            inner = value.values() if key == "properties" else [value] if key not in ("enum", "const", "default", "examples") else []
            for each in inner:
                found |= keywords(each)
    elif isinstance(schema, list):
        for each in schema:
            found |= keywords(each)
    return found


def test_an_optional_argument_says_the_one_type_it_takes() -> None:
    properties = schemas.arguments(Sample)["properties"]
    assert properties["optional"] == {"type": "string", "maxLength": 5, "description": "A text."}
    assert properties["chosen"] == {"enum": ["x", "y"], "type": "string"}
    assert properties["inner"]["properties"]["word"] == {"enum": ["a", "b"], "type": "string", "description": "A word."}


def test_where_a_body_may_hold_null_its_schema_says_so() -> None:
    properties = schemas.arguments(Sample, nulls=True)["properties"]
    assert properties["optional"]["type"] == ["string", "null"]
    assert properties["chosen"] == {"enum": ["x", "y", None], "type": ["string", "null"]}
    assert properties["either"]["type"] == ["integer", "string", "null"]


def test_an_answer_says_where_it_may_hold_null() -> None:
    schema = schemas.answer(Inner)
    assert schema["properties"]["word"]["enum"] == ["a", "b", None]
    Draft202012Validator(schema).validate({"word": None})


def test_a_property_that_is_called_title_stays() -> None:
    assert schemas.arguments(Sample)["properties"]["title"]["description"] == "A property that is called title."


def test_a_part_keeps_what_is_required_of_it() -> None:
    assert schemas.part(schemas.arguments(Sample), ("optional", "required"))["required"] == ["required"]
    assert "required" not in schemas.part(schemas.arguments(Sample), ("optional",))


def test_a_model_that_contains_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="contains itself"):
        schemas.answer(Chain)


@each_operation
def test_input_schemas_are_plain_and_closed(operation: Operation) -> None:
    schema = schemas.arguments(operation.input)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert not keywords(schema) & {"anyOf", "oneOf", "allOf", "$ref", "$defs", "title"}


@each_operation
def test_schemas_are_valid_and_refer_to_nothing_outside(operation: Operation) -> None:
    for schema in (schemas.arguments(operation.input), schemas.arguments(operation.input, nulls=True), schemas.answer(operation.output)):
        Draft202012Validator.check_schema(schema)
        assert not keywords(schema) & {"$ref", "$defs"}


@each_operation
def test_every_argument_goes_into_exactly_one_place(operation: Operation) -> None:
    places = [*operation.path_fields, *schemas.query_names(operation), *schemas.body_names(operation)]
    assert sorted(places) == sorted(operation.input.model_fields)


def test_schemas_are_made_once() -> None:
    assert schemas.arguments(Sample) is schemas.arguments(Sample)

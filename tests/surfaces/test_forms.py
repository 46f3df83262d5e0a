"""Forms of one value, over the whole catalogue: what a schema admits is taken, what loses something is refused with what would be right."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BillyError
from shared.operations.lists import LAST_SECOND, moment
from shared.road.catalogue import OPERATIONS
from shared.road.execute import parse
from shared.road.forms import EXACT, EXAMPLES, _kinds, is_placeholder
from shared.road.identity import canonical_key, request_digest
from shared.road.operation import Operation
from shared.surfaces import schemas
from shared.surfaces.mcp_tools import tool
from shared.surfaces.openapi import document
from shared.surfaces.tools import describe

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)

NO_VALUE = [
    "null",
    "None",
    "undefined",
    "nil",
    "N/A",
    "NaN",
    "string",
    "<idempotency_key>",
    "<cursor>",
    "   ",
    "{{value}}",
    "${VALUE}",
    "'null'",
]
TYPE_ERRORS = ("type", "parsing")  # in the kinds of pydantic's errors


def properties(operation: Operation) -> dict[str, dict[str, Any]]:
    return schemas.arguments(operation.input)["properties"]


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of ours admits, in every form that JSON Schema knows of it."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "integer":
            whole = st.integers(schema.get("minimum", -EXACT + 1), schema.get("maximum", EXACT - 1))
            return whole | whole.map(float)
        case "boolean":
            return st.booleans()
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 50))
        case other:
            raise AssertionError(f"No form is known for {other}.")


def admitted(operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
    schema = schemas.arguments(operation.input)
    required = schema.get("required", [])
    made = {name: values(each) for name, each in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: made[name] for name in required}, optional={name: made[name] for name in made if name not in required}
    )


@pytest.mark.requirement("SC-26")
@each_operation
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_the_schema_admits_is_not_refused_for_its_type(operation: Operation, data: st.DataObject) -> None:
    arguments = data.draw(admitted(operation))
    try:
        parse(operation, arguments)
    except BillyError as error:
        assert not [each for each in error.fields if any(word in each["problem"] for word in TYPE_ERRORS)], (arguments, error.fields)


@pytest.mark.requirement("SC-26")
@each_operation
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_call_has_one_digest_whatever_forms_it_is_written_in(operation: Operation, data: st.DataObject) -> None:
    arguments = data.draw(admitted(operation))
    try:
        one = parse(operation, arguments)
    except BillyError:
        return
    nulls = {name: None for name in properties(operation) if name not in arguments}
    as_text = {
        name: str(int(value)) if type(value) in (int, float) else str(value).lower() if value in (True, False) else value
        for name, value in arguments.items()
    }
    as_double = {name: float(value) if type(value) is int and abs(value) < EXACT else value for name, value in arguments.items()}
    for form in (arguments | nulls, as_text, as_double | nulls):
        other = parse(operation, form)
        told = [request_digest(each.model_dump(exclude_none=True, exclude_unset=True)) for each in (one, other)]
        assert one == other and told[0] == told[1]


LOSES = {
    "integer": [
        "45.99",
        45.99,
        30.5,
        "4,599",
        "4599 usd",
        "0x11F7",
        "0x1",
        " 4599",
        "4599 ",
        "٤٥",
        "١",
        "",
        True,
        False,
        "1e2",
        "+5",
        "007",
        "30.0",
        "1_000",
        "Infinity",
        "$45",
        [25],
        {"value": 25},
        1e300,
        "9" * 40,
        "²",
    ],
    "boolean": ["yes", "no", 1, 0, 1.0, "1", "0", "false ", " true", "True", "FALSE", "on", "", [], "t"],
    "string": [5, 4.5, True, ["a"], {"a": "b"}],
}


@pytest.mark.requirement("SC-26")
@each_operation
def test_a_form_that_loses_something_is_refused_with_what_would_be_right(operation: Operation) -> None:
    for name, schema in properties(operation).items():
        for value in LOSES[schema["type"]]:
            with pytest.raises(BillyError) as refused:
                parse(operation, _required(operation) | {name: value})
            told = next(each for each in refused.value.fields if each["field"] == name)
            assert refused.value.code == "invalid_request"
            if "enum" in schema:
                assert all(repr(each) in told["expected"] for each in schema["enum"])
            else:
                assert EXAMPLES[{"integer": int, "boolean": bool, "string": str}[schema["type"]]] in told["expected"], told


def test_an_amount_in_major_units_is_told_the_minor_ones() -> None:
    for operation in OPERATIONS:
        if "amount" in operation.input.model_fields:
            with pytest.raises(BillyError) as refused:
                parse(operation, _required(operation) | {"amount": "45.99"})
            assert "minor units" in refused.value.fields[0]["expected"] and "4599 is 45.99 USD" in refused.value.fields[0]["expected"]


@each_operation
def test_null_is_an_argument_left_out(operation: Operation) -> None:
    required = _required(operation)
    for name in properties(operation):
        if name in required:
            with pytest.raises(BillyError):
                parse(operation, required | {name: None})
        else:
            assert parse(operation, required | {name: None}) == parse(operation, required)


@pytest.mark.requirement("SC-86")
@each_operation
def test_a_placeholder_is_no_value_of_any_optional_text(operation: Operation) -> None:
    required = schemas.arguments(operation.input).get("required", ())
    for name, schema in properties(operation).items():
        if name in required or schema["type"] != "string":
            continue
        for word in NO_VALUE:
            with pytest.raises(BillyError) as refused:
                parse(operation, _required(operation) | {name: word})
            (told,) = refused.value.fields
            assert (refused.value.code, told["field"]) == ("invalid_request", name)
            assert "enum" in schema or ("placeholder" in told["expected"] and "leave it out" in told["expected"])


@pytest.mark.parametrize("word", ["nullify", "Nullmeier", "string quartet", "na-5678", "<b> and </b> too", "order {1}", "-5", "N"])
def test_a_text_that_only_begins_like_a_placeholder_is_one_of_ones_own(word: str) -> None:
    assert not is_placeholder(word)


@pytest.mark.parametrize("key", ["ticket-undefined", "order:null", "refund none", "a.NaN"])
def test_a_key_at_whose_end_a_template_had_no_value_is_none(key: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        canonical_key(key)


UNIONS = {"anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "nullable", "if", "patternProperties"}


def one_type_each(schema: dict[str, Any], where: str) -> list[str]:
    """What in a schema several clients refuse."""
    wrong = [f"{where}: {word}" for word in UNIONS & set(schema)]
    if not isinstance(schema.get("type"), str):
        wrong.append(f"{where}: the type {schema.get('type')}")
    if None in schema.get("enum", ()) or ("default" in schema and schema["default"] is None):
        wrong.append(f"{where}: null")
    for name, inner in schema.get("properties", {}).items():
        wrong += one_type_each(inner, f"{where}.{name}")
    return wrong + (one_type_each(schema["items"], f"{where}[]") if "items" in schema else [])


@each_operation
def test_every_tool_schema_names_one_type_for_each_argument(operation: Operation) -> None:
    shown = describe(operation)
    every = {"mcp": tool(operation)["inputSchema"]} | {part: shown[part] for part in ("path_schema", "query_schema", "body_schema")}
    assert [wrong for name, schema in every.items() if schema for wrong in one_type_each(schema, name)] == []


def test_the_document_says_that_a_body_may_hold_null_wherever_an_argument_may_be_left_out() -> None:
    bodies = [
        content["schema"]
        for path in document()["paths"].values()
        for each in path.values()
        for content in each.get("requestBody", {}).get("content", {}).values()
        if "properties" in content["schema"]
    ]
    assert bodies
    for body in bodies:
        for name, schema in body["properties"].items():
            assert ("null" in schema["type"]) == (name not in body.get("required", ())), name


@each_operation
def test_every_argument_is_of_a_kind_whose_forms_are_known(operation: Operation) -> None:
    kinds = _kinds(operation.input)
    for name, schema in properties(operation).items():
        assert kinds.get(name) in EXAMPLES or "enum" in schema, name
        if kinds.get(name) is int:
            assert -EXACT < schema["minimum"] <= schema["maximum"] < EXACT, "a number that a double keeps"


@pytest.mark.parametrize(
    "text",
    [
        "2026",
        "20260101",
        "0",
        "1",
        "99999999",
        "1767225600000",
        "12345678901",
        "٢٠٢٦",
        "٢٠٢٦-٠١-٠١",
        "2026-01-01T00:00:00",
        "202601",
        "2026-13-01",
        "-2026",
    ],
)
def test_digits_that_may_be_a_year_or_a_day_are_never_seconds(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-01"):
        moment(text)


@given(st.integers(0, 99_999_999))
def test_no_four_or_eight_digits_are_seconds_after_1970(number: int) -> None:
    for text in (f"{number:04}", f"{number:08}"):
        with pytest.raises(ValueError):
            moment(text)


def test_dates_and_seconds_are_what_they_say() -> None:
    assert moment("2026-01-01") == moment("1767225600") == moment("2026-01-01T01:00:00+01:00") == 1_767_225_600
    assert moment("2026-01-01", end=True) == 1_767_225_600 + 86_399
    assert moment("100000000") == 100_000_000
    assert moment("9999-12-31", end=True) == LAST_SECOND


def _required(operation: Operation) -> dict[str, Any]:
    """The least that the operation takes."""
    schema = schemas.arguments(operation.input)
    made: dict[str, Any] = {}
    for name in schema.get("required", ()):
        each = schema["properties"][name]
        made[name] = each["enum"][0] if "enum" in each else _text(operation, name, each)
    return made


def _text(operation: Operation, name: str, schema: dict[str, Any]) -> Any:
    if schema["type"] != "string":
        return schema.get("minimum", 1)
    if "pattern" not in schema:
        return "a text"
    prefix = re.match(r"\^\(?([a-z]+)", schema["pattern"])
    return f"{prefix[1] if prefix else 'any'}_" + "0" * 26

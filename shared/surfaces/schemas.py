"""JSON Schemas of the catalogue's models, made plain enough for every agent, framework and validator.

pydantic writes the schemas; here references are inlined, invented titles removed, and nullable members said in one word:
an optional argument is simply left out of a call, so its schema names the one type it takes, while an answer that may
hold null says so with a list of types. What remains is valid JSON Schema 2020-12 without `$ref`, and input schemas hold no `anyOf`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from shared.road.operation import Operation

type Schema = dict[str, Any]

_NOTES = ("title", "default", "discriminator")  # dropped from a nullable wrapper once its one real branch is taken


@cache
def arguments(model: type[BaseModel], *, nulls: bool = False) -> Schema:
    """The schema of an operation's arguments: an object that refuses unknown members. Shared: callers must not change it.

    With `nulls` it also says that null is taken where an argument may be left out, as a JSON body may have it.
    """
    schema: Schema = {"type": "object", "properties": {}, **_plain(model.model_json_schema(mode="validation"), nullable=nulls)}
    if nulls:
        left_out = set(schema["properties"]) - set(schema.get("required", ()))
        schema["properties"] = {name: _or_null(each) if name in left_out else each for name, each in schema["properties"].items()}
    return {**schema, "additionalProperties": False}


@cache
def answer(model: type[BaseModel]) -> Schema:
    """The schema of an operation's answer as it goes out. Shared: callers must not change it."""
    return _plain(model.model_json_schema(mode="serialization"), nullable=True)


def part(schema: Schema, names: tuple[str, ...]) -> Schema:
    """The same object schema reduced to some of its properties, in the order of `names`."""
    properties: Mapping[str, Schema] = schema["properties"]
    required = [name for name in schema.get("required", ()) if name in names]
    reduced: Schema = {"type": "object", "properties": {name: properties[name] for name in names}, "additionalProperties": False}
    return {**reduced, "required": required} if required else reduced


def query_names(operation: Operation) -> tuple[str, ...]:
    """The arguments that REST takes from the query string: those of a GET and of a DELETE."""
    return _rest(operation) if operation.verb in ("GET", "DELETE") else ()


def body_names(operation: Operation) -> tuple[str, ...]:
    """The arguments that REST takes from a JSON body: those of a POST and of a PATCH."""
    return _rest(operation) if operation.verb in ("POST", "PATCH") else ()


def _rest(operation: Operation) -> tuple[str, ...]:
    return tuple(name for name in arguments(operation.input)["properties"] if name not in operation.path_fields)


def _plain(schema: Schema, *, nullable: bool) -> Schema:
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    return _node({name: value for name, value in schema.items() if name != "$defs"}, definitions, nullable, ())


def _node(node: Any, definitions: Mapping[str, Schema], nullable: bool, within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_node(item, definitions, nullable, within) for item in node]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(node, dict):
        return node
    schema: Schema = dict(node)  # pyright: ignore[reportUnknownArgumentType]
    if reference := schema.pop("$ref", None):
        name = str(reference).rsplit("/", 1)[-1]
        if name in within:
            raise ValueError(f"{name} contains itself: such a model cannot be offered to agents")
        return _node({**definitions[name], **schema}, definitions, nullable, (*within, name))
    if branches := schema.get("anyOf"):
        schema = _branches(schema, branches, definitions, nullable, within)
    return {
        key: {name: _node(value, definitions, nullable, within) for name, value in content.items()}
        if key == "properties"
        else content
        if key in ("default", "const", "enum", "examples")
        else _node(content, definitions, nullable, within)
        for key, content in schema.items()
        if not (key == "title" and isinstance(content, str)) and not (key == "default" and content is None)
    }


def _branches(schema: Schema, branches: list[Schema], definitions: Mapping[str, Schema], nullable: bool, within: tuple[str, ...]) -> Schema:
    """`anyOf` with null becomes its one other branch, widened by null where the schema speaks of answers."""
    real = [branch for branch in branches if branch.get("type") != "null"]
    outer = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(real) > 1:
        kinds = [_node(branch, definitions, nullable, within) for branch in real]
        if not all(set(kind) == {"type"} for kind in kinds):
            return schema
        names = [kind["type"] for kind in kinds] + (["null"] if nullable and len(real) < len(branches) else [])
        return {**outer, "type": names}
    inner = _node(real[0], definitions, nullable, within)
    merged: Schema = {**{key: value for key, value in inner.items() if key not in _NOTES or key not in outer}, **outer}
    return _or_null(merged) if nullable and len(real) < len(branches) else merged


def _or_null(schema: Schema) -> Schema:
    """The schema that takes null too; one that does already is as it was."""
    widened = dict(schema)
    if "const" in widened:
        widened["enum"] = [widened.pop("const")]
    if "enum" in widened and None not in widened["enum"]:
        widened["enum"] = [*widened["enum"], None]
    kind = widened.get("type")
    return {**widened, "type": [kind, "null"]} if isinstance(kind, str) else widened

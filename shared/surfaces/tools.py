"""The answer of GET /api/tools: the operations a key may call, described so that an agent framework can call them over REST."""

from collections.abc import Iterable
from typing import Any

from shared.actor import Actor
from shared.road.operation import Operation
from shared.surfaces import schemas
from shared.surfaces.selection import Selection, offered


def list_tools(catalogue: Iterable[Operation], actor: Actor, selection: Selection) -> dict[str, Any]:
    """`{"asked", "data": [tool…], "total"}`, in the catalogue's order: what the role permits and the selection admits."""
    rows = [describe(operation) for operation in offered(catalogue, actor.role, selection)]
    lists = {"methods": selection.methods, "tags": selection.tags}
    asked = {name: sorted(words) for name, words in lists.items() if words is not None}
    return {"asked": asked, "data": rows, "total": len(rows)}


def describe(operation: Operation) -> dict[str, Any]:
    """One tool. The three schemas say what goes into the path, the query string and the JSON body; null where nothing does."""
    return {
        "name": operation.tool,
        "operation": operation.name,
        "description": operation.description,
        "method": operation.method,
        "tags": list(operation.tags),
        "verb": operation.verb,
        "path": operation.path,
        "path_schema": _schema(operation, operation.path_fields),
        "query_schema": _schema(operation, schemas.query_names(operation)),
        "body_schema": _schema(operation, schemas.body_names(operation)),
    }


def _schema(operation: Operation, names: tuple[str, ...]) -> schemas.Schema | None:
    return schemas.part(schemas.arguments(operation.input), names) if names else None

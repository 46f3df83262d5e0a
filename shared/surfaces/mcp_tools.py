"""The catalogue as MCP tools. Imported on the first call to /mcp, because it brings the SDK with it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import mcp_types as types
import orjson
from mcp.shared.exceptions import MCPError

from shared.errors import BillyError, problem
from shared.policy import roles
from shared.road import catalogue
from shared.road.execute import execute
from shared.road.operation import Operation
from shared.surfaces import schemas
from shared.surfaces.mcp import Caller
from shared.surfaces.mcp_server import caller_of, make_serve, make_server
from shared.surfaces.selection import CORE, Selection, offered
from shared.telemetry.invocation import crashed

PROBLEM: schemas.Schema = {
    "type": "object",
    "description": "A refusal or failure; isError is then true. `next` says what can be done.",
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}, "next": {"type": "string"}},
    "required": ["code", "detail"],
}


@cache
def tool(operation: Operation) -> dict[str, Any]:
    """A tool's wire form. Nothing in it comes from data."""
    return {
        "name": operation.tool,
        "title": title(operation),
        "description": operation.description,
        "inputSchema": schemas.arguments(operation.input),
        # Clients of the first generation check an error's structured content against this schema too, so it names both shapes.
        "outputSchema": {"type": "object", "anyOf": [schemas.answer(operation.output), PROBLEM]},
        "annotations": annotations(operation),
    }


def title(operation: Operation) -> str:
    """What a person reads in a list of tools: `create_refund` is "Create refund"."""
    return operation.name.replace("_", " ").capitalize()


def annotations(operation: Operation) -> dict[str, Any]:
    """The four hints, always all of them. Writes reach Stripe, a world outside; reads are answered from the mirror."""
    return {
        "title": title(operation),
        "readOnlyHint": not operation.writes,
        "destructiveHint": operation.destructive,
        "idempotentHint": operation.idempotent,
        "openWorldHint": operation.writes,
    }


def listed(caller: Caller) -> list[Operation]:
    """What a list shows: the core, or what the filter in the address asks for."""
    wanted = caller.selection if caller.selection.tags is not None else Selection(caller.selection.methods, CORE)
    return list(offered(catalogue.OPERATIONS, caller.actor.role, wanted))


def _last_resort(handler: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """The handler, whose crash leaves a row and is answered in our words; the SDK would log and answer those of the exception."""

    async def handled(context: Any, params: Any) -> Any:
        try:
            return await handler(context, params)
        except MCPError:
            raise
        except Exception as crash:
            caller = caller_of(context)
            error = crash if isinstance(crash, BillyError) else crashed(crash, "mcp", caller.context.seam)
            with suppress(BillyError):
                await caller.exchange.tell(error)
            raise MCPError(types.INTERNAL_ERROR, error.detail, problem(error)) from None

    return handled


async def _list_tools(context: Any, params: types.PaginatedRequestParams | None) -> Any:
    return {"resultType": "complete", "tools": [tool(operation) for operation in listed(caller_of(context))]}


async def _call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    caller = caller_of(context)
    operation = await _permitted(caller, params.name, params.arguments or {})
    caller.exchange.told = True
    try:
        answered = await execute(operation, params.arguments or {}, caller.actor, caller.context)
    except BillyError as error:
        return _result(problem(error), is_error=True)
    caller.wakes = answered.wakes
    return _result(answered.body)


async def _permitted(caller: Caller, name: str, arguments: Mapping[str, Any]) -> Operation:
    """The operation of a tool's name. One that is not offered to this caller gets the answer of one that does not exist."""
    found = next((each for each in catalogue.OPERATIONS if each.tool == name and each.agents), None)
    if found is not None and roles.may(caller.actor.role, found.permission) and caller.selection.admits(found):
        return found
    caller.exchange.operation = found.name if found else None
    caller.exchange.arguments = {each: arguments[each] for each in found.input.model_fields if each in arguments} if found else None
    await caller.exchange.tell(BillyError("not_found" if found is None else "not_allowed", "There is no such tool."))
    raise MCPError(types.INVALID_PARAMS, "There is no such tool for this key.")


def _result(body: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    text = orjson.dumps(body).decode()
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=body, is_error=is_error)


serve = make_serve(make_server(on_list_tools=_last_resort(_list_tools), on_call_tool=_last_resort(_call_tool)))

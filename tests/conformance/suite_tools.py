"""The tools that the official conformance suite calls, behind Billy's own door and wrapper: what the wrapper does, it does to these too."""

from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from shared.surfaces.mcp import Serve
from shared.surfaces.mcp_server import make_serve, make_server

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="

CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
ADDRESS_BOOK: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TEXT = types.TextContent(type="text", text="A simple text.")
IMAGE = types.ImageContent(type="image", data=PIXEL, mime_type="image/png")
AUDIO = types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")
RESOURCE = types.EmbeddedResource(
    type="resource", resource=types.TextResourceContents(uri="test://embedded", mime_type="text/plain", text="Embedded.")
)
ANSWERS: dict[str, list[Any]] = {
    "test_simple_text": [TEXT],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [RESOURCE],
    "test_multiple_content_types": [TEXT, IMAGE, RESOURCE],
    "test_error_handling": [types.TextContent(type="text", text="This tool always fails.")],
    "test_streaming_elicitation": [TEXT],
    "test_logging_tool": [TEXT],
    "test_tool_with_progress": [TEXT],
    "json_schema_2020_12_tool": [TEXT],
    "test_missing_capability": [TEXT],
}


async def _list_tools(context: Any, params: Any) -> types.ListToolsResult:
    tools = [
        types.Tool(name=name, description="For the suite.", input_schema=ADDRESS_BOOK if name.startswith("json_") else CLOSED)
        for name in ANSWERS
    ]
    return types.ListToolsResult(tools=tools)


async def _call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name not in ANSWERS:
        raise MCPError(types.INVALID_PARAMS, "There is no such tool.")
    if params.name == "test_missing_capability":
        able = context.session.client_capabilities
        if able is None or able.sampling is None:
            raise MCPError(-32021, "This tool needs sampling.", {"requiredCapabilities": {"sampling": {}}})
    return types.CallToolResult(content=ANSWERS[params.name], is_error=params.name == "test_error_handling")


def make_suite_serve() -> Serve:
    """What the door calls in place of the catalogue."""
    return make_serve(make_server(on_list_tools=_list_tools, on_call_tool=_call_tool))

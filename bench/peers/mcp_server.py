"""`python -m bench.peers.mcp_server FILE`: the SDK's own server at its least. One tool, whose answer is always the JSON in the file."""

import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.routing import Mount

from bench.peers.webhook_endpoint import serve

TOOL = "billy_get_charge"


def application(constant: dict[str, Any]) -> Starlette:
    text = json.dumps(constant)

    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name=TOOL, input_schema={"type": "object"})])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=constant)

    server: Server[Any] = Server("peer", on_list_tools=list_tools, on_call_tool=call_tool, get_tool_input_schema=lambda name: None)
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    return Starlette(routes=[Mount("/mcp", app=manager.handle_request)], lifespan=lifespan)


if __name__ == "__main__":
    logging.getLogger("mcp").setLevel(logging.WARNING)
    serve(application(json.loads(Path(sys.argv[1]).read_text())))

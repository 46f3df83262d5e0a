"""Messages of both protocol generations, and somebody who posts them at the door of /mcp in this process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.actor import Origin
from shared.surfaces import mcp
from tests.surfaces.company import Company

LEGACY, MODERN = "2025-11-25", "2026-07-28"
GENERATIONS = (LEGACY, MODERN)


def message(generation: str, method: str, params: Mapping[str, Any] | None = None, id: int | str = 1) -> dict[str, Any]:
    """A JSON-RPC request as a client of the generation writes it."""
    filled = dict(params or {})
    if generation == MODERN:
        filled["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "asker", "version": "1.0"},
        }
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": filled}


def routing(generation: str, method: str, name: str | None = None) -> dict[str, str]:
    """The headers that a client of the generation sends with the message."""
    headers = {"mcp-protocol-version": generation}
    if generation == MODERN:
        headers["mcp-method"] = method
        if name is not None:
            headers["mcp-name"] = name
    return headers


@dataclass(slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        return self.json["result"]

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass(slots=True)
class Asker:
    """Posts as somebody with a role. A header that is None is left out."""

    company: Company

    async def post(
        self,
        body: bytes,
        role: str = "owner",
        query: Mapping[str, str] | None = None,
        method: str = "POST",
        url: str = "",
        **headers: str | None,
    ) -> Reply:
        usual: dict[str, str | None] = {
            "host": "localhost:7071",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {self.company.keys[role]}",
        }
        given = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in given.items() if value is not None}
        request = mcp.Request(Origin("mcp", "203.0.113.9", "asker"), method, sent, query or {}, body, url)
        answer = await mcp.answer(request, self.company.context)
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)

    async def ask(
        self,
        generation: str,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        role: str = "owner",
        query: Mapping[str, str] | None = None,
        **headers: str | None,
    ) -> Reply:
        name = str(params["name"]) if params and "name" in params else None
        routed = {key.replace("-", "_"): value for key, value in routing(generation, method, name).items()}
        return await self.post(json.dumps(message(generation, method, params)).encode(), role, query, **(routed | headers))

    async def tools(self, generation: str, *, role: str = "owner", query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        return (await self.ask(generation, "tools/list", role=role, query=query)).result["tools"]

    async def call(self, generation: str, tool: str, arguments: Mapping[str, Any], *, role: str = "owner", **more: Any) -> Reply:
        return await self.ask(generation, "tools/call", {"name": tool, "arguments": dict(arguments)}, role=role, **more)

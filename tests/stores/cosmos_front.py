"""A front before the Cosmos server: it passes everything on, but what a rule says fails as it fails in Azure."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

PASSED = ("content-type", "etag", "x-ms-continuation", "x-ms-item-count", "x-ms-request-charge")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its container (empty where it is about none) and what it wants to do. `account` asks what the account is like."""

    container: str
    does: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer in place of the server's. `after` lets the server do the work first; status 0 cuts the connection."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Requests that wait. Each that arrives is in the queue."""

    asked: Asked
    arrived: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Front:
    url: str = ""
    rule: Callable[[Asked], Refusal | None] = lambda _: None
    asked: list[Asked] = field(default_factory=list)
    held: Hold | None = None
    consistency: str = ""  # what the account tells in place of its own
    levels: list[str | None] = field(default_factory=list)  # the consistency that each request asks for, where it asks for one

    def fails(self, container: str, does: str, status: int, *, times: int = 10**9, after: bool = False, **headers: str) -> None:
        """From now on, `times` requests of that kind fail."""
        left = [times]

        def rule(asked: Asked) -> Refusal | None:
            if asked != Asked(container, does) or left[0] <= 0:
                return None
            left[0] -= 1
            return Refusal(status, {name.replace("_", "-"): value for name, value in headers.items()}, after)

        self.rule = rule

    def holds(self, container: str, does: str) -> Hold:
        """From now on, requests of that kind wait until the hold is released."""
        self.held = Hold(Asked(container, does))
        return self.held

    def heals(self) -> None:
        self.rule = lambda _: None


def _asked(request: web.Request) -> Asked:
    parts = request.path.strip("/").split("/")
    if parts == [""]:
        return Asked("", "account")
    container = parts[3] if len(parts) > 4 and parts[4] == "docs" else ""
    if request.method == "POST" and request.headers.get("x-ms-documentdb-isquery", "").lower() == "true":
        return Asked(container, "query")
    return Asked(container, {"GET": "read", "POST": "create", "PUT": "replace"}.get(request.method, request.method))


@asynccontextmanager
async def running_front(endpoint: str) -> AsyncIterator[Front]:
    """A front on a free port of loopback, in this event loop."""
    front = Front()
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            asked = _asked(request)
            front.asked.append(asked)
            front.levels.append(request.headers.get("x-ms-consistency-level"))
            if front.held is not None and front.held.asked == asked:
                front.held.arrived.put_nowait(asked)
                await front.held.released.wait()
            refusal = front.rule(asked)
            sent = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "content-length")}
            body = await request.read()
            if refusal is None or refusal.after:
                async with session.request(request.method, endpoint + request.path_qs, data=body or None, headers=sent) as answer:
                    content = await answer.read()
                    if front.consistency and asked.does == "account":
                        told = json.loads(content)
                        told["userConsistencyPolicy"]["defaultConsistencyLevel"] = front.consistency
                        content = json.dumps(told).encode()
                    if refusal is None:
                        kept = {name: value for name, value in answer.headers.items() if name.lower() in PASSED}
                        return web.Response(status=answer.status, body=content, headers=kept)
            if refusal.status == 0:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.json_response({"code": "Refused", "message": "by the front"}, status=refusal.status, headers=refusal.headers)

        app = web.Application(client_max_size=4 * 2**20)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield front
        finally:
            await runner.cleanup()

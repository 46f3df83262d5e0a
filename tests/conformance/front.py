"""A process on loopback that adds a key to each request, because the conformance suite can send none.

`python -m tests.conformance.front suite HOME` puts the suite's own tools behind Billy's door;
`python -m tests.conformance.front billy URL` stands in front of a running host and takes the key from BILLY_TEST_KEY.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from shared.actor import Origin
from shared.surfaces import mcp
from tests.conformance.suite_tools import make_suite_serve
from tests.surfaces.company import open_company

type Ask = Callable[[str, dict[str, str], bytes], Awaitable[tuple[int, dict[str, str], bytes]]]


def application(ask: Ask) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, answered, content = await ask(scope["method"], headers, body)
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in answered.items()]
        raw = [pair for pair in raw if pair[0] != b"content-length"] + [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    return app


async def ask_suite(stack: AsyncExitStack, home: Path) -> Ask:
    company = await stack.enter_async_context(open_company(home))
    serve = make_suite_serve()

    async def ask(method: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = headers | {"authorization": f"Bearer {company.keys['owner']}"}
        request = mcp.Request(Origin("mcp", "127.0.0.1", headers.get("user-agent")), method, headers, {}, body)
        answer = await mcp.answer(request, company.context, serve)
        return answer.status, dict(answer.headers), answer.body

    return ask


async def ask_billy(stack: AsyncExitStack, url: str) -> Ask:
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
    key = os.environ["BILLY_TEST_KEY"]

    async def ask(method: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        hop = ("content-length", "connection", "transfer-encoding")
        passed = {name: value.strip() for name, value in headers.items() if name not in hop}  # httpx sends no space around a value
        reply = await client.request(method, f"{url}/mcp", headers=passed | {"authorization": f"Bearer {key}"}, content=body)
        kept = {name: reply.headers[name] for name in ("content-type", "allow", "www-authenticate") if name in reply.headers}
        return reply.status_code, kept, reply.content

    return ask


async def main(subject: str, place: str) -> None:
    async with AsyncExitStack() as stack:
        ask = await (ask_suite(stack, Path(place)) if subject == "suite" else ask_billy(stack, place))
        listening = socket.create_server(("127.0.0.1", 0))
        print(f"Listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(application(ask), log_level="warning", lifespan="off")
        await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

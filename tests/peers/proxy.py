"""A proxy before the sandbox that cuts, changes or withholds answers for as long as a test wants it to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out. `cut` bytes of the body are sent, and then the connection ends; `told` says whether its whole length was announced."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    cut: int | None = None
    told: bool = True


type Spoil = Callable[[Answer], Awaitable[Answer | None]]  # None: nothing is ever answered


@dataclass(slots=True)
class Proxy:
    """`url` stands in for the sandbox's. `requests` counts each GET by its path and query, in the order of the query's names."""

    target: str
    url: str = ""
    requests: Counter[str] = field(default_factory=Counter[str])
    rules: list[tuple[str, Callable[[Query], bool], Spoil]] = field(default_factory=list[tuple[str, Callable[[Query], bool], Spoil]])

    def spoil(self, path: str, how: Spoil, when: Callable[[Query], bool] = lambda query: True) -> None:
        """From now on the answers to `GET path` go out as `how` makes them, where the query is such."""
        self.rules.append((path, when, how))

    def heals(self) -> None:
        self.rules.clear()


async def _cut(answer: Answer, size: int, *, told: bool) -> Answer:
    return Answer(answer.status, answer.body, answer.headers, min(size, len(answer.body) - 1), told)


def cut(size: int, *, told: bool = True) -> Spoil:
    """The first bytes, and then the connection ends."""
    return lambda answer: _cut(answer, size, told=told)


def says(status: int, body: Any, **headers: str) -> Spoil:
    """Another answer, for good."""

    async def spoiled(answer: Answer) -> Answer:
        return Answer(status, body if isinstance(body, bytes) else orjson.dumps(body), answer.headers | headers)

    return spoiled


def changed(turn: Callable[[Any], Any]) -> Spoil:
    """Stripe's JSON, changed."""

    async def spoiled(answer: Answer) -> Answer:
        return Answer(answer.status, json.dumps(turn(orjson.loads(answer.body))).encode(), answer.headers)

    return spoiled


async def silence(answer: Answer) -> None:
    """No answer, and the connection stays."""


@asynccontextmanager
async def running_proxy(target: str) -> AsyncIterator[Proxy]:
    """A proxy on a free port of this machine, in the event loop of the test."""
    proxy = Proxy(target)
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=target, timeout=60) as client:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await _serve(proxy, client, reader, writer, over)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            over.set()
            server.close()
            server.close_clients()
            await server.wait_closed()


async def _serve(
    proxy: Proxy, client: httpx.AsyncClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event
) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        passed = {name: value for name, value in headers.items() if name not in ("host", "content-length", "connection", "accept-encoding")}
        answered = await client.request(method, target, headers=passed, content=body)
        kept = {name: answered.headers[name] for name in ("content-type", "date", "request-id") if name in answered.headers}
        answer: Answer | None = Answer(answered.status_code, answered.content, kept)
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        if method == "GET":
            proxy.requests[f"{path}?{'&'.join(f'{name}={query[name]}' for name in sorted(query))}"] += 1
        for spoiled, when, how in proxy.rules:
            if method == "GET" and path == spoiled and when(query) and answer is not None:
                answer = await how(answer)
        if answer is None:
            await over.wait()
            return
        told = {"content-length": str(len(answer.body))} if answer.told else {"connection": "close"}
        lines = [f"HTTP/1.1 {answer.status} Answered", *(f"{name}: {value}" for name, value in (answer.headers | told).items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body[: answer.cut])
        await writer.drain()
        if answer.cut is not None or not answer.told:
            return

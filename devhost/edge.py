"""The HTTP side of the host: an ASGI application that turns requests into invocations and results into responses."""

import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from devhost.functions import Function, HttpTrigger
from devhost.keys import HostKeys
from devhost.outputs import OutputFailed, Outputs
from devhost.routes import Router
from devhost.worker import Datum, invoke, new_id

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_NO_METADATA: dict[str, Datum] = {}
_JSON = re.compile(r"\s*[\[{]")


class HttpEdge:
    """Serves the HTTP functions of an app; `busy` counts the requests that are being answered."""

    def __init__(self, router: Router[Function], keys: HostKeys, outputs: Outputs) -> None:
        self._router = router
        self._keys = keys
        self._outputs = outputs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes = scope["raw_path"]
        path = raw_path.decode("latin-1")
        found = self._router.match(scope["method"], path)
        if found is None:
            await answer(send, 404)
            return
        function, route_values = found
        headers = read_headers(scope)
        query = read_query(scope)
        trigger = function.trigger
        assert isinstance(trigger, HttpTrigger)
        if trigger.auth_level != "anonymous" and not self._keys.allow(trigger.auth_level, presented_key(headers, query)):
            await answer(send, 401)
            return
        body = b""
        if announced(headers):
            # The real host reads a body only when its length is declared: a chunked one arrives empty.
            read = await read_body(receive)
            if read is None:
                return
            body = read
        text = Datum
        request = Datum(
            {
                "method": text(scope["method"], "string"),
                "url": text(_url(scope, path, headers), "string"),
                "headers": {name: text(value, "string") for name, value in headers.items()},
                "query": {name: text(value, "string") for name, value in query.items()},
                "params": {name: text(value, "string") for name, value in route_values.items()},
                "body": text(body, "bytes"),
            },
            "http",
        )
        done = await invoke(function, new_id(), request, _NO_METADATA, caller=headers.get("traceparent", ""))
        if not done.succeeded:
            await answer(send, 500)
            return
        try:
            await self._outputs.write(function, done)
        except OutputFailed:
            await answer(send, 500)
            return
        await _respond(send, None if "$return" in function.outputs else done.result)


def read_headers(scope: Scope) -> dict[str, str]:
    """Lower-case names; a header that came several times becomes one value, joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def read_query(scope: Scope) -> dict[str, str]:
    """Empty values are dropped; a name that came several times becomes one value, joined by commas."""
    query: dict[str, str] = {}
    if scope["query_string"]:
        for name, value in parse_qsl(scope["query_string"].decode("latin-1")):
            query[name] = f"{query[name]},{value}" if name in query else value
    return query


def announced(headers: dict[str, str]) -> int:
    """Bytes of the body that a request announces. A length that no body has is one byte more than any limit."""
    text = headers.get("content-length", "0").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else sys.maxsize


def presented_key(headers: dict[str, str], query: dict[str, str]) -> str | None:
    return headers.get("x-functions-key") or query.get("code")


async def read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when the client went away before it was complete."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return message.get("body", b"")
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


def _url(scope: Scope, path: str, headers: dict[str, str]) -> str:
    query = scope["query_string"]
    return f"{scope['scheme']}://{headers.get('host', '')}{path}" + (f"?{query.decode('latin-1')}" if query else "")


async def answer(send: Send, status: int, body: bytes = b"", content_type: bytes = b"application/json; charset=utf-8") -> None:
    """A response of the host itself."""
    headers = [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", content_type))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _respond(send: Send, result: Datum | None) -> None:
    if result is None or result.type is None:
        await answer(send, 204)
    elif result.type == "http":
        value = result.value
        body: bytes = value["body"].value
        headers = [(name.lower().encode("latin-1"), item.value.encode("latin-1")) for name, item in value["headers"].items()]
        headers = [header for header in headers if header[0] not in (b"content-length", b"transfer-encoding")]
        headers.append((b"content-length", b"%d" % len(body)))
        for cookie in value["cookies"] or ():
            headers += [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in cookie.values()]
        await send({"type": "http.response.start", "status": int(value["status_code"].value), "headers": headers})
        await send({"type": "http.response.body", "body": body})
    elif isinstance(result.value, str):
        kind = b"application/json; charset=utf-8" if _JSON.match(result.value) else b"text/plain; charset=utf-8"
        await answer(send, 200, result.value.encode(), kind)
    else:
        await answer(send, 200, bytes(result.value), b"application/octet-stream")

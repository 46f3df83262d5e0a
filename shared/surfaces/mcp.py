"""The door of /mcp: every check that comes before the protocol, and one audit row for whatever is turned away.

The order is fixed: method, Host and Origin, size, what was dropped on the way, address, key, filter, form of the answer, shape, headers against the body. Only then is the official SDK asked (imported on the first call,
because it is the largest import of the app), one exchange per request, without sessions. A GET is answered 405 at once: there is no stream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from shared.actor import Actor, Origin
from shared.context import Context
from shared.credentials import label
from shared.errors import BillyError, problem
from shared.reading import CALL, check_size
from shared.road import catalogue
from shared.surfaces import browsers, mcp_guard, mcp_headers, sent
from shared.surfaces.authenticate import authenticate
from shared.surfaces.exchange import Exchange
from shared.surfaces.selection import LISTS, Selection, read_selection
from shared.telemetry.invocation import crashed

CHALLENGE = 'Bearer realm="billy"'
LONGEST_CLIENT = 120
HEADERS = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600
_CLIENT_INFO = "io.modelcontextprotocol/clientInfo"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as the edge hands it over: header names in lower case, query values decoded, the whole body."""

    origin: Origin
    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    url: str = ""  # as it was sent, with what of the query the host did not hand over


@dataclass(frozen=True, slots=True)
class Answer:
    """What the edge sends back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    wakes: str | None = None  # the queue to be woken, where something was started


@dataclass(slots=True)
class Caller:
    """Who asks in this one exchange, and what they asked to see. `wakes` names the queue of what it started."""

    actor: Actor
    context: Context
    selection: Selection
    exchange: Exchange
    wakes: str | None = None


type Serve = Callable[[Caller, Mapping[str, str], bytes], Awaitable[Answer]]


async def answer(request: Request, context: Context, serve: Serve | None = None) -> Answer:
    """Answers one request. `serve` is the protocol behind the door; by default it serves the catalogue. Raises nothing."""
    one = Exchange(context, request.origin)
    try:
        if request.method != "POST":
            error = BillyError("method_not_allowed", "This address takes POST alone.")
            return await _turned_away(one, error, Answer(405, headers={"Allow": "POST"}))
        return await _exchange(request, one, serve)
    except Exception as crash:
        error = crashed(crash, "mcp", context.seam)
        return await _turned_away(one, error, _problem(error))


async def _exchange(request: Request, one: Exchange, serve: Serve | None) -> Answer:
    try:
        caller = await _admit(request, one)
        mcp_headers.check_accept(request.headers.get("accept"))
    except BillyError as error:
        return await _turned_away(one, error, _problem(error))
    try:
        mcp_guard.check_media_type(request.headers.get("content-type"))
        message = mcp_guard.read_message(request.body)
    except BillyError as error:
        return await _turned_away(one, error, _malformed(error))
    one.origin = replace(one.origin, client=_client(message) or one.origin.client)
    one.actor = caller.actor = replace(caller.actor, origin=one.origin)
    try:
        mcp_guard.check_arguments(message)
        headers = mcp_headers.routed(request.headers, message)
    except mcp_headers.ProtocolRefusal as refusal:
        return await _turned_away(one, refusal.error, _rpc_error(refusal.code, refusal.error, message.get("id")))
    # The checked message is written anew, so that the SDK reads no other than the door did.
    reply = await (serve or await _catalogue())(caller, headers, orjson.dumps(message))
    if not one.told and (message["method"] == "tools/call" or reply.status >= 400 or _is_error(reply)):
        return await _turned_away(one, BillyError("invalid_request", "The protocol refused the message."), reply)
    return replace(reply, wakes=caller.wakes)


async def _admit(request: Request, one: Exchange) -> Caller:
    context = one.context
    browsers.check_caller(request.headers, context.settings)
    check_size(len(request.body), CALL, mcp_guard.MEND)
    sent.check_body(request.headers, request.body, taken=False)  # an empty one is told so in the protocol's own words
    mcp_guard.check_query(request.query)
    one.actor = await authenticate(context, request.headers.get("authorization"), one.origin)
    sent.check_query(request.url, request.query, lists=LISTS)
    return Caller(one.actor, context, read_selection(request.query, catalogue.OPERATIONS), one)


async def _turned_away(one: Exchange, error: BillyError, reply: Answer) -> Answer:
    """The reply, once the audit has its row; where the audit cannot be written, that is the answer."""
    try:
        await one.tell(error)
    except BillyError as failure:
        return _problem(failure)
    return reply


def _problem(error: BillyError) -> Answer:
    headers = dict(HEADERS)
    if error.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return Answer(error.status, orjson.dumps(problem(error)), headers)


def _malformed(error: BillyError) -> Answer:
    return _rpc_error(_PARSE_ERROR if "UTF-8" in error.detail else _INVALID_REQUEST, error)


def _rpc_error(code: int, error: BillyError, id: Any = None) -> Answer:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": error.detail, "data": problem(error)}}
    return Answer(400, orjson.dumps(body), HEADERS | {"Content-Type": "application/json"})


def _is_error(reply: Answer) -> bool:
    """Whether the answer is an error of the protocol, which the older generation sends with status 200."""
    return b'"error"' in reply.body and "error" in _object(orjson.loads(reply.body))


def _client(message: Mapping[str, Any]) -> str | None:
    """The client's own name for itself: in every modern message, and in the `initialize` of an older one."""
    params = _object(message.get("params"))
    info = _object(_object(params.get("_meta")).get(_CLIENT_INFO)) or _object(params.get("clientInfo"))
    words = [word for key in ("name", "version") if isinstance(word := info.get(key), str)]
    return label(" ".join(words), LONGEST_CLIENT)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


async def _catalogue() -> Serve:
    """The catalogue's tools. The first call imports the SDK in a thread, so that a webhook that comes meanwhile is not kept waiting."""
    global _served
    if _served is None:
        _served = await asyncio.to_thread(_import_catalogue)
    return _served


def _import_catalogue() -> Serve:
    from shared.surfaces.mcp_tools import serve

    return serve


_served: Serve | None = None

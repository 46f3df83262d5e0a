"""REST: an HTTP request becomes one call of the road, and its answer a response."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import azure.functions as func
import orjson

from shared.actor import Origin
from shared.context import Context
from shared.credentials import label
from shared.errors import BillyError, problem
from shared.reading import CALL, check_size, read_json
from shared.road.execute import execute
from shared.road.forms import in_one_form
from shared.road.operation import Operation
from shared.settings import Settings
from shared.surfaces import browsers, sent
from shared.surfaces.authenticate import authenticate
from shared.surfaces.exchange import Exchange, exchange
from shared.surfaces.forwarded import forwarded

LONGEST_CLIENT = 120  # characters
ONE_OBJECT = "Send the arguments as one JSON object in UTF-8, with Content-Length."
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Answered:
    """A response, and the queue to be woken where something was started."""

    response: func.HttpResponse
    wakes: str | None = None


async def answer(operation: Operation, request: func.HttpRequest, context: Context) -> Answered:
    """The response to a request for one operation. Never raises; whatever happens has left its audit row."""
    wakes: str | None = None

    async def answered(asked: Exchange) -> func.HttpResponse:
        nonlocal wakes
        asked.origin = origin_of(request, "rest", context.settings)
        browsers.check_caller(headers_of(request), context.settings, named=False)
        asked.actor = await authenticate(context, headers_of(request).get("authorization"), asked.origin)
        arguments = _arguments(operation, request)
        asked.told = True
        answer = await execute(operation, arguments, asked.actor, context)
        wakes = answer.wakes
        return json_response(answer.body)

    return Answered(await guarded(context, "rest", operation.name, answered), wakes)


async def guarded(
    context: Context, surface: str, operation: str | None, work: Callable[[Exchange], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """The response of `work`, or the problem that it raised. Raises nothing, and leaves the row of what no road has taken."""
    try:
        async with exchange(context, surface, operation) as asked:
            return await work(asked)
    except BillyError as error:
        return error_response(error)


async def no_options(request: func.HttpRequest, asked: Exchange) -> func.HttpResponse:
    """Raises what is wrong with OPTIONS from whoever may not ask so."""
    asked.origin = origin_of(request, "rest", asked.context.settings)
    browsers.check_caller(headers_of(request), asked.context.settings, named=False)
    raise BillyError(
        "method_not_allowed", "This address takes no OPTIONS.", next="Call from a program, or from a page whose origin is listed."
    )


def origin_of(request: func.HttpRequest, surface: str, settings: Settings) -> Origin:
    """From where the request came: the word for the address of a proxy that a setting names, and the client's name for itself."""
    headers = headers_of(request)
    seen = forwarded(headers.get("x-forwarded-for", ""), settings.trusted_proxies)
    return Origin(surface, seen, label(headers.get("user-agent", ""), LONGEST_CLIENT))


def headers_of(request: func.HttpRequest) -> Mapping[str, str]:
    """The request's headers, whose type the SDK leaves open."""
    return cast(Mapping[str, str], request.headers)


def json_response(body: Any, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(orjson.dumps(body), status_code=status, mimetype="application/json", headers=HEADERS)


def error_response(error: BillyError) -> func.HttpResponse:
    """The problem document with the headers that belong to it."""
    headers = dict(HEADERS)
    if error.code == "unauthenticated":
        headers["www-authenticate"] = 'Bearer realm="billy"'
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    limit = error.rate_limit
    if limit is not None:
        known = {"ratelimit-limit": limit.limit, "ratelimit-remaining": limit.remaining, "ratelimit-reset": limit.reset}
        headers.update({name: str(value) for name, value in known.items() if value is not None})
    return func.HttpResponse(orjson.dumps(problem(error)), status_code=error.status, mimetype="application/problem+json", headers=headers)


def _arguments(operation: Operation, request: func.HttpRequest) -> dict[str, Any]:
    """The arguments. A field that is given in two places with two values is refused."""
    given: dict[str, Any] = dict(request.params)
    body = request.get_body()
    check_size(len(body), CALL, ONE_OBJECT)
    reads = operation.verb in ("GET", "DELETE")
    sent.check_body(headers_of(request), body, taken=not reads)
    sent.check_query(request.url, given, known=operation.input.model_fields)
    if reads:
        if body.strip():
            raise BillyError("invalid_request", "This operation takes no body.", next="Send its arguments in the query string.")
    else:
        if set(given) - {"dry_run"}:
            raise BillyError("invalid_request", "Only dry_run is taken from the query string.", next="Send the arguments in a JSON body.")
        _add(operation, given, _object(body))
    _add(operation, given, {name: _segment(request.route_params.get(name, "")) for name in operation.path_fields})
    key = headers_of(request).get("idempotency-key")
    if operation.writes and key is not None:
        if "," in key:  # what came in two headers arrives as one, with a comma between
            raise BillyError(
                "invalid_request",
                "The header Idempotency-Key holds a comma, or came twice.",
                next="Send it once, without a comma: one text of your own for this one change.",
            )
        _add(operation, given, {"idempotency_key": key})
    return given


def _segment(value: Any) -> str:
    """A part of the path: the host decodes all of it but an encoded slash."""
    return str(value).replace("%2F", "/").replace("%2f", "/")


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    value = read_json(body, CALL, ONE_OBJECT)
    if not isinstance(value, dict):
        raise BillyError("invalid_request", "The body is not a JSON object.", next=ONE_OBJECT)
    return value  # pyright: ignore[reportUnknownVariableType]


def _add(operation: Operation, given: dict[str, Any], more: Mapping[str, Any]) -> None:
    one, other = in_one_form(operation.input, given), in_one_form(operation.input, more)
    if any(one[name] != value for name, value in other.items() if name in one):
        raise BillyError("invalid_request", "One argument is given in two places with two values.", next="Give each argument once.")
    given.update({name: value for name, value in more.items() if name not in one})

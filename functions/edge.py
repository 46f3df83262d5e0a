"""What every HTTP function does around its answer: the trace, the correlation id, what a browser is told, and a problem where Billy cannot start."""

from collections.abc import Awaitable, Callable, Mapping

import azure.functions as func

from shared import wiring
from shared.context import Context
from shared.errors import BillyError
from shared.surfaces import browsers, rest

CORRELATION = "x-correlation-id"


async def respond(
    req: func.HttpRequest,
    host: func.Context,
    answer: Callable[[Context], Awaitable[func.HttpResponse]],
    verbs: str = "",
    failed: Callable[[BillyError], func.HttpResponse] = rest.error_response,
) -> func.HttpResponse:
    """The response of `answer` within its invocation, or what `failed` makes of its error. `verbs` are what a page may ask to send to this
    address. Raises nothing."""
    trace = wiring.trace(host)
    told: Mapping[str, str] = {}
    try:
        async with wiring.invocation(host, trace) as context:
            headers = rest.headers_of(req)
            told = browsers.answer_headers(headers, context.settings)
            if verbs and browsers.is_preflight(req.method, headers, context.settings):
                response = empty(204, browsers.preflight_headers(verbs))
            else:
                response = await answer(context)
    except BillyError as error:
        response = failed(error)
    for name, value in told.items():
        response.headers[name] = value
    response.headers[CORRELATION] = trace.id
    return response


def empty(status: int, headers: Mapping[str, str]) -> func.HttpResponse:
    """A response without a body. The SDK gives each response a type; `text/plain` beside no text is what strict clients stop at."""
    return func.HttpResponse(b"", status_code=status, headers=dict(headers), mimetype="application/json")

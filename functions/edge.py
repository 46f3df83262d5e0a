"""What every HTTP function does around its answer: the trace, the correlation id in the answer, and a problem where Billy cannot start."""

from collections.abc import Awaitable, Callable

import azure.functions as func

from shared import wiring
from shared.context import Context
from shared.errors import BillyError
from shared.surfaces import rest
from shared.telemetry.correlation import correlation_id, read_traceparent

CORRELATION = "x-correlation-id"


async def respond(host: func.Context, answer: Callable[[Context], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    """The response of `answer` within its invocation. Raises nothing."""
    trace = read_traceparent(host.trace_context.trace_parent)
    id = trace.id if trace else None
    try:
        async with wiring.invocation(host) as context:
            id = correlation_id()
            response = await answer(context)
    except BillyError as error:
        response = rest.error_response(error)
    if id is not None:
        response.headers[CORRELATION] = id
    return response

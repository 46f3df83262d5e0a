"""One HTTP function for each operation of the catalogue."""

from collections.abc import Awaitable, Callable

import azure.functions as func

from functions.edge import respond
from functions.sync import WAKE
from shared.context import Context
from shared.road.catalogue import OPERATIONS
from shared.road.operation import Operation
from shared.surfaces import rest

VERBS = ", ".join(sorted({operation.verb for operation in OPERATIONS}))

blueprint = func.Blueprint()


def _handler(operation: Operation) -> Callable[..., Awaitable[func.HttpResponse]]:
    async def handler(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await respond(req, context, lambda billy: _response(operation, req, billy))

    return handler


async def _response(operation: Operation, req: func.HttpRequest, context: Context) -> func.HttpResponse:
    return (await rest.answer(operation, req, context)).response


def _waking_handler(operation: Operation) -> Callable[..., Awaitable[func.HttpResponse]]:
    """Also puts a message on the operation's queue where it started something, so that it is gone on with at once."""

    async def handler(req: func.HttpRequest, context: func.Context, wake: func.Out[str]) -> func.HttpResponse:
        async def answered(billy: Context) -> func.HttpResponse:
            answer = await rest.answer(operation, req, billy)
            if answer.wakes is not None:
                wake.set(WAKE)
            return answer.response

        return await respond(req, context, answered)

    return handler


def _register(operation: Operation) -> None:
    route = blueprint.route(route=operation.path.lstrip("/"), methods=[operation.verb], auth_level=func.AuthLevel.ANONYMOUS)
    if operation.wakes:
        output = blueprint.queue_output(arg_name="wake", queue_name=operation.wakes, connection="AzureWebJobsStorage")
        blueprint.function_name(operation.name)(route(output(_waking_handler(operation))))
    else:
        blueprint.function_name(operation.name)(route(_handler(operation)))


for _operation in OPERATIONS:
    _register(_operation)


@blueprint.function_name("preflight")
@blueprint.route(route="api/{*path}", methods=["OPTIONS"], auth_level=func.AuthLevel.ANONYMOUS)
async def preflight(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What a browser asks before a listed page may call; anybody else is told that there is no such method."""
    return await respond(
        req, context, lambda billy: rest.guarded(billy, "rest", None, lambda asked: rest.no_options(req, asked)), verbs=VERBS
    )

"""The MCP endpoint: one HTTP function. It takes every method, so that what is not a POST is answered 405 and not 404."""

import azure.functions as func

from functions.edge import empty, respond
from functions.sync import QUEUE, WAKE
from shared.surfaces import rest
from shared.surfaces.exchange import Exchange

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

blueprint = func.Blueprint()


@blueprint.function_name("mcp")
@blueprint.route(route="mcp", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
# The only queue that an operation wakes; a test holds it against the catalogue.
@blueprint.queue_output(arg_name="wake", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def serve(req: func.HttpRequest, context: func.Context, wake: func.Out[str]) -> func.HttpResponse:
    return await respond(
        req, context, lambda billy: rest.guarded(billy, "mcp", None, lambda asked: _exchange(req, asked, wake)), verbs="POST"
    )


async def _exchange(req: func.HttpRequest, asked: Exchange, wake: func.Out[str]) -> func.HttpResponse:
    from shared.surfaces import mcp

    headers = {name.lower(): value for name, value in req.headers.items()}
    request = mcp.Request(
        rest.origin_of(req, "mcp", asked.context.settings), req.method.upper(), headers, dict(req.params), req.get_body(), req.url
    )
    answer = await mcp.answer(request, asked.context)
    asked.told = True
    if answer.wakes is not None:
        wake.set(WAKE)
    if not answer.body:
        return empty(answer.status, {name: value for name, value in answer.headers.items() if name.lower() != "content-type"})
    media_type = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), None)
    return func.HttpResponse(answer.body, status_code=answer.status, headers=dict(answer.headers), mimetype=media_type)

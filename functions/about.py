"""What Billy says about itself: the tools a key may call, the OpenAPI document, and whether it can work."""

import azure.functions as func

from functions.edge import respond
from shared import wiring
from shared.errors import BillyError
from shared.road.catalogue import OPERATIONS
from shared.surfaces import browsers, rest, sent, tools
from shared.surfaces.authenticate import authenticate
from shared.surfaces.exchange import Exchange
from shared.surfaces.health import remembered_health, unready
from shared.surfaces.selection import LISTS, read_selection

blueprint = func.Blueprint()


@blueprint.function_name("list_tools")
@blueprint.route(route="api/tools", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def list_tools(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await respond(req, context, lambda billy: rest.guarded(billy, "rest", "list_tools", lambda asked: _tools(req, asked)))


async def _tools(req: func.HttpRequest, asked: Exchange) -> func.HttpResponse:
    asked.origin = rest.origin_of(req, "rest", asked.context.settings)
    headers = rest.headers_of(req)
    browsers.check_caller(headers, asked.context.settings, named=False)
    asked.actor = await authenticate(asked.context, headers.get("authorization"), asked.origin)
    sent.check_body(headers, req.get_body(), taken=False)
    sent.check_query(req.url, req.params, lists=LISTS)
    selection = read_selection(req.params, OPERATIONS)
    return rest.json_response(tools.list_tools(OPERATIONS, asked.actor, selection))


@blueprint.function_name("get_openapi")
@blueprint.route(route="api/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await respond(req, context, lambda billy: rest.guarded(billy, "rest", "get_openapi", lambda asked: _openapi(req, asked)))


async def _openapi(req: func.HttpRequest, asked: Exchange) -> func.HttpResponse:
    from shared.surfaces import openapi  # its descriptions and examples are for whoever asks

    _check_request(req, asked)
    return rest.json_response(openapi.document())


@blueprint.function_name("get_health")
@blueprint.route(route="api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await respond(
        req, context, lambda billy: rest.guarded(billy, "rest", "get_health", lambda asked: _health(req, asked)), failed=_not_started
    )


async def _health(req: func.HttpRequest, asked: Exchange) -> func.HttpResponse:
    _check_request(req, asked)
    return rest.json_response(*await remembered_health(asked.context))


def _check_request(req: func.HttpRequest, asked: Exchange) -> None:
    asked.origin = rest.origin_of(req, "rest", asked.context.settings)
    browsers.check_caller(rest.headers_of(req), asked.context.settings, named=False)
    sent.check_body(rest.headers_of(req), req.get_body(), taken=False)
    sent.check_query(req.url, req.params)


def _not_started(error: BillyError) -> func.HttpResponse:
    return rest.json_response(unready(error, wiring.wrong_settings()), 503)

"""What Billy says about itself: the tools a key may call, the OpenAPI document, and whether it can work."""

import azure.functions as func

from functions.edge import respond
from shared.road.catalogue import OPERATIONS
from shared.surfaces import rest, tools
from shared.surfaces.authenticate import authenticate
from shared.surfaces.exchange import Exchange
from shared.surfaces.health import health
from shared.surfaces.selection import read_selection

blueprint = func.Blueprint()


@blueprint.function_name("list_tools")
@blueprint.route(route="api/tools", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def list_tools(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await respond(context, lambda billy: rest.guarded(billy, "rest", "list_tools", lambda asked: _tools(req, asked)))


async def _tools(req: func.HttpRequest, asked: Exchange) -> func.HttpResponse:
    asked.origin = rest.origin_of(req, "rest")
    asked.actor = await authenticate(asked.context, req.headers.get("authorization"), asked.origin)
    selection = read_selection(req.params, OPERATIONS)
    return rest.json_response(tools.list_tools(OPERATIONS, asked.actor, selection))


@blueprint.function_name("get_openapi")
@blueprint.route(route="api/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    from shared.surfaces import openapi  # its descriptions and examples are for whoever asks

    return rest.json_response(openapi.document())


@blueprint.function_name("get_health")
@blueprint.route(route="api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await respond(context, lambda billy: rest.guarded(billy, "rest", "get_health", _health))


async def _health(asked: Exchange) -> func.HttpResponse:
    return rest.json_response(*await health(asked.context))

"""One HTTP function for each operation of the catalogue."""

from collections.abc import Awaitable, Callable

import azure.functions as func

from shared import wiring
from shared.operations.catalogue import OPERATIONS
from shared.operations.operation import Operation
from shared.surfaces import rest

blueprint = func.Blueprint()


def _handler(operation: Operation) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    async def handler(req: func.HttpRequest) -> func.HttpResponse:
        return await rest.answer(operation, req, await wiring.context())

    return handler


for _operation in OPERATIONS:
    _route = blueprint.route(route=_operation.path.lstrip("/"), methods=[_operation.verb], auth_level=func.AuthLevel.ANONYMOUS)
    blueprint.function_name(_operation.name)(_route(_handler(_operation)))

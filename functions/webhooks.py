"""Stripe speaks: an event is verified, queued durably and answered; a queue function applies it."""

from typing import List  # noqa: UP035 - the worker knows only typing's own lists in an output

import azure.functions as func
import orjson

from functions.edge import respond
from shared import wiring
from shared.surfaces import rest, sent
from shared.surfaces.exchange import Exchange

QUEUE = "stripe-events"

blueprint = func.Blueprint()


@blueprint.function_name("stripe_webhook")
@blueprint.route(route="webhooks/stripe", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@blueprint.queue_output(arg_name="messages", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def stripe_webhook(req: func.HttpRequest, context: func.Context, messages: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    return await respond(
        req, context, lambda billy: rest.guarded(billy, "webhook", "stripe_webhook", lambda asked: _accept(req, asked, messages))
    )


async def _accept(req: func.HttpRequest, asked: Exchange, messages: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    from shared.gateway.webhook import accept

    asked.origin = rest.origin_of(req, "webhook", asked.context.settings)
    sent.check_body(rest.headers_of(req), req.get_body(), taken=True)
    sent.check_query(req.url, req.params)
    message = await accept(asked.context, req.get_body(), req.headers.get("stripe-signature"))
    messages.set([message])  # one text alone would be parsed and written anew with indents, and outgrow the queue
    return rest.json_response({"received": True})


@blueprint.function_name("apply_stripe_event")
@blueprint.queue_trigger(arg_name="msg", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def apply_stripe_event(msg: func.QueueMessage, context: func.Context) -> None:
    from shared.gateway.webhook import apply_message

    async with wiring.invocation(context) as billy:
        await apply_message(billy, orjson.loads(msg.get_body()))

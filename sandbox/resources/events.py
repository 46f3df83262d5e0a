"""Events, listable for 30 days."""

import stripe

from sandbox.dispatch import patterns
from sandbox.errors import invalid, not_found
from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.world import Object

KEPT = 30 * 86400


@route("GET", "/v1/events", params=stripe.params.EventListParams, permission="event_read", list_of="event")
def every(call: Call) -> Object:
    params = call.params
    where: list[tuple[str, list[object]]] = [("created >= ?", [call.world.clock.now() - KEPT])]
    if "type" in params and "types" in params:
        raise invalid("You may pass only one of these parameters: type, types.", param="types")
    if len(params.get("types", [])) > 20:
        raise invalid("You may pass up to 20 event types.", param="types")
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if wanted:
        where.append(patterns("type", wanted))
    if "delivery_success" in params:
        failing = "EXISTS (SELECT 1 FROM deliveries WHERE deliveries.event = objects.id AND deliveries.state IN ('pending', 'failed'))"
        where.append((f"NOT {failing}" if params["delivery_success"] else failing, []))
    return page(call, "event", where=where)


@route("GET", "/v1/events/{event}", permission="event_read")
def retrieve(call: Call) -> Object:
    event = call.world.require("event", call.path["event"])
    if event["created"] < call.world.clock.now() - KEPT:
        raise not_found("event", event["id"])
    return event

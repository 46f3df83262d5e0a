"""Test clocks: whose customers no list shows unless it is asked for the clock. Time is moved by `/_sandbox/clock` alone."""

from __future__ import annotations

from typing import Any

import stripe

from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.world import Object

KIND = "test_helpers.test_clock"
PATH = "/v1/test_helpers/test_clocks"
KEPT = 30 * 86400


def hidden(params: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """Lists leave out what belongs to a test clock, unless they are asked for it or for one customer."""
    if {"test_clock", "customer", "subscription"} & params.keys():
        return None
    return "json_extract(body, '$.test_clock') IS NULL", []


@route("POST", PATH, params=stripe.params.test_helpers.TestClockCreateParams, permission="billing_clock_write")
def create(call: Call) -> Object:
    world = call.world
    if world.livemode:
        raise invalid("Test clocks exist in test mode only.")
    clock: Object = {
        "id": world.new_id("clock"),
        "object": KIND,
        "created": world.clock.now(),
        "deletes_after": world.clock.now() + KEPT,
        "frozen_time": call.params["frozen_time"],
        "livemode": False,
        "name": call.params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    world.insert(clock)
    world.emit("test_helpers.test_clock.created", clock)
    return clock


@route("GET", PATH, params=stripe.params.test_helpers.TestClockListParams, permission="billing_clock_read", list_of=KIND)
def every(call: Call) -> Object:
    return page(call, KIND)


@route("GET", PATH + "/{clock}", permission="billing_clock_read")
def retrieve(call: Call) -> Object:
    return call.world.require(KIND, call.path["clock"])


@route("POST", PATH + "/{clock}/advance", params=stripe.params.test_helpers.TestClockAdvanceParams, permission="billing_clock_write")
def advance(call: Call) -> Object:
    call.world.require(KIND, call.path["clock"])
    raise invalid("This sandbox moves time for everybody: POST /_sandbox/clock.", param="frozen_time")


@route("DELETE", PATH + "/{clock}", permission="billing_clock_write")
def delete(call: Call) -> Object:
    from sandbox.resources import customers

    world = call.world
    clock = world.require(KIND, call.path["clock"])
    for customer in world.find("customer", test_clock=clock["id"]):
        customers.removed(world, customer)
    stub = world.delete(KIND, clock["id"])
    world.emit("test_helpers.test_clock.deleted", clock)
    return stub

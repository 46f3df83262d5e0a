"""Early fraud warnings: an issuer says that a charge may be fraudulent. No money moves; one acts on it by refunding."""

import stripe

from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.world import Object, World

KIND = "radar.early_fraud_warning"


def issued(world: World, charge: Object) -> Object:
    """A new warning about a charge, kept and announced."""
    warning: Object = {
        "id": world.new_id("issfr"),
        "object": KIND,
        "actionable": True,
        "charge": charge["id"],
        "created": world.clock.now(),
        "fraud_type": "made_with_stolen_card",
        "livemode": world.livemode,
        "payment_intent": charge["payment_intent"],
    }
    world.insert(warning)
    world.emit(f"{KIND}.created", warning)
    return warning


def answered(world: World, charge: str) -> None:
    """The charge was refunded or disputed: there is nothing left to do about its warnings."""
    for warning in world.find(KIND, charge=charge):
        if warning["actionable"]:
            warning["actionable"] = False
            world.save(warning)
            world.emit(f"{KIND}.updated", warning)


@route(
    "GET",
    "/v1/radar/early_fraud_warnings",
    params=stripe.params.radar.EarlyFraudWarningListParams,
    permission="radar_read",
    list_of=KIND,
)
def every(call: Call) -> Object:
    return page(call, KIND, filters={"charge": "charge", "payment_intent": "payment_intent"})


@route("GET", "/v1/radar/early_fraud_warnings/{warning}", permission="radar_read")
def retrieve(call: Call) -> Object:
    return call.world.require(KIND, call.path["warning"])

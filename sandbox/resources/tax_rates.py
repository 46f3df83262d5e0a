"""Tax rates: kept as records; the sandbox computes no taxes with them."""

from __future__ import annotations

import stripe.params

from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route

_EDITABLE = ("active", "country", "description", "display_name", "jurisdiction", "metadata", "state", "tax_type")


@route("POST", "/v1/tax_rates", params=stripe.params.TaxRateCreateParams, permission="tax_rate_write")
def create(call: Call) -> dict:
    given = call.params
    rate = {
        "id": call.world.new_id("txr"),
        "object": "tax_rate",
        "active": True,
        "country": None,
        "created": call.world.clock.now(),
        "description": None,
        "display_name": given["display_name"],
        "effective_percentage": float(given["percentage"]),
        "flat_amount": None,
        "inclusive": given["inclusive"],
        "jurisdiction": None,
        "jurisdiction_level": None,
        "livemode": call.world.livemode,
        "metadata": {},
        "percentage": float(given["percentage"]),
        "rate_type": "percentage",
        "state": None,
        "tax_type": None,
    }
    assign(rate, given, *_EDITABLE)
    rate["metadata"] = merged({}, given.get("metadata"))
    call.world.insert(rate)
    call.world.emit("tax_rate.created", rate)
    return rate


@route("GET", "/v1/tax_rates", params=stripe.params.TaxRateListParams, permission="tax_rate_read", list_of="tax_rate")
def list_tax_rates(call: Call) -> dict:
    return page(call, "tax_rate", filters={"active": "active", "inclusive": "inclusive"})


@route("GET", "/v1/tax_rates/{id}", params=stripe.params.TaxRateRetrieveParams, permission="tax_rate_read")
def retrieve(call: Call) -> dict:
    return call.world.require("tax_rate", call.path["id"])


@route("POST", "/v1/tax_rates/{id}", params=stripe.params.TaxRateUpdateParams, permission="tax_rate_write")
def modify(call: Call) -> dict:
    rate = call.world.require("tax_rate", call.path["id"])
    assign(rate, call.params, *_EDITABLE)
    return update(call.world, rate, "tax_rate.updated")

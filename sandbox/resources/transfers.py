"""Transfers that destination charges made, and what refunds took back of them; nobody makes one by hand here."""

import stripe

from sandbox.errors import not_found
from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.world import Object, column


@route("GET", "/v1/transfers", params=stripe.params.TransferListParams, permission="transfer_read", list_of="transfer")
def every(call: Call) -> Object:
    return page(call, "transfer", filters={"destination": "destination", "transfer_group": "transfer_group"})


@route("GET", "/v1/transfers/{transfer}", params=stripe.params.TransferRetrieveParams, permission="transfer_read")
def retrieve(call: Call) -> Object:
    return call.world.require("transfer", call.path["transfer"])


@route(
    "GET",
    "/v1/transfers/{transfer}/reversals",
    params=stripe.params.TransferListReversalsParams,
    permission="transfer_read",
    list_of="transfer_reversal",
)
def reversals(call: Call) -> Object:
    transfer = retrieve(call)
    return page(call, "transfer_reversal", where=[(f"{column('transfer')} = ?", [transfer["id"]])])


@route(
    "GET",
    "/v1/transfers/{transfer}/reversals/{id}",
    params=stripe.params.TransferRetrieveReversalParams,
    permission="transfer_read",
)
def reversal(call: Call) -> Object:
    transfer, found = retrieve(call), call.world.require("transfer_reversal", call.path["id"])
    if found["transfer"] != transfer["id"]:
        raise not_found("transfer_reversal", found["id"])
    return found

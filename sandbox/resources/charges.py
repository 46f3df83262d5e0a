"""Charges, the ones made without a payment intent included."""

from typing import Any

import stripe

from sandbox import amounts, connect
from sandbox.cards import CARDS
from sandbox.charging import captured, charged
from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import payment_methods
from sandbox.route import Call, route
from sandbox.world import Object, World

# Older names of what a destination charge is made with, which this sandbox does not know.
OLDER = ("application_fee", "destination")


def _no_older_names(params: dict[str, Any]) -> None:
    for name in OLDER:
        if name in params:
            raise invalid(f"This sandbox has no {name}: use application_fee_amount and transfer_data.", param=name)


def _method(world: World, params: dict[str, Any]) -> Object:
    customer = params.get("customer")
    known = world.require("customer", customer, param="customer") if customer else None
    if "source" in params:
        method = payment_methods.from_source(world, params["source"], param="source")
        if method["customer"] and method["customer"] != customer:
            raise invalid(f"Customer {customer} does not have a linked source with ID {method['id']}.", code="missing", param="source")
        return method
    if known is None:
        raise invalid("Must provide source or customer.", code="parameter_missing")
    chosen = known["default_source"] or known["invoice_settings"]["default_payment_method"]
    if not chosen:
        raise invalid("Cannot charge a customer that has no active card", code="missing", param="card")
    return world.require("payment_method", chosen, param="source")


@route("POST", "/v1/charges", params=stripe.params.ChargeCreateParams, permission="charge_write")
def create(call: Call) -> Object:
    world, params = call.world, call.params
    for name in ("amount", "currency"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    currency = amounts.currency_of(params["currency"])
    amounts.check(params["amount"], currency)
    _no_older_names(params)
    shares: dict[str, Any] = connect.asked(world, params, params["amount"], currency)
    shares["transfer_data"] = connect.of_charge(shares.get("transfer_data"))
    method = _method(world, params)
    card = payment_methods.card_of(world, method)
    charge = charged(
        world,
        amount=params["amount"],
        currency=currency,
        method=method,
        card=card,
        capture=params.get("capture", True),
        customer=params.get("customer"),
        description=params.get("description"),
        metadata=merged({}, params.get("metadata") or {}),
        receipt_email=params.get("receipt_email") or None,
        shipping=params.get("shipping"),
        statement_descriptor=params.get("statement_descriptor"),
        statement_descriptor_suffix=params.get("statement_descriptor_suffix"),
        transfer_group=params.get("transfer_group"),
        **shares,
    )
    if card.code:
        raise card.error(keep=True, charge=charge["id"])
    return charge


@route("GET", "/v1/charges", params=stripe.params.ChargeListParams, permission="charge_read", list_of="charge")
def every(call: Call) -> Object:
    return page(call, "charge", filters={"customer": "customer", "payment_intent": "payment_intent", "transfer_group": "transfer_group"})


@route("GET", "/v1/charges/{charge}", permission="charge_read")
def retrieve(call: Call) -> Object:
    return call.world.require("charge", call.path["charge"])


@route("POST", "/v1/charges/{charge}", params=stripe.params.ChargeUpdateParams, permission="charge_write")
def update(call: Call) -> Object:
    world, params = call.world, call.params
    charge = world.require("charge", call.path["charge"])
    if "customer" in params:
        if charge["customer"] not in (None, params["customer"]):
            raise invalid("You cannot change the customer of a charge that already has one.", param="customer")
        charge["customer"] = world.require("customer", params["customer"], param="customer")["id"]
    for name in ("description", "receipt_email", "shipping", "transfer_group"):
        if name in params:
            charge[name] = params[name] or None
    if "fraud_details" in params:
        charge["fraud_details"] = {name: value for name, value in params["fraud_details"].items() if value}
    if "metadata" in params:
        charge["metadata"] = merged(charge["metadata"], params["metadata"])
    world.save(charge)
    world.emit("charge.updated", charge)
    return charge


@route("POST", "/v1/charges/{charge}/capture", params=stripe.params.ChargeCaptureParams, permission="charge_write")
def capture(call: Call) -> Object:
    world = call.world
    charge = world.require("charge", call.path["charge"])
    if charge["captured"]:
        raise invalid(f"Charge {charge['id']} has already been captured.", code="charge_already_captured")
    if charge["refunded"]:
        raise invalid(f"Charge {charge['id']} has been refunded.", code="charge_already_refunded")
    if charge["status"] == "failed":
        raise invalid(f"Charge {charge['id']} has failed and cannot be captured.")
    if charge["payment_intent"]:
        raise invalid("This charge belongs to a PaymentIntent. Capture the PaymentIntent instead.", code="payment_intent_unexpected_state")
    amount = call.params.get("amount", charge["amount"])
    if not 1 <= amount <= charge["amount"]:
        raise invalid("Could not capture the requested amount because it is greater than the amount authorized.", param="amount")
    amounts.check_fraction(amount, charge["currency"])
    _no_older_names(call.params)
    charge |= connect.asked(world, call.params, amount, charge["currency"], kept=charge)
    charge = captured(world, charge, amount)
    card = CARDS[world.private("charge", charge["id"])["card"]]
    if card.dispute:
        from sandbox.resources import disputes

        disputes.opened(world, charge, card.dispute)
    return charge

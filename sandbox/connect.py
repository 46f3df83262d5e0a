"""Destination charges: what of a payment goes to a connected account, what fee is kept of it, and what a refund takes back.

There are no accounts here: any `acct_…` but the sandbox's own is one. Transfers and reversals have routes to be read by,
fees are seen through `expand`.
"""

import re
from typing import Any

from sandbox.amounts import check_fraction
from sandbox.errors import StripeError, invalid, not_found
from sandbox.listing import listed
from sandbox.resources.balance_transactions import recorded
from sandbox.world import Object, World

FIELDS = ("application_fee_amount", "on_behalf_of", "transfer_data")
Told = list[tuple[str, Object]]

_ACCOUNT = re.compile(r"acct_[A-Za-z0-9_]+")
_NOT_HERE = ("description", "metadata", "payment_data")


def asked(world: World, params: dict[str, Any], amount: int, currency: str, *, kept: Object | None = None) -> Object:
    """The fields that a request sets on an object of `amount`, checked; `kept` is the object where it is there already."""
    found = {name: params[name] for name in FIELDS if name in params}
    if found.get("application_fee_amount") == "":
        found["application_fee_amount"] = None
    if "transfer_data" in found:
        for name in _NOT_HERE:
            if name in found["transfer_data"]:
                raise invalid(f"This sandbox has no transfer_data[{name}].", param=f"transfer_data[{name}]")
        found["transfer_data"] = ((kept or {}).get("transfer_data") or {}) | found["transfer_data"]
    for name, id in (("on_behalf_of", found.get("on_behalf_of")), ("transfer_data[destination]", _to(found).get("destination"))):
        if id is not None:
            _check_account(world, name, id)
    _check_amounts(found, (kept or {}) | found, amount, currency)
    return found


def _to(fields: Object) -> Object:
    return fields.get("transfer_data") or {}


def _check_account(world: World, name: str, id: str) -> None:
    if not _ACCOUNT.fullmatch(id):
        raise not_found("account" if name == "on_behalf_of" else "destination", id, param=name)
    if id == world.account:
        raise invalid(f"The '{name}' param cannot be set to your own account.", param=name)


def _check_amounts(found: Object, whole: Object, amount: int, currency: str) -> None:
    fee, share = found.get("application_fee_amount"), _to(found).get("amount")
    if fee is not None and not _to(whole).get("destination"):
        raise invalid(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an OAuth key or"
            " Stripe-Account header) or destination payment (using `transfer_data[destination]`).",
            code="parameter_missing",
        )
    if share is not None and not _to(whole).get("destination"):
        raise invalid("transfer_data[amount] can only be set where there is a transfer_data[destination].", param="transfer_data[amount]")
    if (fee, share) != (None, None) and None not in (whole.get("application_fee_amount"), _to(whole).get("amount")):
        raise invalid("You can use one of application_fee_amount and transfer_data[amount], not both.", param="application_fee_amount")
    for name, value, least in (("application_fee_amount", fee, 0), ("transfer_data[amount]", share, 1)):
        if value is None:
            continue
        if value < least:
            raise invalid(f"This value must be greater than or equal to {least}.", param=name, code="parameter_invalid_integer")
        if value > amount:
            raise invalid(f"{name} must be less than or equal to the amount.", param=name)
        check_fraction(value, currency, param=name)


def of_charge(transfer_data: Object | None) -> Object | None:
    """`charge.transfer_data`, which always has an amount."""
    return {"amount": transfer_data.get("amount"), "destination": transfer_data["destination"]} if transfer_data else None


def shared(world: World, charge: Object) -> Told:
    """Send on what a captured charge is to send on, and keep the fee; what is to be announced when the charge is kept."""
    if not charge["transfer_data"]:
        return []
    captured, currency, to = charge["amount_captured"], charge["currency"], charge["transfer_data"]["destination"]
    id, payment = world.new_id("tr"), world.new_id("py")
    amount = min(charge["transfer_data"]["amount"] or captured, captured)
    transfer = world.insert(
        {
            "id": id,
            "object": "transfer",
            "amount": amount,
            "amount_reversed": 0,
            "balance_transaction": recorded(world, "transfer", -amount, currency, id)["id"],
            "created": world.clock.now(),
            "currency": currency,
            "description": None,
            "destination": to,
            "destination_payment": payment,
            "livemode": world.livemode,
            "metadata": {},
            "reversals": listed([], f"/v1/transfers/{id}/reversals"),
            "reversed": False,
            "source_transaction": charge["id"],
            "source_type": "card",
            "transfer_group": charge["transfer_group"],
        }
    )
    charge["transfer"] = id
    told = [("transfer.created", transfer)]
    # A fee of nothing is no fee, and more than was captured is not collected.
    if fee := min(charge["application_fee_amount"] or 0, captured):
        told.append(("application_fee.created", _fee(world, charge, fee, to, payment)))
    return told


def _fee(world: World, charge: Object, amount: int, account: str, payment: str) -> Object:
    id = charge["application_fee"] = world.new_id("fee")
    return world.insert(
        {
            "id": id,
            "object": "application_fee",
            "account": account,
            "amount": amount,
            "amount_refunded": 0,
            "application": world.account.replace("acct", "ca", 1),
            "balance_transaction": recorded(world, "application_fee", amount, charge["currency"], id)["id"],
            "charge": payment,
            "created": world.clock.now(),
            "currency": charge["currency"],
            "fee_source": {"charge": payment, "type": "charge"},
            "livemode": world.livemode,
            "originating_transaction": charge["id"],
            "refunded": False,
            "refunds": listed([], f"/v1/application_fees/{id}/refunds"),
        }
    )


def refusal(charge: Object, *, reverse: bool, fee: bool) -> StripeError | None:
    """Why a refund of the charge cannot take back so much."""
    if reverse and not charge.get("transfer"):
        return invalid(f"Cannot reverse transfer on charge {charge['id']} because it does not have an associated transfer.")
    if fee and not charge["application_fee"]:
        return invalid(f"Attempting to refund_application_fee on {charge['id']}, but it has no application fee")
    if fee and not reverse:
        return invalid("If you refund the application fee for a destination charge, you must also reverse the transfer.")
    return None


def taken_back(world: World, charge: Object, refund: Object, *, reverse: bool, fee: bool) -> Told:
    """Reverse the transfer and give the fee back, in the refund's proportion; all that is left of them with the charge's last cent.

    Neither comes back when the refund fails later: nothing is documented about that."""
    told: Told = []
    if reverse:
        transfer = world.require("transfer", charge["transfer"])
        if amount := _portion(transfer["amount"], transfer["amount_reversed"], charge, refund):
            id = refund["transfer_reversal"] = world.new_id("trr")
            reversal = {
                "object": "transfer_reversal",
                "destination_payment_refund": world.new_id("pyr"),
                "metadata": {},
                "source_refund": refund["id"],
                "transfer": transfer["id"],
            } | _piece(world, id, "transfer_refund", amount, refund)
            transfer["amount_reversed"] += amount
            transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
            told.append(("transfer.reversed", _kept_inside(world, transfer, "reversals", reversal)))
    if fee:
        kept = world.require("application_fee", charge["application_fee"])
        if amount := _portion(kept["amount"], kept["amount_refunded"], charge, refund):
            id = world.new_id("fr")
            back = {"object": "fee_refund", "fee": kept["id"], "metadata": {}} | _piece(
                world, id, "application_fee_refund", -amount, refund
            )
            kept["amount_refunded"] += amount
            kept["refunded"] = kept["amount_refunded"] == kept["amount"]
            told.append(("application_fee.refunded", _kept_inside(world, kept, "refunds", back)))
    return told


def _portion(whole: int, gone: int, charge: Object, refund: Object) -> int:
    left = whole - gone
    return left if charge["refunded"] else min(left, whole * refund["amount"] // charge["amount_captured"])


def _piece(world: World, id: str, type: str, moved: int, refund: Object) -> Object:
    movement = recorded(world, type, moved, refund["currency"], id)["id"]
    return {
        "id": id,
        "amount": abs(moved),
        "balance_transaction": movement,
        "created": refund["created"],
        "currency": refund["currency"],
    }


def _kept_inside(world: World, whole: Object, name: str, piece: Object) -> Object:
    """Keep a piece, and the newest ten of them in what they are pieces of."""
    world.insert(piece)
    pieces = whole[name]
    pieces["has_more"] = pieces["has_more"] or len(pieces["data"]) == 10
    pieces["data"] = [piece, *pieces["data"]][:10]
    return world.save(whole)

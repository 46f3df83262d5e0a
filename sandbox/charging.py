"""A charge as it comes into being: succeeded or failed by its card, with its fee, and with a dispute where the card opens one."""

from typing import Any

from sandbox import connect, timers
from sandbox.cards import Card
from sandbox.resources import balance_transactions
from sandbox.world import Object, World

BOOKED_AFTER = 2  # seconds of the sandbox's clock

_REFUSED = {"fraudulent": ("blocked", "Stripe blocked this payment as too risky.", "not_sent_to_network")}


def _outcome(card: Card) -> Object:
    score = {"normal": 20, "elevated": 70, "highest": 90}[card.risk]
    if card.code is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None if card.risk == "normal" else f"{card.risk}_risk_level",
            "risk_level": card.risk,
            "risk_score": score,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    kind, words, status = _REFUSED.get(
        card.decline_code or "",
        ("issuer_declined", "The bank did not return any further details with this decline.", "declined_by_network"),
    )
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": status,
        "reason": card.decline_code or card.code,
        "risk_level": card.risk,
        "risk_score": score,
        "seller_message": words,
        "type": kind,
    }


def _paid_with(method: Object, amount: int) -> Object:
    if method["type"] != "card":
        return {method["type"]: {}, "type": method["type"]}
    card = method["card"]
    return {
        "card": {
            "amount_authorized": amount,
            "authorization_code": None,
            "brand": card["brand"],
            "checks": card["checks"],
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    }


def built(
    world: World, *, amount: int, currency: str, method: Object, card: Card, capture: bool, created: int | None = None, **rest: Any
) -> Object:
    """The charge object, not yet kept; `rest` overrides any of its fields (customer, payment_intent, description, metadata, …)."""
    failed = card.code is not None
    id = world.new_id("ch" if method["type"] == "card" else "py")
    return {
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if capture and not failed else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "BILLY SANDBOX",
        "captured": capture and not failed,
        "created": created or world.clock.now(),
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": (card.code or None) if failed else None,
        "failure_message": card.message if failed else None,
        "fraud_details": {},
        "livemode": world.livemode,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": _outcome(card),
        "paid": not failed,
        "payment_intent": None,
        "payment_method": method["id"],
        "payment_method_details": _paid_with(method, amount),
        "radar_options": {},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None if failed else f"https://pay.stripe.com/receipts/{world.account}/{id}",
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed" if failed else "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    } | rest


def _settle(world: World, charge: Object, *, later: bool) -> connect.Told:
    """Book the captured amount of a charge, now or `later`, and send on what goes to a connected account. Gives what is to be announced
    after the charge."""
    if later:
        timers.later(world, BOOKED_AFTER, "charge_is_booked", charge["id"])
    else:
        _move(world, charge)
    return connect.shared(world, charge)


def _move(world: World, charge: Object) -> None:
    movement = balance_transactions.recorded(
        world,
        "charge",
        charge["amount_captured"],
        charge["currency"],
        charge["id"],
        fee=balance_transactions.processing_fee(charge["amount_captured"], charge["currency"]),
        description=charge["description"],
    )
    charge["balance_transaction"] = movement["id"]


def book(world: World, id: str) -> Object:
    """What reaches the balance, less the fee. Under `automatic_async` it is known only some seconds after the success."""
    charge = world.require("charge", id)
    if charge["captured"] and charge["balance_transaction"] is None:
        _move(world, charge)
        world.save(charge)
        world.emit("charge.updated", charge)
    return charge


@timers.timer("charge_is_booked")
def _is_booked(world: World, id: str) -> None:
    book(world, id)


def charged(
    world: World, *, amount: int, currency: str, method: Object, card: Card, capture: bool = True, later: bool = False, **rest: Any
) -> Object:
    """A new charge, kept and announced; `status` says whether it succeeded. Some cards dispute what they paid at once. With `later` its
    balance transaction follows some seconds afterwards."""
    charge = built(world, amount=amount, currency=currency, method=method, card=card, capture=capture, **rest)
    told = _settle(world, charge, later=later) if charge["captured"] else []
    world.insert(charge, private={"card": card.name})
    world.emit("charge.failed" if charge["status"] == "failed" else "charge.succeeded", charge)
    for type, obj in told:
        world.emit(type, obj)
    if card.dispute and charge["captured"]:
        # Imported here because a dispute changes its charge.
        from sandbox.resources import disputes

        disputes.opened(world, charge, card.dispute)
    if card.warning and charge["captured"]:
        from sandbox.resources import early_fraud_warnings

        early_fraud_warnings.issued(world, charge)
    return charge


def captured(world: World, charge: Object, amount: int) -> Object:
    """Capture all or part of what was authorised; the rest is released."""
    charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    told = _settle(world, charge, later=bool(charge["payment_intent"]))
    world.save(charge)
    world.emit("charge.captured", charge)
    for type, obj in told:
        world.emit(type, obj)
    return charge


def released(world: World, charge: Object) -> Object:
    """Let go of an authorisation."""
    charge |= {"refunded": True, "amount_refunded": charge["amount"]}
    world.save(charge)
    world.emit("charge.refunded", charge, promised=False)
    return charge

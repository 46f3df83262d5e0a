"""One finished object of every kind and fate, made by the sandbox itself and taken back: what the history is copied from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox import cards, charging, intents
from sandbox.clock import Clock
from sandbox.ids import Ids
from sandbox.resources import (
    balance_transactions,
    charges,
    coupons,
    credit_notes,
    customers,
    discounts,
    disputes,
    invoice_items,
    invoices,
    payment_methods,
    prices,
    products,
    refunds,
    subscriptions,
    tax_ids,
)
from sandbox.route import Call
from sandbox.world import World

FAILING = (
    "chargeDeclined",
    "chargeDeclinedInsufficientFunds",
    "chargeDeclinedExpiredCard",
    "chargeDeclinedFraudulent",
    "chargeDeclinedLostCard",
    "chargeDeclinedStolenCard",
    "chargeDeclinedIncorrectCvc",
    "chargeDeclinedProcessingError",
    "chargeDeclinedVelocityLimitExceeded",
)
PAYING = ("visa", "mastercard", "amex", "visa_debit", "riskLevelElevated")
DISPUTES = ("fraudulent", "product_not_received", "duplicate", "subscription_canceled", "inquiry")


class Moment(Clock):
    """A clock that stands where it is put."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        return self.at


class Past(World):
    """A world whose changes are history: nothing is announced."""

    def emit(self, type: str, obj: dict[str, Any], previous: dict[str, Any] | None = None, *, promised: bool = True) -> None:
        return None


def past(world: World, seed: int, at: int) -> Past:
    """The same store seen at another moment, with ids that repeat for a seed."""
    return Past(world.store, livemode=world.livemode, account=world.account, clock=Moment(at), ids=Ids(seed, 1_000_003))


def call(world: World, params: dict, *, method: str = "POST", url: str = "/v1", **path: str) -> Call:
    """A checked request, as a handler gets it."""
    return Call(world, method, url, path, params, [], None)


@dataclass
class Prototypes:
    """Objects by kind, and by what happened to them where that matters. Never changed, only copied from."""

    plain: dict[str, dict] = field(default_factory=dict)
    charge: dict[str, dict] = field(default_factory=dict)
    intent: dict[str, dict] = field(default_factory=dict)
    method: dict[str, dict] = field(default_factory=dict)
    dispute: dict[str, dict] = field(default_factory=dict)


def collect(world: Past) -> Prototypes:
    """Play one small shop through in a savepoint, keep copies, and roll back."""
    found = Prototypes()
    world.store.db.execute("SAVEPOINT prototypes")
    try:
        _play(world, found)
    finally:
        world.store.db.execute("ROLLBACK TO prototypes")
        world.store.db.execute("RELEASE prototypes")
    return found


def _play(world: Past, found: Prototypes) -> None:
    plain = found.plain
    customer = customers.create(call(world, {"name": "n", "email": "e@example.com"}))
    plain["customer"] = customer
    plain["tax_id"] = tax_ids.made(world, "eu_vat", "DE123456789", customer=customer["id"])
    for name in (*PAYING, *FAILING, "chargeCustomerFail", "authenticationRequired"):
        method = payment_methods.of_card(world, cards.CARDS[name])
        found.method[name] = method
        intent = intents.started(world, amount=1000, currency="usd", customer=customer["id"])
        found.intent[name] = intents.tried(world, intent, method)
        if intent["latest_charge"]:
            found.charge[name] = charging.book(world, intent["latest_charge"])
    good = found.method["visa"]
    manual = intents.started(world, amount=1000, currency="usd", customer=customer["id"], capture_method="manual")
    found.intent["uncaptured"] = intents.tried(world, manual, good)
    found.charge["uncaptured"] = world.require("charge", manual["latest_charge"])
    plain["balance_transaction"] = world.require("balance_transaction", found.charge["visa"]["balance_transaction"])
    plain["refund"] = refunds.made(world, dict(found.charge["visa"]), 10)
    plain["refund_movement"] = world.require("balance_transaction", plain["refund"]["balance_transaction"])
    for reason in DISPUTES:
        charge = charges.create(call(world, {"amount": 1000, "currency": "usd", "source": "tok_visa"}))
        found.dispute[reason] = disputes.opened(world, charge, reason)
    _bill(world, plain, customer)


def _bill(world: Past, plain: dict[str, dict], customer: dict) -> None:
    method = payment_methods.attached(world, payment_methods.of_card(world, cards.CARDS["visa"]), customer["id"])
    customer = customers.update(call(world, {"invoice_settings": {"default_payment_method": method["id"]}}, customer=customer["id"]))
    product = products.build(world, {"name": "p"})
    price = prices.build(world, {"product": product["id"], "unit_amount": 1000, "currency": "usd", "recurring": {"interval": "month"}})
    plain["subscription"] = subscriptions.create(call(world, {"customer": customer["id"], "items": [{"price": price["id"]}]}))
    plain["subscription_item"] = plain["subscription"]["items"]["data"][0]
    plain["cycle_invoice"] = world.require("invoice", plain["subscription"]["latest_invoice"])
    paid = world.find("invoice_payment", invoice=plain["cycle_invoice"]["id"])[0]
    plain["invoice_payment"] = paid
    plain["invoice_intent"] = world.require("payment_intent", paid["payment"]["payment_intent"])
    invoice = invoices.create(call(world, {"customer": customer["id"], "collection_method": "send_invoice", "days_until_due": 30}))
    plain["invoiceitem"] = invoice_items.create(
        call(world, {"customer": customer["id"], "amount": 1000, "currency": "usd", "invoice": invoice["id"]})
    )
    plain["draft_invoice"] = world.require("invoice", invoice["id"])
    plain["open_invoice"] = invoices.finalize(call(world, {}, id=invoice["id"]))
    plain["open_intent"] = world.find("payment_intent", customer=customer["id"])[0]
    plain["credit_note"] = credit_notes.create(call(world, {"invoice": invoice["id"], "amount": 100}))
    coupon = coupons.create(call(world, {"percent_off": 10.0, "duration": "forever"}))
    plain["discount"] = discounts.create(world, coupon, customer=customer["id"])


__all__ = ["DISPUTES", "FAILING", "PAYING", "Moment", "Past", "Prototypes", "balance_transactions", "call", "collect", "past"]

"""Payments of the past: charges with their intents, what reached the balance, refunds and disputes."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.company.ledger import Ledger
from sandbox.company.prototypes import DISPUTES, FAILING, PAYING, Prototypes
from sandbox.resources.balance_transactions import processing_fee
from sandbox.resources.disputes import ANSWER_WITHIN
from sandbox.resources.refunds import referenced

DAY, HOUR, MINUTE = 86_400, 3_600, 60

# What became of a hundred charges that no invoice asked for. Every fate is among the first thirty.
FATES = (
    "paid",
    "refunded",
    "failed",
    "part refunded",
    "disputed",
    "pending",
    "uncaptured",
    "recovered",
    "duplicate",
    "failed",
    "refund pending",
    "failed",
    "refund failed",
    "disputed",
    "failed",
    "paid",
    "disputed",
    "failed",
    "paid",
    "disputed",
    "failed",
    "twice refunded",
    "failed",
    "disputed",
    "failed",
    "disputed",
    "failed",
    "disputed",
    "disputed",
    "requires action",
    *("paid",) * 70,
)
# Only the first hundred are a sampler; later ones are as rare as in a healthy business.
_RARE = tuple(fate if position < 9 or fate == "paid" else "paid" for position, fate in enumerate(FATES))
_DISPUTE_STATUSES = ("needs_response", "won", "lost", "under_review", "prevented")
_INQUIRY_STATUSES = ("warning_needs_response", "warning_under_review", "warning_closed")
_OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


class Till:
    """Takes payments. `now` is where the history ends."""

    def __init__(self, ledger: Ledger, found: Prototypes, rng: Random, *, now: int, lean: bool = False) -> None:
        self._ledger, self._found, self._rng, self._now, self._lean = ledger, found, rng, now, lean
        self._failures = self._disputes = self._orders = 0

    def fate(self, number: int) -> str:
        return FATES[number] if number < 100 else _RARE[number % 100]

    def order(self) -> str:
        """The next order number; the first one is 5678."""
        self._orders += 1
        return str(5677 + self._orders)

    def _movement(
        self, type: str, amount: int, currency: str, source: str, created: int, *, fee: int = 0, description: str | None = None
    ) -> str | None:
        if self._lean:
            return None
        proto = self._found.plain["refund_movement" if type == "refund" else "balance_transaction"]
        movement = {
            **proto,
            "id": self._ledger.id("txn"),
            "amount": amount,
            "available_on": created + 2 * DAY,
            "created": created,
            "currency": currency,
            "description": description,
            "fee": fee,
            "fee_details": [{**proto["fee_details"][0], "amount": fee, "currency": currency}] if fee and proto["fee_details"] else [],
            "net": amount - fee,
            "source": source,
            "status": "available" if created + 2 * DAY <= self._now else "pending",
        }
        if type == "adjustment":
            movement |= {"type": type, "reporting_category": "dispute"}
        self._ledger.put(movement)
        return movement["id"]

    def charge(
        self, payer: dict[str, Any], amount: int, created: int, fate: str, *, card: str = "visa", intent: str | None, **rest: Any
    ) -> dict:
        """One charge, not yet written. `fate` is paid, failed, pending or uncaptured; `card` says which prototype it looks like."""
        proto = self._found.charge["uncaptured" if fate == "uncaptured" else card]
        id = self._ledger.id("py" if fate == "pending" else "ch")
        charge = {
            **proto,
            "id": id,
            "amount": amount,
            "amount_captured": amount if fate in ("paid", "pending") else 0,
            "billing_details": payer["billing_details"],
            "balance_transaction": None,
            "created": created,
            "currency": payer["currency"],
            "customer": payer["customer"],
            "payment_intent": intent,
            "payment_method": payer["method"],
            "receipt_url": None if fate == "failed" else f"https://pay.stripe.com/receipts/{id}",
            **rest,
        }
        if fate == "pending":
            charge |= {"status": "pending", "paid": False, "payment_method_details": {"type": "us_bank_account", "us_bank_account": {}}}
            charge["receipt_url"] = None
        elif card == payer["card"] or fate == "uncaptured":
            charge["payment_method_details"] = payer["details"]
        if fate == "paid":
            fee = processing_fee(amount, payer["currency"])
            charge["balance_transaction"] = self._movement("charge", amount, payer["currency"], id, created, fee=fee)
        return charge

    def keep(self, charge: dict, card: str = "visa") -> dict:
        self._ledger.put(charge, private={"card": card})
        self._ledger.event(f"charge.{charge['status']}", charge, charge["created"])
        return charge

    def intent(self, payer: dict, amount: int, created: int, proto: dict, id: str, latest: dict | None, **rest: Any) -> dict:
        """The intent around a charge (or around none)."""
        intent = {
            **proto,
            "id": id,
            "amount": amount,
            "client_secret": f"{id}_secret_{id[-12:]}",
            "created": created,
            "currency": payer["currency"],
            "customer": payer["customer"],
            "latest_charge": latest["id"] if latest else None,
            **rest,
        }
        status = intent["status"]
        intent["amount_received"] = amount if status == "succeeded" else 0
        intent["amount_capturable"] = amount if status == "requires_capture" else 0
        intent["payment_method"] = None if status in ("requires_payment_method", "canceled") else payer["method"]
        if proto["last_payment_error"] and latest:
            intent["last_payment_error"] = {
                **proto["last_payment_error"],
                "charge": latest["id"],
                "payment_method": {**proto["last_payment_error"]["payment_method"], "id": payer["method"], "customer": payer["customer"]},
            }
        return self._ledger.put(intent)

    def failing_card(self) -> str:
        self._failures += 1
        return FAILING[self._failures % len(FAILING)]

    def sale(self, payer: dict, amount: int, created: int, fate: str, room: int, **rest: Any) -> int:
        """One order and everything that followed it; answers how many charges that made, at most `room`."""
        room = max(1, room)
        if fate == "duplicate" and room > 1:
            twin = self._settled(payer, amount, created, "paid", **rest)
            self._settled(payer, amount, min(self._now, twin["created"] + 3 * MINUTE), "paid", **rest)
            return 2
        if fate == "recovered" and room > 1:
            self._recovered(payer, amount, created, **rest)
            return 2
        if fate in ("pending", "uncaptured", "requires action"):
            created = max(created, self._now - self._rng.randrange(HOUR, 4 * DAY))
        if fate == "requires action":
            proto = self._found.intent["authenticationRequired"]
            id = self._ledger.id("pi")
            self.intent(payer, amount, created, proto, id, None, **rest)
            return 0
        if fate == "failed":
            id, card = self._ledger.id("pi"), self.failing_card()
            charge = self.keep(self.charge(payer, amount, created, "failed", card=card, intent=id, **rest), card)
            if not self._lean:
                self.intent(payer, amount, created, self._found.intent[card], id, charge, **rest)
            return 1
        self._settled(payer, amount, created, fate if fate not in ("duplicate", "recovered") else "paid", **rest)
        return 1

    def _recovered(self, payer: dict, amount: int, created: int, **rest: Any) -> None:
        """A first attempt was declined, the second one went through on the same intent."""
        id, card = self._ledger.id("pi"), self.failing_card()
        self.keep(self.charge(payer, amount, created, "failed", card=card, intent=id, **rest), card)
        later = min(self._now, created + 20 * MINUTE)
        charge = self.keep(self.charge(payer, amount, later, "paid", card=payer["card"], intent=id, **rest))
        self.intent(payer, amount, created, self._found.intent["visa"], id, charge, **rest)

    def _settled(self, payer: dict, amount: int, created: int, fate: str, **rest: Any) -> dict:
        id = None if self._lean else self._ledger.id("pi")
        kind = fate if fate in ("pending", "uncaptured") else "paid"
        charge = self.charge(payer, amount, created, kind, card=payer["card"], intent=id, **rest)
        if id:
            proto = self._found.intent["uncaptured" if kind == "uncaptured" else "visa"]
            state = {"status": "processing", "payment_method_types": ["us_bank_account"]} if kind == "pending" else {}
            self.intent(payer, amount, created, proto, id, charge, **rest, **state)
        if fate == "disputed":
            self._dispute(charge)
        elif "refund" in fate:
            self._refunds(charge, fate)
        return self.keep(charge)

    def _refunds(self, charge: dict, fate: str) -> None:
        amount, step = charge["amount"], 10 if charge["currency"] == "kwd" else 1
        half = max(step, amount // 2 // step * step)
        if fate == "twice refunded":
            parts = [(half // 2 // step * step or step, "succeeded"), (half, "succeeded")]
        else:
            status = {"refund pending": "pending", "refund failed": "failed"}.get(fate, "succeeded")
            parts = [(half if fate == "part refunded" else amount, status)]
        for share, status in parts:
            self.refund(charge, share, status)

    def refund(self, charge: dict, amount: int, status: str = "succeeded", *, reason: str | None = None) -> dict:
        """Refund part of a charge that is not written yet."""
        delay = self._rng.randrange(HOUR, 20 * DAY)
        created = min(self._now - 60, charge["created"] + delay) if status != "pending" else max(charge["created"], self._now - DAY)
        refund = {
            **self._found.plain["refund"],
            "id": self._ledger.id("re"),
            "amount": amount,
            "charge": charge["id"],
            "created": max(created, charge["created"]),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason or self._rng.choice((None, "requested_by_customer", "duplicate", "fraudulent")),
            "status": status,
            "metadata": {"order_id": charge["metadata"]["order_id"]} if "order_id" in charge["metadata"] else {},
        }
        refund["balance_transaction"] = self._movement("refund", -amount, charge["currency"], refund["id"], refund["created"])
        if status == "failed":
            refund |= {"failure_reason": "expired_or_canceled_card"}
            back = self._movement("refund", amount, charge["currency"], refund["id"], refund["created"] + 60)
            refund |= {"failure_balance_transaction": back} if back else {}
        else:
            charge["amount_refunded"] += amount
            charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if status == "pending":
            refund["pending_reason"] = "processing"
        if status == "succeeded":
            refund = referenced(refund)
        self._ledger.put(refund)
        self._ledger.event("refund.created", refund, refund["created"])
        return refund

    def _dispute(self, charge: dict) -> None:
        number, self._disputes = self._disputes, self._disputes + 1
        reason = DISPUTES[number % len(DISPUTES)]
        statuses = _INQUIRY_STATUSES if reason == "inquiry" else _DISPUTE_STATUSES
        status = statuses[(number // len(DISPUTES) + (0 if reason == "inquiry" else number)) % len(statuses)]
        lag = self._rng.randrange(DAY, 7 * DAY)
        created = min(self._now - HOUR, charge["created"] + (lag if status in _OPEN else 3 * lag))
        created = max(created, charge["created"])
        if status in _OPEN:
            created = max(created, self._now - ANSWER_WITHIN + DAY)
        proto = self._found.dispute[reason]
        evidence = dict(proto["evidence"])
        if status not in ("needs_response", "warning_needs_response"):
            evidence["uncategorized_text"] = "The customer received what was ordered."
        dispute = {
            **proto,
            "id": self._ledger.id("du"),
            "amount": charge["amount"],
            "balance_transactions": [],
            "charge": charge["id"],
            "created": created,
            "currency": charge["currency"],
            "evidence": evidence,
            "evidence_details": {
                **proto["evidence_details"],
                "due_by": created + ANSWER_WITHIN,
                "has_evidence": bool(evidence.get("uncategorized_text")),
                "past_due": created + ANSWER_WITHIN < self._now,
                "submission_count": 1 if evidence.get("uncategorized_text") else 0,
            },
            "is_charge_refundable": reason == "inquiry" or status == "won",
            "payment_intent": charge["payment_intent"],
            "status": status,
        }
        charge["disputed"] = True
        self._ledger.put(dispute)
        self._ledger.event("charge.dispute.created", dispute, created)


__all__ = ["DAY", "FATES", "HOUR", "MINUTE", "PAYING", "Till"]

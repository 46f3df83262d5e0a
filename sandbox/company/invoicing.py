"""The frame of an invoice of the past, and how it ended: paid, declined, written off, void or still open."""

from __future__ import annotations

from typing import Any

from sandbox.company.ledger import Ledger
from sandbox.company.prototypes import Prototypes
from sandbox.company.till import DAY, HOUR, Till


class Invoicing:
    """Frames and settles invoices. `now` is where the history ends."""

    def __init__(self, ledger: Ledger, found: Prototypes, till: Till, *, now: int) -> None:
        self._ledger, self._found, self._till, self._now = ledger, found, till, now

    def frame(self, proto: dict, payer: dict, id: str, moment: int, lines: list[dict], off: int, entry: list[dict]) -> dict:
        """The amounts and names of an invoice that nobody has paid yet."""
        subtotal = sum(line["amount"] for line in lines)
        total = subtotal - off
        customer = payer["object"]
        return {
            **proto,
            "id": id,
            "amount_due": total,
            "amount_paid": 0,
            "amount_paid_off_stripe": 0,
            "amount_remaining": total,
            "attempt_count": 0,
            "attempted": False,
            "auto_advance": False,
            "created": moment,
            "currency": payer["currency"],
            "customer": payer["customer"],
            "customer_address": customer["address"],
            "customer_email": customer["email"],
            "customer_name": customer["name"],
            "default_payment_method": None,
            "discounts": [],
            "effective_at": moment,
            "hosted_invoice_url": f"https://invoice.stripe.com/i/{id}",
            "invoice_pdf": f"https://pay.stripe.com/invoice/{id}/pdf",
            "lines": {**proto["lines"], "data": lines, "url": f"/v1/invoices/{id}/lines"},
            "next_payment_attempt": None,
            "number": self.number(customer),
            "period_end": moment,
            "period_start": moment,
            "status": "open",
            "status_transitions": {"finalized_at": moment, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
            "subtotal": subtotal,
            "subtotal_excluding_tax": subtotal,
            "total": total,
            "total_discount_amounts": entry,
            "total_excluding_tax": total,
            "total_pretax_credit_amounts": [
                {"amount": one["amount"], "credit_balance_transaction": None, "discount": one["discount"], "type": "discount"}
                for one in entry
            ],
        }

    def number(self, customer: dict) -> str:
        number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
        customer["next_invoice_sequence"] += 1
        return number

    def settle(self, payer: dict, invoice: dict, fate: str, moment: int) -> int:
        """Give a framed invoice its end, write it with its payment, and answer how many charges that took."""
        steps, charges, due = invoice["status_transitions"], 0, invoice["amount_due"]
        if due and fate != "out of band":
            charges = self._pay(payer, invoice, moment, fate)
        if fate in ("paid", "free", "out of band"):
            invoice |= {"status": "paid", "amount_paid": due, "amount_remaining": 0, "attempted": True, "ending_balance": 0}
            invoice["amount_paid_off_stripe"] = due if fate == "out of band" else 0
            steps["paid_at"] = moment
        elif fate == "declined":
            invoice |= {"attempted": True, "auto_advance": True, "next_payment_attempt": self._now + DAY}
        elif fate == "uncollectible":
            later = min(self._now - HOUR, moment + 30 * DAY)
            invoice |= {"status": "uncollectible", "status_details": {"uncollectible": {"reason": "user_forgiven"}}}
            steps["marked_uncollectible_at"] = max(later, moment)
        elif fate == "void":
            invoice["status"] = "void"
            steps["voided_at"] = max(moment, min(self._now - HOUR, moment + 23 * HOUR))
        if charges:
            invoice |= {"attempted": True, "attempt_count": 1}
        self._ledger.put(invoice)
        self._ledger.event({"paid": "invoice.paid"}.get(invoice["status"], "invoice.finalized"), invoice, moment)
        return charges

    def _pay(self, payer: dict, invoice: dict, moment: int, fate: str) -> int:
        """The intent, the charge and the invoice payment that tie an invoice to money; answers how many charges that made."""
        id, amount = self._ledger.id("pi"), invoice["amount_due"]
        words: dict[str, Any] = {"description": f"Payment for Invoice {invoice['number']}"}
        ended = {"status": "canceled", "canceled_at": moment, "cancellation_reason": "void_invoice"} if fate == "void" else {}
        charge = None
        if fate == "paid":
            charge = self._till.keep(self._till.charge(payer, amount, moment, "paid", card=payer["card"], intent=id, **words))
            self._till.intent(payer, amount, moment, self._found.plain["invoice_intent"], id, charge, **words)
        elif invoice["collection_method"] == "charge_automatically":
            card = self._till.failing_card()
            charge = self._till.keep(self._till.charge(payer, amount, moment, "failed", card=card, intent=id, **words), card)
            self._till.intent(payer, amount, moment, self._found.intent[card], id, charge, **words, **ended)
        else:
            self._till.intent(payer, amount, moment, self._found.plain["open_intent"], id, None, **words, **ended)
        status = {"paid": "paid", "void": "canceled"}.get(fate, "open")
        self._ledger.put(
            {
                **self._found.plain["invoice_payment"],
                "id": self._ledger.id("inpay"),
                "amount_paid": amount if fate == "paid" else None,
                "amount_requested": amount,
                "created": moment,
                "currency": invoice["currency"],
                "invoice": invoice["id"],
                "payment": {"payment_intent": id, "type": "payment_intent"},
                "status": status,
                "status_transitions": {
                    "canceled_at": moment if status == "canceled" else None,
                    "paid_at": moment if status == "paid" else None,
                },
            }
        )
        return 1 if charge else 0

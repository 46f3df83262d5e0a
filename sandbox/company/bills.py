"""Bills for single orders: drafts, open and overdue ones, paid ones, written off ones, and those with credit notes."""

from __future__ import annotations

from sandbox.company import shop
from sandbox.company.invoicing import Invoicing
from sandbox.company.ledger import Ledger
from sandbox.company.prototypes import Prototypes
from sandbox.company.till import DAY, Till

# What became of single bills; the numbers are days that a bill is overdue.
BILLS = (
    "paid",
    "draft",
    "open",
    "overdue 3",
    "overdue 20",
    "overdue 45",
    "overdue 120",
    "void",
    "uncollectible",
    "credited",
    "paid credited",
)
BILLS += ("paid", "paid", "out of band", "paid", "paid", "open", "paid", "paid", "overdue 10")


class Bills:
    """Writes bills. `now` is where the history ends."""

    def __init__(self, ledger: Ledger, found: Prototypes, invoicing: Invoicing, till: Till, *, now: int) -> None:
        self._ledger, self._found, self._invoicing, self._till, self._now = ledger, found, invoicing, till, now
        self._billed = 0

    def bill(self, payer: dict, moment: int, dollars: int, memo: str | None) -> int:
        """A bill for a single order; answers how many charges that made."""
        fate = BILLS[self._billed % len(BILLS)]
        self._billed += 1
        overdue = int(fate.split()[1]) if fate.startswith("overdue") else None
        if overdue is not None:
            moment = self._now - (overdue + 30) * DAY
        elif fate in ("open", "credited"):
            moment = max(moment, self._now - 20 * DAY)
        elif fate == "draft":
            moment = max(moment, self._now - 3 * DAY)
        invoice = self._single(payer, moment, dollars, memo, draft=fate == "draft")
        if fate == "draft":
            self._ledger.put(invoice)
            return 0
        if fate == "credited":
            self._credit(invoice, invoice["total"] // 40 * 10, paid=False)
        charges = (
            self._invoicing.settle(payer, invoice, "paid" if fate == "paid credited" else fate, moment) if fate != "paid credited" else 0
        )
        if fate == "paid credited":
            self._credit(invoice, invoice["total"] // 40 * 10, paid=True)
            charges = self._invoicing.settle(payer, invoice, "paid", moment)
        return charges

    def _single(self, payer: dict, moment: int, dollars: int, memo: str | None, *, draft: bool) -> dict:
        proto = self._found.plain["draft_invoice" if draft else "open_invoice"]
        id, amount = self._ledger.id("in"), shop.amount(dollars, payer["currency"])
        item = {
            **self._found.plain["invoiceitem"],
            "id": self._ledger.id("ii"),
            "amount": amount,
            "currency": payer["currency"],
            "customer": payer["customer"],
            "date": moment,
            "description": f"Order {self._till.order()}",
            "invoice": id,
            "net_amount": amount,
            "period": {"end": moment, "start": moment},
            "pricing": {"price_details": None, "type": "price_details", "unit_amount_decimal": str(amount)},
        }
        self._ledger.put(item, created=moment)
        line = proto["lines"]["data"][0]
        line = {
            **line,
            "id": self._ledger.id("il"),
            "amount": amount,
            "currency": payer["currency"],
            "description": item["description"],
            "invoice": id,
            "parent": {**line["parent"], "invoice_item_details": {**line["parent"]["invoice_item_details"], "invoice_item": item["id"]}},
            "period": item["period"],
            "pricing": item["pricing"],
            "subtotal": amount,
        }
        invoice = self._invoicing.frame(proto, payer, id, moment, [line], 0, [])
        invoice |= {
            "collection_method": "send_invoice",
            "description": memo,
            "due_date": moment + 30 * DAY,
            "metadata": {"order_id": item["description"].removeprefix("Order ")},
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0,
        }
        if draft:
            payer["object"]["next_invoice_sequence"] -= 1
            invoice |= {"status": "draft", "number": None, "hosted_invoice_url": None, "invoice_pdf": None, "effective_at": None}
            invoice["status_transitions"]["finalized_at"] = None
        return invoice

    def _credit(self, invoice: dict, amount: int, *, paid: bool) -> None:
        """A credit note: before the payment it lowers what is due, afterwards it is settled outside of Stripe."""
        proto = self._found.plain["credit_note"]
        id, moment = self._ledger.id("cn"), min(self._now - 60, invoice["created"] + DAY)
        line = {
            **proto["lines"]["data"][0],
            "id": self._ledger.id("cnli"),
            "amount": amount,
            "unit_amount": amount,
            "unit_amount_decimal": str(amount),
        }
        note = {
            **proto,
            "id": id,
            "amount": amount,
            "created": moment,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "effective_at": moment,
            "invoice": invoice["id"],
            "lines": {**proto["lines"], "data": [line], "url": f"/v1/credit_notes/{id}/lines"},
            "memo": "Agreed by phone",
            "number": f"{invoice['number']}-CN-01",
            "out_of_band_amount": amount if paid else None,
            "pdf": f"https://pay.stripe.com/credit_notes/{id}/pdf",
            "post_payment_amount": amount if paid else 0,
            "pre_payment_amount": 0 if paid else amount,
            "subtotal": amount,
            "subtotal_excluding_tax": amount,
            "total": amount,
            "total_excluding_tax": amount,
            "type": "post_payment" if paid else "pre_payment",
        }
        if paid:
            invoice["post_payment_credit_notes_amount"] = amount
        else:
            invoice["pre_payment_credit_notes_amount"] = amount
            invoice["amount_due"] -= amount
            invoice["amount_remaining"] -= amount
        self._ledger.put(note)
        self._ledger.event("credit_note.created", note, moment)

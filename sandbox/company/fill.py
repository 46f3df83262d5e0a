"""The loop over the customers: who they are, what they subscribed to, what they were billed and what they bought."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.company import cast, shop
from sandbox.company.bills import Bills
from sandbox.company.invoicing import Invoicing
from sandbox.company.ledger import Ledger
from sandbox.company.prototypes import PAYING, Prototypes, collect, past
from sandbox.company.subscribing import Subscribing
from sandbox.company.till import DAY, HOUR, Till
from sandbox.world import World

HISTORY = 547 * DAY
EVENTS = 29 * DAY


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of each. The numbers are met exactly where there are at least as many invoices as subscriptions and enough charges
    to pay them."""

    customers: int
    charges: int
    subscriptions: int
    invoices: int

    @classmethod
    def scaled(cls, scale: float) -> Counts:
        """Scale 1 is 300 customers with 3,000 charges."""
        return cls(max(1, round(300 * scale)), max(1, round(3000 * scale)), max(1, round(300 * scale)), max(1, round(900 * scale)))


class _Owed:
    """Spreads a total over customers so that it comes out exactly; what one does not take, the next ones do."""

    def __init__(self, total: int, customers: int) -> None:
        self._total, self._customers, self.taken = total, customers, 0

    def at(self, number: int) -> int:
        return self._total * (number + 1) // self._customers - self.taken


class Company:
    """One company in the making."""

    def __init__(self, world: World, seed: int, counts: Counts, *, lean: bool) -> None:
        self._rng = Random(seed)
        self._now = world.clock.now()
        self._counts = counts
        before = past(world, seed, self._now - HISTORY)
        self._found: Prototypes = collect(before)
        self._shop = shop.opened(before, self._now - HISTORY)
        self._past = before
        self.ledger = Ledger(world, self._rng, events_since=self._now - EVENTS, running=not lean)
        self._till = Till(self.ledger, self._found, self._rng, now=self._now, lean=lean)
        invoicing = Invoicing(self.ledger, self._found, self._till, now=self._now)
        self._bills = Bills(self.ledger, self._found, invoicing, self._till, now=self._now)
        self._subscribing = Subscribing(self.ledger, self._found, self._shop, invoicing, self._rng, now=self._now)
        self._sales = 0

    def make(self) -> None:
        counts, rng = self._counts, self._rng
        subscriptions, invoices, charges = (
            _Owed(total, counts.customers) for total in (counts.subscriptions, counts.invoices, counts.charges)
        )
        for number in range(counts.customers):
            last = number == counts.customers - 1
            payer = self._customer(number)
            since = payer["object"]["created"]
            idle = not last and number > 60 and rng.random() < 0.2
            wanted = 0 if idle else subscriptions.at(number)
            mistake = number % 40 == 7 and wanted > 0 and not last
            wanted += mistake  # the same plan twice
            for position in range(wanted):
                quota = max(1, invoices.at(number) * 7 // 10 // wanted)
                made, paid = self._subscribing.subscribe(payer, since, quota, twin=payer if mistake and position == wanted - 1 else None)
                subscriptions.taken += 1
                invoices.taken += made
                charges.taken += paid
            while invoices.at(number) > 0 and not idle:
                charges.taken += self._bills.bill(payer, rng.randrange(since, self._now - DAY), rng.randrange(20, 2000), payer["memo"])
                invoices.taken += 1
            while charges.at(number) > 0:
                charges.taken += self._sale(payer, since, charges.at(number))
            self.ledger.put(payer["object"])
            self.ledger.event("customer.created", payer["object"], since)
        self.ledger.flush()
        self._past.save(self._shop.coupon)

    def _customer(self, number: int) -> dict[str, Any]:
        """The customer (written when all else about them is known) and what their payments have in common."""
        rng, ledger = self._rng, self.ledger
        name, email, country = cast.person(number, rng.getrandbits(20))
        hostile = cast.hostile(number)
        age = int(HISTORY * (1 - rng.random() ** 2 * 0.99))
        created = min(self._now - 2 * DAY, self._now - HISTORY + (HISTORY - age) + 3 * HOUR)
        currency = cast.CURRENCY_OF[country]
        card = PAYING[number % len(PAYING)]
        id, method_id = ledger.id("cus"), ledger.id("pm")
        where = cast.address(country, number)
        customer = {
            **self._found.plain["customer"],
            "id": id,
            "address": where,
            "created": created,
            "currency": currency,
            "email": email,
            "invoice_prefix": f"{rng.getrandbits(32):08X}",
            "invoice_settings": {**self._found.plain["customer"]["invoice_settings"], "default_payment_method": method_id},
            "metadata": {"crm_id": f"CRM-{number:06d}"},
            "name": name,
        }
        if hostile:
            words = ("name", "description", "metadata")[number % 3]
            if words == "metadata":
                customer["metadata"]["note"] = hostile[1][:500]
            else:
                customer[words] = hostile[1][:250]
        billing = {**self._found.method[card]["billing_details"], "address": where, "email": email, "name": customer["name"]}
        method = {**self._found.method[card], "id": method_id, "billing_details": billing, "created": created, "customer": id}
        ledger.put(method, private={"card": card})
        if number % 9 == 8:
            tax = self._found.plain["tax_id"]
            owner = {**tax["owner"], "customer": id}
            value = f"DE{rng.randrange(10**8, 10**9)}"
            ledger.put({**tax, "id": ledger.id("txi"), "created": created, "customer": id, "owner": owner, "value": value})
        return {
            "billing_details": billing,
            "card": card,
            "currency": currency,
            "customer": id,
            "details": self._found.charge[card]["payment_method_details"],
            "memo": hostile[1][:450] if hostile else "Thank you for your order" if number % 3 else None,
            "method": method_id,
            "object": customer,
        }

    def _sale(self, payer: dict, since: int, room: int) -> int:
        rng = self._rng
        fate = self._till.fate(self._sales)
        self._sales += 1
        created = self._now - HOUR - int((self._now - HOUR - since) * rng.random())
        order = self._till.order()
        description = payer["memo"] if payer["memo"] and self._sales % 2 else f"Order {order}"
        amount = shop.amount(rng.randrange(300, 50_000) / 100, payer["currency"])
        return self._till.sale(payer, amount, created, fate, room, description=description, metadata={"order_id": order})


def fill(world: World, *, seed: int, scale: float = 1, counts: Counts | None = None, lean: bool = False) -> dict[str, int]:
    """Write the company of this seed into the store, in the transaction that is open. `counts` overrides `scale`; `lean` leaves out
    what reaches the balance, the intents of single orders, events and the renewals to come, for measurements. Answers how many objects of each kind there are;
    raises ValueError when there is a company already."""
    if world.get("coupon", shop.LOYAL) is not None:
        raise ValueError("there is a company already; a store holds one")
    company = Company(world, seed, counts or Counts.scaled(scale), lean=lean)
    company.make()
    return dict(sorted(company.ledger.made.items()))

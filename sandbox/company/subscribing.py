"""Subscriptions of the past, in every status, with the invoices they left."""

from __future__ import annotations

from random import Random

from sandbox.company.invoicing import Invoicing
from sandbox.company.ledger import Ledger
from sandbox.company.prototypes import Prototypes
from sandbox.company.shop import Shop
from sandbox.company.till import DAY, HOUR
from sandbox.resources import plans
from sandbox.resources.discounts import add_months

# The statuses of fifty subscriptions; the first ten show every one.
STATUSES = (
    "active",
    "past_due",
    "canceled",
    "trialing",
    "incomplete",
    "incomplete_expired",
    "unpaid",
    "paused",
    "ending",
    "discounted",
    *("active",) * 32,
    *("canceled",) * 4,
    *("past_due",) * 2,
    "trialing",
    "ending",
)


class Subscribing:
    """Signs customers up. `now` is where the history ends."""

    def __init__(self, ledger: Ledger, found: Prototypes, shop: Shop, invoicing: Invoicing, rng: Random, *, now: int) -> None:
        self._ledger, self._found, self._shop, self._invoicing, self._rng, self._now = ledger, found, shop, invoicing, rng, now
        self._subscribed = 0

    def subscribe(self, payer: dict, since: int, quota: int, *, twin: dict | None = None) -> tuple[int, int]:
        """One subscription with up to `quota` invoices; answers how many invoices and charges that made."""
        fate = STATUSES[self._subscribed % len(STATUSES)]
        self._subscribed += 1
        status = "active" if fate in ("ending", "discounted") else fate
        prices = self._shop.prices[payer["currency"]]
        price = twin["price"] if twin else prices[self._rng.randrange(len(prices))]
        yearly = price["recurring"]["interval"] == "year"
        months = 12 if yearly else 1
        id, now = self._ledger.id("sub"), self._now
        start, end, trial = self._period(status, since, months)
        quantity = 1 + self._rng.randrange(4) // 3
        item = {
            **self._found.plain["subscription_item"],
            "id": self._ledger.id("si"),
            "created": start,
            "current_period_end": end,
            "current_period_start": self._start_of(start, end, months, trial),
            "plan": plans.from_price(price),
            "price": price,
            "quantity": quantity,
            "subscription": id,
        }
        payer["price"] = price
        proto = self._found.plain["subscription"]
        subscription = {
            **proto,
            "id": id,
            "billing_cycle_anchor": trial or start,
            "cancellation_details": dict(proto["cancellation_details"]),
            "created": start,
            "currency": payer["currency"],
            "customer": payer["customer"],
            "default_payment_method": None,
            "items": {**proto["items"], "data": [item], "url": f"/v1/subscription_items?subscription={id}"},
            "metadata": {"team": self._rng.choice(("north", "south", "west"))},
            "start_date": start,
            "status": status,
            "trial_end": trial,
            "trial_start": start if trial else None,
        }
        if fate == "ending":
            subscription |= {"cancel_at_period_end": True, "cancel_at": end, "canceled_at": now - DAY}
            subscription["cancellation_details"] |= {"reason": "cancellation_requested", "feedback": "too_expensive"}
        if status in ("canceled", "incomplete_expired"):
            over = min(now - HOUR, start + 23 * HOUR) if status == "incomplete_expired" else end - DAY
            subscription |= {"canceled_at": over, "ended_at": over}
            subscription["cancellation_details"]["reason"] = "cancellation_requested" if status == "canceled" else None
        discount = self._discount(payer, subscription) if fate == "discounted" else None
        made = self._periods(payer, subscription, item, quota, months, discount)
        self._ledger.put(item)
        self._ledger.put(subscription)
        self._ledger.event("customer.subscription.created", subscription, start)
        if status in ("active", "trialing", "past_due", "unpaid"):
            self._ledger.timer("period_ends", id, end)
        return made

    def _period(self, status: str, since: int, months: int) -> tuple[int, int, int | None]:
        """Start of the subscription, end of its current period and of its trial, for a status to make sense today."""
        now = self._now
        if status == "trialing":
            start = now - self._rng.randrange(HOUR, 10 * DAY)
            return start, start + 14 * DAY, start + 14 * DAY
        if status == "paused":
            start = max(since, now - self._rng.randrange(20 * DAY, 60 * DAY))
            return start, start + 14 * DAY, start + 14 * DAY
        if status == "incomplete":
            start = now - self._rng.randrange(HOUR, 20 * HOUR)
            return start, add_months(start, months), None
        if status == "incomplete_expired":
            start = max(since, now - self._rng.randrange(3 * DAY, 90 * DAY))
            return start, add_months(start, months), None
        start = max(since, min(now - 2 * DAY, since + self._rng.randrange(20 * DAY)))
        periods = 1
        while add_months(start, periods * months) <= now:
            periods += 1
        if status == "canceled" and periods > 1:
            periods = self._rng.randrange(1, periods)
        end = add_months(start, periods * months)
        if status == "canceled" and end > now:
            end = max(start + 2 * DAY, now - HOUR)
        return start, end, None

    def _start_of(self, start: int, end: int, months: int, trial: int | None) -> int:
        if trial:
            return start
        before, count = start, 1
        while (after := add_months(start, count * months)) < end:
            before, count = after, count + 1
        return before

    def _discount(self, payer: dict, subscription: dict) -> dict:
        discount = {
            **self._found.plain["discount"],
            "id": self._ledger.id("di"),
            "customer": payer["customer"],
            "source": {"coupon": self._shop.coupon["id"], "type": "coupon"},
            "start": subscription["created"],
            "subscription": subscription["id"],
        }
        self._ledger.put(discount, created=subscription["created"], private={"coupon": self._shop.coupon})
        self._shop.coupon["times_redeemed"] += 1
        subscription["discounts"] = [discount["id"]]
        return discount

    def _periods(self, payer: dict, subscription: dict, item: dict, quota: int, months: int, discount: dict | None) -> tuple[int, int]:
        """The invoices of the last periods, newest last, as many as there is room for."""
        status, start = subscription["status"], subscription["created"]
        starts = [item["current_period_start"]]
        if not subscription["trial_end"]:
            count = 0
            boundaries = []
            while (moment := add_months(start, count * months)) <= item["current_period_start"]:
                boundaries.append(moment)
                count += 1
            starts = boundaries[-max(1, quota) :]
        charges = 0
        for position, moment in enumerate(starts):
            last = position == len(starts) - 1
            fate = "paid"
            if subscription["trial_end"]:
                fate = "free"
            elif last:
                fate = {"past_due": "declined", "incomplete": "declined", "unpaid": "uncollectible", "incomplete_expired": "void"}.get(
                    status, "paid"
                )
            reason = "subscription_create" if moment == start else "subscription_cycle"
            invoice, made = self._invoice(payer, subscription, item, moment, months, fate, reason, discount)
            charges += made
            subscription["latest_invoice"] = invoice["id"]
        return len(starts), charges

    def _invoice(
        self, payer: dict, subscription: dict, item: dict, moment: int, months: int, fate: str, reason: str, discount: dict | None
    ) -> tuple[dict, int]:
        proto = self._found.plain["cycle_invoice"]
        id = self._ledger.id("in")
        line = proto["lines"]["data"][0]
        unit, quantity = item["price"]["unit_amount"], item["quantity"]
        amount = 0 if fate == "free" else unit * quantity
        off = amount * 20 // 100 // 10 * 10 if discount else 0
        entry = [{"amount": off, "discount": discount["id"]}] if discount else []
        line = {
            **line,
            "id": self._ledger.id("il"),
            "amount": amount,
            "currency": payer["currency"],
            "description": f"{quantity} × {self._shop.names[item['price']['id']]}",
            "discount_amounts": entry,
            "invoice": id,
            "parent": {
                **line["parent"],
                "subscription_item_details": {
                    **line["parent"]["subscription_item_details"],
                    "subscription": subscription["id"],
                    "subscription_item": item["id"],
                },
            },
            "period": {"end": item["current_period_end"] if fate == "free" else add_months(moment, months), "start": moment},
            "pricing": {
                **line["pricing"],
                "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
                "unit_amount_decimal": item["price"]["unit_amount_decimal"],
            },
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "subscription": subscription["id"],
            "subtotal": amount,
        }
        details = {**proto["parent"]["subscription_details"], "subscription": subscription["id"], "metadata": subscription["metadata"]}
        invoice = self._invoicing.frame(proto, payer, id, moment, [line], off, entry)
        invoice |= {
            "billing_reason": reason,
            "discounts": subscription["discounts"],
            "parent": {**proto["parent"], "subscription_details": details},
        }
        return invoice, self._invoicing.settle(payer, invoice, fate, moment)

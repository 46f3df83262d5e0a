"""A company's billing as mirror writes, for the measures of the store alone: realistic bodies, the same for the same counts."""

# ruff: noqa: PIE800, SIM905 (an object of Stripe's is wide: several fields stand in one line)

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from shared.gateway.kinds import write_from_object
from shared.stores.protocols import Write
from shared.stores.sqlite_mirror import SqliteMirror

NOW = 1_795_000_000
SPAN = 548 * 86_400  # eighteen months
FIRST = "Anna Ben Chloé David Elena Farid Grace Hugo Ines Jürgen Karin Liam Mei Noah Olga Pavel Quinn Rosa Søren Tomás Uma Viktor Wei Ximena Yara Zoë".split()
SYLLABLES = (
    "ba be bor dan del en fer gar hol in jen ka kow lan mar mil nor os pe ras ro sen ski son ta tor ul van vic wal win yo zan".split()
)
HOSTS = "gmail.com outlook.com example.com example.org proton.me company.io studio.dev firma.de".split()
CHARGES = ["succeeded"] * 88 + ["failed"] * 9 + ["pending"] * 3
SUBSCRIPTIONS = ["active"] * 70 + ["canceled"] * 20 + ["past_due"] * 5 + ["trialing"] * 5
INVOICES = ["paid"] * 85 + ["open"] * 8 + ["void"] * 4 + ["draft"] * 3
CURRENCIES = ["usd"] * 80 + ["eur"] * 15 + ["jpy"] * 5
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each; `scaled(0.01)` is a hundredth of the full size."""

    charges: int = 1_000_000
    customers: int = 100_000
    subscriptions: int = 100_000
    invoices: int = 300_000

    def scaled(self, scale: float) -> "Counts":
        return Counts(*(max(10, int(n * scale)) for n in (self.charges, self.customers, self.subscriptions, self.invoices)))


def company(counts: Counts, seed: int = 1) -> Iterator[Write]:
    """Every object once, each kind newest first, as a backfill reads them."""
    for kind, count in (
        ("customer", counts.customers),
        ("subscription", counts.subscriptions),
        ("invoice", counts.invoices),
        ("charge", counts.charges),
    ):
        for n in range(count):
            created = NOW - int(SPAN * (n + 0.5) / count)
            yield write_from_object(kind, MAKE[kind](random.Random(f"{seed} {kind} {n}"), n, created, counts), NOW)


def person(n: int, seed: int = 1) -> tuple[str, str, str]:
    """Id, name and email of the n-th customer."""
    chance = random.Random(f"{seed} person {n}")
    first, last = chance.choice(FIRST), "".join(chance.choices(SYLLABLES, k=3)).capitalize()
    return f"cus_{_letters(chance, 14)}", f"{first} {last}", f"{first}.{last}{n % 97}@{chance.choice(HOSTS)}".lower()


def _letters(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(LETTERS, k=count))


def _address(chance: random.Random) -> dict[str, Any]:
    street = f"{chance.randrange(1, 400)} {chance.choice(SYLLABLES).capitalize()} Street"
    return {
        "city": "Springfield",
        "country": "US",
        "line1": street,
        "line2": None,
        "postal_code": f"{chance.randrange(99999):05}",
        "state": "OR",
    }


def _customer(chance: random.Random, n: int, created: int, counts: Counts) -> dict[str, Any]:
    id, name, email = person(n)
    return {
        **{"id": id, "object": "customer", "address": _address(chance), "balance": 0, "created": created, "currency": "usd"},
        **{"default_source": None, "delinquent": False, "description": f"Customer {n} of the company", "discount": None, "email": email},
        **{"invoice_prefix": f"{chance.randrange(16**8):08X}", "livemode": False, "name": name, "next_invoice_sequence": 4},
        **{"invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}},
        **{"metadata": {"account": f"acc-{n}", "plan": "team"}, "phone": f"+1555{n:07}", "preferred_locales": ["en"]},
        **{"shipping": None, "tax_exempt": "none", "test_clock": None},
    }


def _charge(chance: random.Random, n: int, created: int, counts: Counts) -> dict[str, Any]:
    customer, name, email = person(chance.randrange(counts.customers))
    status, amount = chance.choice(CHARGES), chance.randrange(500, 50_000)
    refunded = amount if status == "succeeded" and chance.random() < 0.03 else 0
    checks = {"address_line1_check": "pass", "address_postal_code_check": "pass", "cvc_check": "pass"}
    card = {
        **{"amount_authorized": amount, "authorization_code": None, "brand": "visa", "checks": checks, "country": "US", "exp_month": 4},
        **{"exp_year": 2030, "extended_authorization": {"status": "disabled"}, "fingerprint": _letters(chance, 16), "funding": "credit"},
        **{"incremental_authorization": {"status": "unavailable"}, "installments": None, "last4": "4242", "mandate": None},
        **{"multicapture": {"status": "unavailable"}, "network": "visa", "network_token": {"used": False}, "three_d_secure": None},
        **{
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "regulated_status": "unregulated",
            "wallet": None,
        },
    }
    outcome = {
        **{"advice_code": None, "network_advice_code": None, "network_decline_code": None, "network_status": "approved_by_network"},
        **{"reason": None, "risk_level": "normal", "risk_score": 12, "seller_message": "Payment complete.", "type": "authorized"},
    }
    id = f"ch_3{_letters(chance, 23)}"
    return {
        **{"id": id, "object": "charge", "amount": amount, "amount_captured": amount, "amount_refunded": refunded, "application": None},
        **{"application_fee": None, "application_fee_amount": None, "balance_transaction": f"txn_3{_letters(chance, 23)}"},
        **{"billing_details": {"address": _address(chance), "email": email, "name": name, "phone": None, "tax_id": None}},
        **{"calculated_statement_descriptor": "COMPANY", "captured": True, "created": created, "currency": chance.choice(CURRENCIES)},
        **{"customer": customer, "description": "Subscription update" if n % 3 else f"Order {n}", "disputed": False},
        **{"failure_balance_transaction": None, "failure_code": None, "failure_message": None, "fraud_details": {}, "livemode": False},
        **{"metadata": {"order_id": f"ord-{n}"}, "on_behalf_of": None, "outcome": outcome, "paid": status == "succeeded"},
        **{"payment_intent": f"pi_3{_letters(chance, 23)}", "payment_method": f"pm_1{_letters(chance, 23)}"},
        **{"payment_method_details": {"card": card, "type": "card"}, "radar_options": {}, "receipt_email": email, "receipt_number": None},
        **{"receipt_url": f"https://pay.stripe.com/receipts/payment/{_letters(chance, 90)}", "refunded": refunded == amount},
        **{"review": None, "shipping": None, "source": None, "source_transfer": None, "statement_descriptor": None},
        **{"statement_descriptor_suffix": None, "status": status, "transfer_data": None, "transfer_group": None},
    }


def _price(chance: random.Random, amount: int) -> dict[str, Any]:
    return {
        **{"id": f"price_1{_letters(chance, 23)}", "object": "price", "active": True, "billing_scheme": "per_unit", "created": NOW - SPAN},
        **{"currency": "usd", "custom_unit_amount": None, "livemode": False, "lookup_key": None, "metadata": {}, "nickname": None},
        **{"product": f"prod_{_letters(chance, 14)}", "tax_behavior": "unspecified", "tiers_mode": None, "transform_quantity": None},
        **{"recurring": {"interval": "month", "interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}},
        **{"type": "recurring", "unit_amount": amount, "unit_amount_decimal": str(amount)},
    }


def _subscription(chance: random.Random, n: int, created: int, counts: Counts) -> dict[str, Any]:
    customer, _, _ = person(n % counts.customers)
    id, amount = f"sub_1{_letters(chance, 23)}", chance.randrange(900, 20_000)
    item = {
        **{"id": f"si_{_letters(chance, 14)}", "object": "subscription_item", "created": created, "current_period_end": NOW + 86_400},
        **{"current_period_start": NOW - 2_592_000, "discounts": [], "metadata": {}, "price": _price(chance, amount), "quantity": 1},
        **{"subscription": id, "tax_rates": []},
    }
    return {
        **{"id": id, "object": "subscription", "application": None, "automatic_tax": {"enabled": False, "liability": None}},
        **{"billing_cycle_anchor": created, "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "created": created},
        **{"cancellation_details": {"comment": None, "feedback": None, "reason": None}, "collection_method": "charge_automatically"},
        **{"currency": "usd", "customer": customer, "days_until_due": None, "default_payment_method": f"pm_1{_letters(chance, 23)}"},
        **{"description": None, "discounts": [], "ended_at": None, "items": {"object": "list", "data": [item], "has_more": False}},
        **{"latest_invoice": f"in_1{_letters(chance, 23)}", "livemode": False, "metadata": {"seat": str(n)}, "schedule": None},
        **{"start_date": created, "status": chance.choice(SUBSCRIPTIONS), "trial_end": None, "trial_start": None},
    }


def _invoice(chance: random.Random, n: int, created: int, counts: Counts) -> dict[str, Any]:
    customer, name, email = person(chance.randrange(counts.customers))
    id, amount = f"in_1{_letters(chance, 23)}", chance.randrange(900, 20_000)
    line = {
        **{"id": f"il_1{_letters(chance, 23)}", "object": "line_item", "amount": amount, "currency": "usd", "description": "1 × Team plan"},
        **{"discountable": True, "discounts": [], "invoice": id, "livemode": False, "metadata": {}, "quantity": 1, "taxes": []},
        **{
            "period": {"end": created, "start": created - 2_592_000},
            "pricing": {"type": "price_details", "unit_amount_decimal": str(amount)},
        },
    }
    return {
        **{"id": id, "object": "invoice", "account_country": "US", "account_name": "Company", "amount_due": amount, "amount_paid": amount},
        **{"amount_remaining": 0, "attempt_count": 1, "attempted": True, "auto_advance": False, "billing_reason": "subscription_cycle"},
        **{"collection_method": "charge_automatically", "created": created, "currency": "usd", "customer": customer},
        **{"customer_address": _address(chance), "customer_email": email, "customer_name": name, "description": None, "discounts": []},
        **{"due_date": None, "ending_balance": 0, "hosted_invoice_url": f"https://invoice.stripe.com/i/{_letters(chance, 80)}"},
        **{"invoice_pdf": f"https://pay.stripe.com/invoice/{_letters(chance, 80)}/pdf", "livemode": False, "metadata": {}},
        **{"lines": {"object": "list", "data": [line], "has_more": False}, "number": f"{chance.randrange(16**8):08X}-{n % 40:04}"},
        **{
            "parent": {
                "subscription_details": {"metadata": {}, "subscription": f"sub_1{_letters(chance, 23)}"},
                "type": "subscription_details",
            }
        },
        **{
            "period_end": created,
            "period_start": created - 2_592_000,
            "status": chance.choice(INVOICES),
            "subtotal": amount,
            "total": amount,
        },
        **{"status_transitions": {"finalized_at": created, "marked_uncollectible_at": None, "paid_at": created, "voided_at": None}},
    }


MAKE = {"customer": _customer, "charge": _charge, "subscription": _subscription, "invoice": _invoice}


async def fill(mirror: SqliteMirror, counts: Counts, *, page: int = 100, at_once: int = 8) -> None:
    """Applies the company in pages, several at once, as a backfill does."""
    for pages in batched(batched(company(counts), page, strict=False), at_once, strict=False):
        await asyncio.gather(*(mirror.apply(each) for each in pages))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.data", description="Fills the mirror of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 1,000,000 charges")
    chosen = parser.parse_args()

    async def run() -> None:
        began, counts = time.monotonic(), Counts().scaled(chosen.scale)
        mirror = SqliteMirror.open(chosen.folder)
        await fill(mirror, counts)
        await mirror.close()
        print(f"{counts} in {time.monotonic() - began:.0f} s")

    asyncio.run(run())


if __name__ == "__main__":
    main()

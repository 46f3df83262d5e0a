"""Stripe's resources, one file per noun; `load` imports every one so that its routes are registered."""

from importlib import import_module
from importlib.util import find_spec

FAMILIES = (
    "account",
    "balance_transactions",
    "charges",
    "customers",
    "disputes",
    "early_fraud_warnings",
    "events",
    "payment_intents",
    "payment_methods",
    "refunds",
    "setup_intents",
    "tax_ids",
    "tax_rates",
    "test_clocks",
    "tokens",
    "transfers",
    "webhook_endpoints",
    "products",
    "prices",
    "plans",
    "coupons",
    "discounts",
    "promotion_codes",
    "payment_links",
    "subscriptions",
    "subscription_items",
    "invoices",
    "invoice_items",
    "invoice_payments",
    "credit_notes",
)


def load() -> None:
    """Import every family that exists."""
    for family in FAMILIES:
        if find_spec(f"{__name__}.{family}"):
            import_module(f"{__name__}.{family}")

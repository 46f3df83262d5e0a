"""An object of each kind that is shown, with every field that is ever shown: what tests bend, place by place."""

from collections.abc import Iterator
from typing import Any

NOW = 1_793_500_000
PRICE: dict[str, Any] = {
    "id": "price_1",
    "object": "price",
    "billing_scheme": "per_unit",
    "currency": "eur",
    "currency_options": {"usd": {"unit_amount": 1100, "unit_amount_decimal": "1100"}},
    "custom_unit_amount": {"minimum": 100, "maximum": 200, "preset": None},
    "product": "prod_1",
    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered"},
    "tiers_mode": "graduated",
    "tax_behavior": "exclusive",
    "transform_quantity": {"divide_by": 10, "round": "up"},
    "unit_amount": 1000,
    "unit_amount_decimal": "1000",
}
ITEM = {"id": "si_1", "price": PRICE, "quantity": 1, "current_period_start": NOW, "current_period_end": NOW, "discounts": ["di_1"]}
LINE: dict[str, Any] = {
    "id": "il_1",
    "amount": 100,
    "currency": "usd",
    "description": "A shirt",
    "parent": {"subscription_item_details": {"proration": True}, "invoice_item_details": {"proration": False}},
    "period": {"start": NOW, "end": NOW},
    "pricing": {"price_details": {"price": "price_1"}},
    "quantity": 1,
}


def listed(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(rows), "has_more": False, "total_count": len(rows)}


def _whole(kind: str, id: str, **facts: Any) -> dict[str, Any]:
    return {"id": id, "object": kind, "created": NOW, "currency": "usd", "livemode": False, "metadata": {"order": "1"}, **facts}


OBJECTS: dict[str, dict[str, Any]] = {
    "charge": _whole(
        "charge",
        "ch_1",
        **dict.fromkeys(("amount", "amount_captured", "amount_refunded", "application_fee_amount"), 100),
        **dict.fromkeys(("captured", "disputed", "paid", "refunded"), True),
        **dict.fromkeys(("balance_transaction", "failure_balance_transaction"), "txn_1"),
        customer="cus_1",
        payment_intent="pi_1",
        payment_method="pm_1",
        status="succeeded",
        failure_code="card_declined",
        failure_message="No.",
        application="ca_1",
        application_fee="fee_1",
        on_behalf_of="acct_1",
        review="prv_1",
        source_transfer="tr_1",
        transfer="tr_1",
        transfer_data={"amount": 1, "destination": {"id": "acct_1", "object": "account"}},
        outcome=dict.fromkeys(("reason", "risk_level", "type", "advice_code", "network_decline_code", "network_status"), "x"),
        fraud_details={"stripe_report": "fraudulent", "user_report": "safe"},
        presentment_details={"presentment_amount": 1, "presentment_currency": "eur"},
        payment_method_details={"type": "card", "card": {"brand": "visa", "last4": "4242", "capture_before": NOW}},
        billing_details={"email": "a@b.example", "name": "A"},
        description="Order",
        receipt_email="a@b.example",
        refunds=listed({"id": "re_1", "amount": 1, "currency": "usd", "status": "succeeded"}),
    ),
    "customer": _whole(
        "customer",
        "cus_1",
        balance=-1500,
        default_source="card_1",
        delinquent=False,
        tax_exempt="none",
        test_clock="clock_1",
        invoice_settings={"default_payment_method": "pm_1"},
        discount={"end": NOW, "promotion_code": "promo_1", "source": {"coupon": "SPRING"}, "subscription": "sub_1"},
        description="d",
        email="a@b.example",
        name="A",
        phone="1",
        address={"city": "x"},
        preferred_locales=["de"],
        shipping={"name": "A", "address": {"city": "x"}},
        tax_ids=listed({"id": "txi_1", "type": "eu_vat", "value": "DE1", "country": "DE", "verification": {"status": "verified"}}),
    ),
    "subscription": _whole(
        "subscription",
        "sub_1",
        **dict.fromkeys(("billing_cycle_anchor", "cancel_at", "canceled_at", "ended_at", "start_date", "trial_end", "trial_start"), NOW),
        **dict.fromkeys(("application", "default_source", "on_behalf_of", "pending_setup_intent", "schedule", "test_clock"), "x_1"),
        customer="cus_1",
        default_payment_method="pm_1",
        latest_invoice="in_1",
        status="active",
        collection_method="charge_automatically",
        cancel_at_period_end=False,
        cancellation_details={"reason": "x", "feedback": "y", "comment": "z"},
        automatic_tax={"disabled_reason": "x"},
        pause_collection={"behavior": "void", "resumes_at": NOW},
        status_details={"paused": {"type": "subscription", "subscription": {"type": "system"}, "transitioned_at": NOW}},
        trial_settings={"end_behavior": {"missing_payment_method": "cancel"}},
        transfer_data={"destination": "acct_1", "amount_percent": 12.5},
        application_fee_percent=1.5,
        billing_thresholds={"amount_gte": 100},
        days_until_due=30,
        discounts=["di_1", {"id": "di_2"}],
        next_pending_invoice_item_invoice=NOW,
        pending_update={"expires_at": NOW},
        description="d",
        items=listed(ITEM, ITEM),
    ),
    "invoice": _whole(
        "invoice",
        "in_1",
        **dict.fromkeys(("amount_due", "amount_overpaid", "amount_paid", "amount_remaining", "amount_shipping", "subtotal", "total"), 100),
        **dict.fromkeys(("post_payment_credit_notes_amount", "pre_payment_credit_notes_amount", "amount_paid_off_stripe"), 100),
        **dict.fromkeys(("subtotal_excluding_tax", "total_excluding_tax", "attempt_count", "starting_balance", "ending_balance"), 100),
        **dict.fromkeys(("due_date", "next_payment_attempt", "period_end", "period_start", "automatically_finalizes_at"), NOW),
        **dict.fromkeys(
            ("application", "default_payment_method", "default_source", "latest_revision", "on_behalf_of", "test_clock"), "x_1"
        ),
        effective_at=NOW,
        attempted=True,
        auto_advance=True,
        customer="cus_1",
        parent={"subscription_details": {"subscription": "sub_1"}},
        billing_reason="manual",
        collection_method="send_invoice",
        number="A-1",
        status="open",
        status_transitions=dict.fromkeys(("finalized_at", "paid_at", "voided_at", "marked_uncollectible_at"), NOW),
        discounts=["di_1"],
        automatic_tax={"disabled_reason": "x", "status": "failed"},
        customer_tax_exempt="none",
        from_invoice={"action": "revision", "invoice": "in_0"},
        last_finalization_error={"code": "x", "type": "y", "message": "z"},
        status_details={"uncollectible": {"reason": "user_forgiven"}},
        customer_email="a@b.example",
        customer_name="A",
        description="d",
        footer="f",
        lines=listed(LINE),
        payments=listed(
            {"id": "inpay_1", "amount_paid": 1, "currency": "usd", "status": "paid", "is_default": True, "payment": {"charge": "ch_1"}}
        ),
    ),
    "refund": _whole(
        "refund",
        "re_1",
        amount=100,
        charge="ch_1",
        payment_intent="pi_1",
        failure_reason="unknown",
        reason="duplicate",
        status="pending",
        pending_reason="processing",
        customer="cus_1",
        payment_method="pm_1",
        **dict.fromkeys(("balance_transaction", "failure_balance_transaction"), "txn_1"),
        **dict.fromkeys(("source_transfer_reversal", "transfer_reversal"), "trr_1"),
        destination_details={"type": "card", "card": {"type": "reversal"}},
        next_action={"type": "display_details", "display_details": {"email_sent": {"email_sent_at": NOW}, "expires_at": NOW}},
        presentment_details={"presentment_amount": 1, "presentment_currency": "eur"},
        description="d",
        instructions_email="a@b.example",
    ),
}

type Place = tuple[str | int, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place of a JSON value but the whole."""
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inside in members:
        yield (*here, name)
        yield from places(inside, (*here, name))


def bent(value: Any, place: Place, odd: Any) -> Any:
    """A copy with something else at a place."""
    if not place:
        return odd
    name, *rest = place
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[name] = bent(copy[name], tuple(rest), odd)
    return copy

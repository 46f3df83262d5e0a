"""Balance transactions: what each charge, refund, dispute and transfer did to the balance."""

import stripe

from sandbox.amounts import THREE_DECIMAL, ZERO_DECIMAL
from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.world import Object, World

_CATEGORY = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "adjustment": "dispute",
    "refund_failure": "refund_failure",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
}


def processing_fee(amount: int, currency: str) -> int:
    """2.9 % and 30 cents, rounded half up."""
    return (amount * 29 + 500) // 1000 + (0 if currency in ZERO_DECIMAL else 300 if currency in THREE_DECIMAL else 30)


def recorded(
    world: World,
    type: str,
    amount: int,
    currency: str,
    source: str,
    *,
    fee: int = 0,
    description: str | None = None,
    created: int | None = None,
) -> Object:
    """A movement of `amount` (negative for money going out) less `fee`, about `source`."""
    created = created or world.clock.now()
    details = [{"amount": fee, "application": None, "currency": currency, "description": "Stripe processing fees", "type": "stripe_fee"}]
    return world.insert(
        {
            "id": world.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": created + 2 * 86400,
            "balance_type": "payments",
            "created": created,
            "currency": currency,
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": details if fee else [],
            "net": amount - fee,
            "reporting_category": _CATEGORY[type],
            "source": source,
            "status": "pending",
            "type": type,
        }
    )


@route(
    "GET",
    "/v1/balance_transactions",
    params=stripe.params.BalanceTransactionListParams,
    permission="balance_transaction_read",
    list_of="balance_transaction",
)
def every(call: Call) -> Object:
    return page(call, "balance_transaction", filters={"currency": "currency", "source": "source", "type": "type"})


@route("GET", "/v1/balance_transactions/{id}", permission="balance_transaction_read")
def retrieve(call: Call) -> Object:
    return call.world.require("balance_transaction", call.path["id"])

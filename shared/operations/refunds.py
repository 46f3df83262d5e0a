"""Refunds: the first write that moves money."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from pydantic import ConfigDict, Field

from shared.errors import BillyError
from shared.money import Money
from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, get_kind, list_kind
from shared.operations.operation import Call, Input, Output, Settled, WriteInput, operation
from shared.operations.views import show

MOST = 99_999_999_999  # far above any amount that Stripe takes


class ListRefundsInput(ListInput):
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"] | None = Field(
        None, description="Only refunds of this status."
    )


class GetRefundInput(Input):
    id: str = Field(pattern=r"^(re|pyr)_[A-Za-z0-9_]{1,80}$", description="The refund's id, which begins with re_ (or pyr_).")


class CreateRefundInput(WriteInput):
    charge: str = Field(
        pattern=r"^(ch|py)_[A-Za-z0-9_]{1,80}$", description="The id of the charge to refund, which begins with ch_ (or py_)."
    )
    amount: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="How much, in minor units of the charge's currency: 4599 is 45.99 USD. Leave it out to refund exactly what is left.",
    )
    currency: str | None = Field(
        None,
        pattern=r"^[a-z]{3}$",
        description="The charge's currency in lower case, such as usd, as a check: another currency is refused.",
    )
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = Field(
        None, description="Why. fraudulent also blocks the card and the email address at Stripe."
    )


class Written(Output):
    """The answer of a write: what was done, or with dry_run what would be."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    status: Literal["succeeded", "preview"]
    attempt: str | None = Field(None, description="The id of the durable attempt; it is Stripe's idempotency key too.")
    result: dict[str, Any] | None = None


@operation("GET /api/refunds", permission="view_billing", tags=("core", "refunds"), input=ListRefundsInput, output=Listing)
async def list_refunds(call: Call) -> dict[str, Any]:
    """List refunds, newest first. Filter by status and by creation date. Amounts are integers in minor units; each refund names its charge (ch_…)."""
    return await list_kind(call, "refund")


@operation("GET /api/refunds/{id}", permission="view_billing", tags=("refunds",), input=GetRefundInput, output=Shown)
async def get_refund(call: Call) -> dict[str, Any]:
    """Get one refund by id (re_…). Shows its status, its amount in minor units, its charge (ch_…), and why it failed where it did."""
    return await get_kind(call.context, "refund", call.input.id, "refund")


async def settle_refund(call: Call) -> Settled:
    """The exact amount, currency and customer, read from Stripe itself. Raises where the charge cannot be refunded so."""
    asked: CreateRefundInput = call.input
    stripe = await call.context.stripe()
    charge = (await stripe.retrieve("charge", asked.charge)).value
    currency = str(charge["currency"])
    left = int(charge.get("amount_captured") or 0) - int(charge.get("amount_refunded") or 0)
    if asked.currency is not None and asked.currency != currency:
        raise BillyError(
            "invalid_request", "The charge is in another currency.", next="Read the charge and give its currency, or leave currency out."
        )
    if charge.get("status") != "succeeded" or not charge.get("captured"):
        raise BillyError("conflict", "This charge took no money, so there is nothing to refund.", next="Read the charge's status.")
    if charge.get("disputed"):
        raise BillyError("conflict", "This charge is disputed; Stripe refuses to refund it.", next="Settle the dispute in Stripe first.")
    if left <= 0:
        raise BillyError("conflict", "This charge is fully refunded already.", next="List the refunds to see when and how.")
    amount = left if asked.amount is None else asked.amount
    if amount > left:
        raise BillyError(
            "invalid_request",
            f"Only {Money(left, currency)} of this charge is left to refund ({left} in minor units).",
            next="Give a smaller amount, or leave amount out to refund what is left.",
        )
    arguments: dict[str, Any] = {"charge": asked.charge, "amount": amount, "currency": currency}
    if asked.reason:
        arguments["reason"] = asked.reason
    customer = charge.get("customer")
    if customer:
        arguments["customer"] = customer if isinstance(customer, str) else customer["id"]
    whole = "all that is left" if amount == left else f"a part of {Money(left, currency)}"
    return Settled(arguments, f"Refund {Money(amount, currency)} ({whole}) of charge {asked.charge}.", amount, currency)


async def find_refund(call: Call) -> dict[str, Any] | None:
    """What became of an attempt: the refund that carries its id, or None where Stripe has none."""
    assert call.settled is not None and call.attempt is not None
    stripe = await call.context.stripe()
    found = await stripe.refund_of_attempt(call.settled.arguments["charge"], call.attempt)
    if found is None:
        return None
    await call.context.mirror.apply([found.write])
    return show("refund", found.value)


@operation(
    "POST /api/refunds",
    permission="refund",
    tags=("core", "refunds"),
    input=CreateRefundInput,
    output=Written,
    writes=True,
    destructive=True,
    settle=settle_refund,
    recover=find_refund,
)
async def create_refund(call: Call) -> dict[str, Any]:
    """Refund a charge (ch_…), fully or in part. The money goes back to where it came from, usually within 5 to 10 business days. Leave amount out to refund
    exactly what is left; otherwise it is an integer in minor units of the charge's currency (4599 is 45.99 USD). Your role's cap for one transaction
    applies. Use dry_run to see what would happen. Verify the charge's id first, and give an idempotency_key so that a repeat cannot refund twice."""
    assert call.settled is not None and call.attempt is not None
    settled = call.settled.arguments
    params: dict[str, Any] = {"charge": settled["charge"], "amount": settled["amount"], "metadata": {"billy_attempt": call.attempt}}
    if "reason" in settled:
        params["reason"] = settled["reason"]
    stripe = await call.context.stripe()
    refund = await stripe.create_refund(params, call.attempt)
    writes = [refund.write]
    with suppress(BillyError):  # the refund stands; the charge's new state comes with its event
        before = await call.context.mirror.get("charge", settled["charge"])
        charge = await stripe.retrieve("charge", settled["charge"])
        writes.append(replace(charge.write, expects=before.version if before else 0))
    await call.context.mirror.apply(writes)
    return show("refund", refund.value)

"""Refunds: what went back to customers."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, list_kind
from shared.operations.single import get_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class ListRefundsInput(ListInput):
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"] | None = Field(
        None, description="Only refunds of this status."
    )


class GetRefundInput(Input):
    id: str = Field(pattern=r"^(re|pyr)_[A-Za-z0-9_]{1,80}$", description="The refund's id, which begins with re_ (or pyr_).")


class ShownRefund(Shown):
    status: str | None = Field(
        None,
        description="succeeded: the money is on its way back. pending and requires_action: it is not out yet, do not say that it is done. failed and canceled: the customer has not got it.",
    )
    pending_reason: str | None = Field(
        None, description="Only while it is pending: why, such as insufficient_funds, charge_pending or processing."
    )
    next_action: dict[str, Any] | None = Field(None, description="Only with requires_action: what the customer has to do, and until when.")


@read("GET /api/refunds", permission="view_billing", tags=("core", "refunds"), input=ListRefundsInput, output=Listing)
async def list_refunds(call: Call) -> dict[str, Any]:
    """List refunds, newest first. Filter by status and by creation date. Amounts are integers in minor units; each refund names its charge (ch_…)."""
    return await list_kind(call, "refund")


@read("GET /api/refunds/{id}", permission="view_billing", tags=("refunds",), input=GetRefundInput, output=ShownRefund)
async def get_refund(call: Call) -> dict[str, Any]:
    """Get one refund by id (re_…). Shows its status, its amount in minor units, its charge (ch_…), and why it is pending or failed where it is.
    Only succeeded is money on its way to the customer."""
    return await get_kind(call, "refund", call.input.id, "refund")

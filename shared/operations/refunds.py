"""Refunds: what went back to customers."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, get_kind, list_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class ListRefundsInput(ListInput):
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"] | None = Field(
        None, description="Only refunds of this status."
    )


class GetRefundInput(Input):
    id: str = Field(pattern=r"^(re|pyr)_[A-Za-z0-9_]{1,80}$", description="The refund's id, which begins with re_ (or pyr_).")


@read("GET /api/refunds", permission="view_billing", tags=("core", "refunds"), input=ListRefundsInput, output=Listing)
async def list_refunds(call: Call) -> dict[str, Any]:
    """List refunds, newest first. Filter by status and by creation date. Amounts are integers in minor units; each refund names its charge (ch_…)."""
    return await list_kind(call, "refund")


@read("GET /api/refunds/{id}", permission="view_billing", tags=("refunds",), input=GetRefundInput, output=Shown)
async def get_refund(call: Call) -> dict[str, Any]:
    """Get one refund by id (re_…). Shows its status, its amount in minor units, its charge (ch_…), and why it failed where it did."""
    return await get_kind(call.context, "refund", call.input.id, "refund")

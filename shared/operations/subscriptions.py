"""Subscriptions."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, get_kind, list_kind
from shared.road.calls import Call
from shared.road.operation import Input, read

Status = Literal["active", "past_due", "canceled", "trialing", "unpaid", "incomplete", "incomplete_expired", "paused"]


class ListSubscriptionsInput(ListInput):
    status: Status | None = Field(None, description="Only subscriptions of this status. Without it all are listed, cancelled ones too.")


class GetSubscriptionInput(Input):
    id: str = Field(pattern=r"^sub_[A-Za-z0-9_]{1,80}$", description="The subscription's id, which begins with sub_.")


@read("GET /api/subscriptions", permission="view_billing", tags=("core", "subscriptions"), input=ListSubscriptionsInput, output=Listing)
async def list_subscriptions(call: Call) -> dict[str, Any]:
    """List subscriptions, newest first, cancelled ones included. Filter by status, by customer id (cus_…) and by creation date. Each item names its price
    (price_…), its unit amount in minor units and the end of its current period."""
    return await list_kind(call, "subscription")


@read("GET /api/subscriptions/{id}", permission="view_billing", tags=("subscriptions",), input=GetSubscriptionInput, output=Shown)
async def get_subscription(call: Call) -> dict[str, Any]:
    """Get one subscription by id (sub_…). Shows its status, its items with prices in minor units, its periods, and whether and when it ends."""
    return await get_kind(call.context, "subscription", call.input.id, "subscription")

"""Subscriptions."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, list_kind
from shared.operations.single import get_kind
from shared.road.calls import Call
from shared.road.operation import Input, read

Status = Literal["active", "past_due", "canceled", "trialing", "unpaid", "incomplete", "incomplete_expired", "paused"]


class ListSubscriptionsInput(ListInput):
    status: Status | None = Field(None, description="Only subscriptions of this status. Without it all are listed, cancelled ones too.")


class GetSubscriptionInput(Input):
    id: str = Field(pattern=r"^sub_[A-Za-z0-9_]{1,80}$", description="The subscription's id, which begins with sub_.")


class ShownSubscription(Shown):
    status: str | None = Field(None, description="active says that it runs, not that money comes in: see pause_collection.")
    pause_collection: dict[str, Any] | None = Field(
        None,
        description="Only where collection is paused: nothing is collected, whatever the status, until resumes_at; behavior says what becomes of its invoices.",
    )
    status_details: dict[str, Any] | None = Field(
        None,
        description="Only where Stripe says why it is paused: pause_requested, trial_end_without_payment_method, first_ or final_payment_failure.",
    )
    items: list[Any] | None = Field(
        None,
        description="What is charged. `pricing` says it in words; unit_amount is null where a price has fractions, tiers or the customer's own amount.",
    )
    items_has_more: bool | None = Field(None, description="true: there are more items than are shown.")
    items_total: int | None = Field(None, description="How many items there are in all, where Stripe says so.")


@read("GET /api/subscriptions", permission="view_billing", tags=("core", "subscriptions"), input=ListSubscriptionsInput, output=Listing)
async def list_subscriptions(call: Call) -> dict[str, Any]:
    """List subscriptions, newest first, cancelled ones included. Filter by status, by customer id (cus_…) and by creation date. Each item names its price
    (price_…), what it charges in minor units and in words, and the end of its current period. An active one with pause_collection collects nothing; with
    items_has_more true not all of its items are shown."""
    return await list_kind(call, "subscription")


@read(
    "GET /api/subscriptions/{id}", permission="view_billing", tags=("subscriptions",), input=GetSubscriptionInput, output=ShownSubscription
)
async def get_subscription(call: Call) -> dict[str, Any]:
    """Get one subscription by id (sub_…). Shows its status, its items with prices in minor units and in words, its periods, and whether and when it ends.
    active with pause_collection means that nothing is collected; status_details says why one is paused; items_has_more, that not all items are shown."""
    return await get_kind(call, "subscription", call.input.id, "subscription")

"""What the fate of an invoice does to the subscription that it bills."""

from __future__ import annotations

from typing import Literal

from sandbox.resources.fields import update
from sandbox.world import World

ENDED = ("canceled", "incomplete_expired")
Outcome = Literal["paid", "failed", "void", "uncollectible"]


def of(invoice: dict) -> str | None:
    """The subscription that an invoice bills, if any."""
    return ((invoice["parent"] or {}).get("subscription_details") or {}).get("subscription")


def after_invoice(world: World, invoice: dict, outcome: Outcome) -> None:
    """Move the subscription on; only its latest invoice counts."""
    subscription = world.get("subscription", of(invoice) or "")
    if subscription is None or subscription["status"] in ENDED or subscription["latest_invoice"] != invoice["id"]:
        return
    before = subscription["status"]
    first = invoice["billing_reason"] == "subscription_create"
    if outcome == "failed":
        after = "past_due" if before == "active" and not first else before
    elif outcome == "void" and before == "incomplete":
        after = "incomplete_expired"
        subscription["ended_at"] = subscription["canceled_at"] = world.clock.now()
    elif outcome in ("void", "uncollectible"):
        after = "active" if before == "past_due" else before
    else:
        after = "active" if before in ("incomplete", "past_due", "unpaid") else before
    if after != before:
        subscription["status"] = after
        update(world, subscription, "customer.subscription.updated")

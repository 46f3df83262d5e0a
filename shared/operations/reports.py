"""Answers, not pages: figures that would take an agent many lists to add up."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from shared.instants import iso
from shared.operations import freshness
from shared.road.calls import Call
from shared.road.operation import Filtered, Input, read
from shared.stores.protocols import Total

DAY = 86_400


class GetStatsInput(Input):
    """Nothing to say: the month is this one, in UTC."""


class Stats(Filtered):
    """The month to date, in UTC. Money is one entry for each currency, in its minor unit."""

    month: str = Field(description="The month that the figures cover from its first day until now, such as 2026-11.")
    revenue: list[dict[str, Any]] = Field(
        description="For each currency: gross (succeeded charges), refunded (of those charges), net; integers in minor units."
    )
    charges: dict[str, int] = Field(description="How many charges succeeded, failed and are pending this month.")
    success_rate: float | None = Field(description="Succeeded charges as a part of succeeded and failed ones, 0 to 1; null without any.")
    failed_charges: int = Field(description="How many charges failed this month.")
    active_subscriptions: int = Field(description="How many subscriptions are active now.")
    active_not_collecting: int = Field(description="How many of the active ones have their collection paused: nothing comes in from them.")
    subscriptions: dict[str, int] = Field(description="How many subscriptions are in each status now.")
    complete: bool = Field(description="Whether the mirror holds all of Stripe's charges and subscriptions.")
    as_of: str | None = Field(description="How recent the mirror is, as an ISO 8601 date-time in UTC.")


@read("GET /api/stats", permission="view_billing", tags=("core", "reports"), input=GetStatsInput, output=Stats)
async def get_stats(call: Call) -> dict[str, Any]:
    """A snapshot of the business. Revenue of the month to date by currency in minor units (gross, refunded, net), the success rate of charges, the number
    of failed charges, and active subscriptions, of which active_not_collecting have their collection paused. Days and months are UTC, as in 2026-11."""
    now = datetime.fromtimestamp(call.context.seam.now(), UTC)
    today = int(now.timestamp()) // DAY
    charges = await call.context.mirror.totals("charge", today - now.day + 1, today)
    subscriptions = await call.context.mirror.totals("subscription")
    by_status = _counts(charges)
    tried = by_status.get("succeeded", 0) + by_status.get("failed", 0)
    states = _counts(subscriptions)
    fresh = [await freshness.of(call.context, kind) for kind in ("charge", "subscription")]
    moments = [as_of for _, as_of in fresh if as_of]
    return {
        "month": now.strftime("%Y-%m"),
        "revenue": _revenue(charges),
        "charges": {status: by_status.get(status, 0) for status in ("succeeded", "failed", "pending")},
        "success_rate": round(by_status.get("succeeded", 0) / tried, 4) if tried else None,
        "failed_charges": by_status.get("failed", 0),
        "active_subscriptions": states.get("active", 0),
        "active_not_collecting": sum(total.refunded for total in subscriptions if total.status == "active"),
        "subscriptions": dict(sorted(states.items())),
        "complete": all(complete for complete, _ in fresh),
        "as_of": iso(min(moments)) if moments else None,
    }


def _counts(totals: Sequence[Total]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for total in totals:
        counts[total.status] += total.count
    return {status: count for status, count in counts.items() if count}


def _revenue(totals: Sequence[Total]) -> list[dict[str, Any]]:
    gross: dict[str, int] = defaultdict(int)
    refunded: dict[str, int] = defaultdict(int)
    for total in totals:
        if total.status == "succeeded" and total.count:
            gross[total.currency] += total.amount
            refunded[total.currency] += total.refunded
    return [
        {"currency": code, "gross": gross[code], "refunded": refunded[code], "net": gross[code] - refunded[code]} for code in sorted(gross)
    ]

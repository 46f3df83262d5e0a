"""The answer that every write has."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from shared.road.operation import Output


class Written(Output):
    """The answer of a write: what was done, or with dry_run what would be."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    status: Literal["succeeded", "preview"]
    attempt: str | None = Field(None, description="The id of the durable attempt; it is Stripe's idempotency key too.")
    result: dict[str, Any] | None = None
    outcome: str | None = Field(
        None,
        description="Only where the money has not moved yet, or came back: pending, requires_action, failed or canceled. Then it is not done.",
    )
    would: Literal["act", "replay", "refuse"] | None = Field(
        None, description="With dry_run: what the same call without it would do: act, return an earlier result, or refuse with `code`."
    )
    view: dict[str, Any] | None = Field(
        None,
        description="With dry_run: what whoever approves this must see: facts, changes before and after, costs, what cannot be undone.",
    )

"""Reading the audit log. There is no operation that writes, edits or deletes a row."""

from typing import Any

from pydantic import Field

from shared.context import Context, drawn_at
from shared.errors import BillyError
from shared.instants import iso
from shared.road.calls import Call
from shared.road.identity import ATTEMPT
from shared.road.operation import Filtered, Input, read
from shared.road.trail import low_water
from shared.stores.protocols import Looked

ROW = r"^aud_[0-9a-z]{26}$"


class ListAuditInput(Input):
    operation: str | None = Field(None, pattern=r"^[a-z_]{1,60}$", description="Only rows of this operation.")
    actor: str | None = Field(None, pattern=r"^[a-z_0-9]{1,60}$", description="Only rows of this actor: a key's id, or system.")
    attempt: str | None = Field(None, pattern=ATTEMPT, description="Only rows of this attempt.")
    object: str | None = Field(
        None,
        pattern=r"^[a-z_]{1,12}_[A-Za-z0-9_]{1,80}$",
        description="Only rows about this object: an id of Billy's (key_…, att_…) or of Stripe's (ch_…, cus_…).",
    )
    correlation_id: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Only rows of this trace: an answer's x-correlation-id."
    )
    limit: int = Field(50, ge=1, le=200, description="How many at most, 1 to 200.")
    cursor: str | None = Field(None, pattern=ROW, description="The next_cursor of the page before: older rows.")
    follow: str | None = Field(
        None,
        pattern=ROW,
        description="The follow_cursor of an earlier answer: rows after it, oldest first, up to two minutes ago, so that none is missed that was written late.",
    )


class AuditRows(Filtered):
    """Audit rows: newest first, or with `follow` oldest first."""

    data: list[dict[str, Any]] = Field(
        description="Who, what, when, from where, the digest of the arguments, the decision, what it is about (`object`, and `about` for what was given), its effects besides money, and all ids. A row with `count` stands for so many refusals without a key that works, since `since`."
    )
    has_more: bool = Field(description="Whether there may be more; a page may be short, or empty, and there is more all the same.")
    reached: str | None = Field(
        description="How far this answer looked, as an ISO 8601 date-time in UTC, where it ended before the page was full: what is rare in a long log is found over several answers. Go on with the cursor."
    )
    next_cursor: str | None = Field(description="For older rows. Null where there are none, and with follow.")
    follow_cursor: str = Field(
        description="Give it as follow, later, to read on without a gap: everything before it was shown or is older."
    )


@read("GET /api/audit", permission="view_audit", tags=("audit",), input=ListAuditInput, output=AuditRows, agents=False)
async def list_audit(call: Call) -> dict[str, Any]:
    """List the audit log, newest first. Every call left a row, also a refused one. To be told of new rows, keep follow_cursor and give it as follow: a
    page of rows that are two minutes old or older, oldest first."""
    asked: Any = call.input
    where = {name: value for name in ("operation", "actor", "attempt", "object", "correlation_id") if (value := getattr(asked, name))}
    if asked.follow is not None:
        return await _followed(call.context, asked, where)
    mark = low_water(call.context)
    looked = await call.context.audit.look(limit=asked.limit + 1, after=asked.cursor, where=where)
    page = list(looked.rows[: asked.limit])
    further = page[-1]["id"] if len(looked.rows) > asked.limit else looked.reached
    return _answer(page, looked, further is not None) | {"next_cursor": further, "follow_cursor": mark}


async def _followed(context: Context, asked: Any, where: dict[str, str]) -> dict[str, Any]:
    if asked.cursor is not None:
        raise BillyError("invalid_request", "Either cursor or follow is given, not both.", next="Leave one of them out.")
    mark = max(low_water(context), asked.follow)
    looked = await context.audit.look_on(after=asked.follow, until=mark, limit=asked.limit + 1, where=where)
    page = list(looked.rows[: asked.limit])
    further = page[-1]["id"] if len(looked.rows) > asked.limit else looked.reached
    return _answer(page, looked, further is not None) | {"next_cursor": None, "follow_cursor": further or mark}


def _answer(page: list[dict[str, Any]], looked: Looked, more: bool) -> dict[str, Any]:
    """`reached` only where an answer ended because it had looked at enough, not because it was full."""
    reached = looked.reached if len(looked.rows) <= len(page) else None
    return {"data": page, "has_more": more, "reached": iso(drawn_at(reached)) if reached else None}

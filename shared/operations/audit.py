"""Reading the audit log. There is no operation that writes, edits or deletes a row."""

from typing import Any

from pydantic import Field

from shared.operations.operation import Call, Input, Output, operation


class ListAuditInput(Input):
    operation: str | None = Field(None, pattern=r"^[a-z_]{1,60}$", description="Only rows of this operation.")
    actor: str | None = Field(None, pattern=r"^[a-z_0-9]{1,60}$", description="Only rows of this actor: a key's id, or system.")
    attempt: str | None = Field(None, pattern=r"^att_[0-9a-z]{26}$", description="Only rows of this attempt.")
    correlation_id: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Only rows of this trace: an answer's x-correlation-id."
    )
    limit: int = Field(50, ge=1, le=200, description="How many at most, 1 to 200.")
    cursor: str | None = Field(None, pattern=r"^aud_[0-9a-z]{26}$", description="The next_cursor of the page before.")


class AuditRows(Output):
    """Audit rows, newest first."""

    data: list[dict[str, Any]] = Field(
        description="Who, what, when, from where, the digest of the arguments, the decision, and Stripe's ids."
    )
    has_more: bool
    next_cursor: str | None


@operation("GET /api/audit", permission="view_audit", tags=("audit",), input=ListAuditInput, output=AuditRows, agents=False)
async def list_audit(call: Call) -> dict[str, Any]:
    """List the audit log, newest first. Every call left a row, also a refused one."""
    asked: ListAuditInput = call.input
    where = {name: value for name in ("operation", "actor", "attempt", "correlation_id") if (value := getattr(asked, name))}
    rows = await call.context.audit.list(limit=asked.limit + 1, after=asked.cursor, where=where)
    page = list(rows[: asked.limit])
    more = len(rows) > asked.limit
    return {"data": page, "has_more": more, "next_cursor": page[-1]["id"] if more else None}

"""Attempts as people see them: how each intended change stands, step by step, those whose outcome nobody knows first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from shared.credentials import cleared
from shared.errors import BillyError
from shared.instants import iso, twins
from shared.money import Money
from shared.policy.roles import may
from shared.road import attempts, refusals
from shared.road.attempt import OPEN, Attempt, State
from shared.road.calls import Call
from shared.road.identity import ATTEMPT
from shared.road.operation import Filtered, Input, Output, read
from shared.stores.protocols import Record
from shared.untrusted import clean_all

ALL = "view_all_attempts"
ORDER = (State.UNKNOWN, State.STARTED, State.FAILED, State.SUCCEEDED)
READ = (State.STARTED, State.UNKNOWN, State.FAILED, State.SUCCEEDED)  # the way an attempt goes: whoever moves on is met again
PAGE = 100
MOST = 10_000  # ended ones that are read for one list


StateName = Literal["unknown", "started", "failed", "succeeded"]


class ListAttemptsInput(Input):
    state: StateName | None = Field(None, description="Only attempts in this state.")
    operation: str | None = Field(None, pattern=r"^[a-z_]{1,60}$", description="Only attempts of this operation, such as create_refund.")
    limit: int = Field(20, ge=1, le=100, description="How many at most, 1 to 100.")
    cursor: str | None = Field(None, pattern=r"^[0-3]:[0-9]{1,15}:att_[0-9a-z]{26}$", description="The next_cursor of the page before.")


class GetAttemptInput(Input):
    id: str = Field(pattern=ATTEMPT, description="The attempt's id, which begins with att_.")


class AttemptList(Filtered):
    """Attempts: unknown ones first, then started, failed and succeeded ones; within a state the newest first."""

    data: list[dict[str, Any]] = Field(description="Amounts are integers in the currency's minor unit, with a formatted twin.")
    has_more: bool
    next_cursor: str | None
    total: int = Field(description="How many match in all.")
    complete: bool = Field(description="false where there are so many that ended ones were left out; unknown and started ones never are.")


class AttemptShown(Output):
    """One attempt: who asked for what, how it stands since when, every step, and what became of it."""

    id: str
    operation: str
    state: StateName
    outcome: str | None = Field(
        None, description="Stripe's own state where it is not simply done: pending, requires_action, failed, canceled."
    )
    settled: dict[str, Any] = Field(description="Exactly what was decided and is done.")
    result: dict[str, Any] | None = None
    steps: list[dict[str, Any]] = Field(description="What happened to it, in order, with times.")


@read("GET /api/attempts", permission="view_attempts", tags=("attempts",), input=ListAttemptsInput, output=AttemptList)
async def list_attempts(call: Call) -> dict[str, Any]:
    """List attempts to change something: those whose outcome is unknown first, then the newest. You see your own; the owner sees all. Amounts are
    integers in minor units of their currency."""
    asked: Any = call.input
    found, complete = await _every(call, (State(asked.state),) if asked.state else READ, asked.operation)
    found.sort(key=lambda each: each.place)
    rest = [each for each in found if asked.cursor is None or each.place > _parsed(asked.cursor)]
    page, more = rest[: asked.limit], len(rest) > asked.limit
    cursor = f"{page[-1].place[0]}:{-page[-1].place[1]}:{page[-1].place[2]}" if more else None
    return {"data": [each.shown for each in page], "has_more": more, "next_cursor": cursor, "total": len(found), "complete": complete}


@read("GET /api/attempts/{id}", permission="view_attempts", tags=("attempts",), input=GetAttemptInput, output=AttemptShown)
async def get_attempt(call: Call) -> dict[str, Any]:
    """Get one attempt by its id (att_…): its state since when, what was settled, every step with its time, when it is asked again what became of it, and
    its result. You see your own; the owner sees all."""
    asked: Any = call.input
    attempt = await attempts.find(call.context, asked.id)
    if attempt is None or not _is_shown(call, attempt.asker.lineage):
        raise refusals.no_attempt()
    return whole(attempt)


def summary(attempt: Attempt) -> dict[str, Any]:
    """An attempt in a list."""
    facts, settled = attempt.facts, attempt.settled
    return {
        "id": attempt.id,
        "operation": attempt.operation,
        "state": attempt.state.value,
        "outcome": attempt.outcome,
        "summary": settled.summary,
        "amount": settled.amount,
        "currency": settled.currency,
        "amount_formatted": str(Money(settled.amount, settled.currency)) if settled.amount is not None and settled.currency else None,
        "asked_by": {"id": attempt.asker.id, "name": cleared(attempt.asker.name), "role": attempt.asker.role},
        **twins({"created": attempt.created, "since": facts.since, "asked_next": facts.asked_next}),
        "needs_a_person": attempt.open and attempt.looks.person is not None,
    }


def whole(attempt: Attempt) -> dict[str, Any]:
    """An attempt with everything that is known of it."""
    lease, looks = attempt.lease, attempt.looks
    return summary(attempt) | {
        "asked": clean_all(attempt.asked),
        "settled": attempt.settled.arguments,
        "view": attempt.view or None,
        "origin": {"surface": attempt.origin.surface, "client": attempt.origin.client},
        "sent": attempt.sent,
        "answered_no": attempt.answered,
        **twins({"first_sent": attempt.first_sent, "last_sent": attempt.last_sent, "ended": attempt.ended}),
        **twins({"held_until": lease.until if lease else None}),
        "looks": {"count": looks.count, "error": looks.error},
        "result": attempt.result,
        "error": {name: (attempt.error or {}).get(name) for name in ("code", "detail", "next")} if attempt.error else None,
        "correlation_id": attempt.correlation_id,
        "steps": [{"at": at, "at_iso": iso(at), "what": what} for at, what in attempt.steps],
    }


@dataclass(frozen=True, slots=True)
class _Listed:
    """An attempt as it is listed: `place` sorts unknown ones first, then the newest."""

    place: tuple[int, int, str]
    lineage: str
    shown: dict[str, Any]


async def _every(call: Call, states: Sequence[State], operation: str | None) -> tuple[list[_Listed], bool]:
    """The caller's attempts in some states, and whether these are all. One that moved on meanwhile stands in its later state."""
    found: dict[str, _Listed] = {}
    of = {"operation": operation} if operation else {}
    ended = 0
    for state in states:
        after: str | None = None
        while page := await call.context.records.find(attempts.COLLECTION, {"state": state.value} | of, limit=PAGE, after=after):
            ended += 0 if state in OPEN else len(page)
            for listed in (_listed(state, record) for record in page):
                if _is_shown(call, listed.lineage):
                    found[listed.shown["id"]] = listed
            after = page[-1].id
            if len(page) < PAGE:
                break
            if ended >= MOST:
                return list(found.values()), False
    return list(found.values()), True


def _listed(state: State, record: Record) -> _Listed:
    """One that this version cannot read is listed with what can be read of it."""
    document = record.document
    created = document.get("created")
    millis = int(created * 1000) if isinstance(created, int | float) else 0
    try:
        attempt = attempts.read(record)
        lineage, shown = attempt.asker.lineage, summary(attempt)
    except BillyError as error:
        lineage = str(document.get("lineage") or document.get("actor"))
        shown = {"id": record.id, "operation": str(document.get("operation")), "state": state.value, "summary": error.detail}
        shown |= {"needs_a_person": True}
    return _Listed((ORDER.index(state), -millis, record.id), lineage, shown)


def _is_shown(call: Call, lineage: str) -> bool:
    """Whether an attempt is the caller's own, or the caller sees all. Another's is answered as one that is not there."""
    return lineage == call.actor.identity or may(call.actor.role, ALL)


def _parsed(cursor: str) -> tuple[int, int, str]:
    state, millis, id = cursor.split(":")
    return int(state), -int(millis), id

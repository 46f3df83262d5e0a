"""The records of attempts: read in one place, recorded before the act, and changed by compare-and-set on the table of states alone.

A record of version 0.1.0 is read too: it says neither how often something was sent nor who holds a lease, so it counts as sent and not
answered. What a newer version settled and this one does not know makes a record unreadable: it is left, named, and alarmed.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from shared.actor import Origin
from shared.context import Context
from shared.road.about import TOLD
from shared.road.attempt import MAY, OPEN, Asker, Attempt, By, Lease, Looks, New, State, Unreadable
from shared.road.calls import Settled
from shared.road.identity import LEGACY
from shared.stores import protocols
from shared.stores.changes import insert_once, replace_once
from shared.stores.protocols import Exists, Record
from shared.telemetry.measures import measure

COLLECTION = "attempts"
FIRST_STEPS, LAST_STEPS = 30, 30  # of an attempt that are kept
PAGE = 100  # of records that are read at a time
SETTLED = ("arguments", "summary", "amount", "currency")  # what is kept of a settled call
AS_IT_IS = (
    *("sent", "answered", "first_sent", "last_sent", "outcome", "unknown_since", "result", "error", "ended"),
    *("correlation_id", "created", "updated"),
)


def read(record: Record) -> Attempt:
    """The attempt of a record, of this version's form or of 0.1.0's. Raises `Unreadable`."""
    document = record.document
    try:
        return _read(record, document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unreadable(record.id) from None


def _read(record: Record, document: Mapping[str, Any]) -> Attempt:
    settled: dict[str, Any] = document["settled"]
    if not settled.keys() <= set(SETTLED):
        raise ValueError("settled by another version")
    amount = settled.get("amount")
    if amount is not None and not (isinstance(amount, int) and 0 < amount < 2**53):
        raise ValueError("no amount of money")
    origin: dict[str, Any] = document.get("origin") or {}
    lease: dict[str, Any] | None = document.get("lease")
    old = "form" not in document
    ended_then = document["updated"] if document["state"] not in OPEN else None
    return Attempt(
        record=record,
        operation=str(document["operation"]),
        state=State(document["state"]),
        asker=Asker(document["actor"], document["actor_name"], document["role"], document.get("lineage") or document["actor"]),
        origin=Origin(origin.get("surface") or "unknown", origin.get("address"), origin.get("client")),
        asked=dict(document.get("asked") or {}),
        request=str(document["request"]),
        form=int(document.get("form", LEGACY)),
        settled=Settled(settled["arguments"], settled["summary"], amount, settled.get("currency")),
        view=dict(document.get("view") or {}),
        told={name: value for name, value in dict(document.get("told") or {}).items() if name in TOLD},
        movement=tuple(document.get("movement") or ()),
        lease=Lease(lease["token"], float(lease["until"])) if lease else None,
        sent=int(document.get("sent", 1)),
        answered=int(document.get("answered", 0)),
        first_sent=_moment(document.get("first_sent", document["created"] if old else None)),
        last_sent=_moment(document.get("last_sent", document["updated"] if old else None)),
        outcome=document.get("outcome"),
        unknown_since=_moment(document.get("unknown_since", document["updated"] if document["state"] == State.UNKNOWN else None)),
        result=document.get("result"),
        error=document.get("error"),
        ended=_moment(document.get("ended", ended_then)),
        looks=_looks(document.get("looks") or {}),
        correlation_id=document.get("correlation_id"),
        created=float(document["created"]),
        updated=float(document["updated"]),
        steps=tuple((float(at), str(what)) for at, what in document.get("steps") or ()),
        due=document.get("due") == "yes",
    )


def _looks(kept: Mapping[str, Any]) -> Looks:
    return Looks(**{each.name: kept[each.name] for each in fields(Looks) if kept.get(each.name) is not None})


def _moment(value: Any) -> float | None:
    return None if value is None else float(value)


def write(attempt: Attempt) -> dict[str, Any]:
    """The document of an attempt. The names that version 0.1.0 reads keep their meaning."""
    document: dict[str, Any] = {
        "form": attempt.form,
        "operation": attempt.operation,
        "actor": attempt.asker.id,
        "actor_name": attempt.asker.name,
        "role": attempt.asker.role,
        "lineage": attempt.asker.lineage,
        "origin": asdict(attempt.origin),
        "state": attempt.state.value,
        "asked": attempt.asked,
        "request": attempt.request,
        "settled": {name: getattr(attempt.settled, name) for name in SETTLED},
        "view": attempt.view,
        "told": attempt.told,
        "movement": list(attempt.movement),
        "lease": asdict(attempt.lease) if attempt.lease else None,
        "looks": asdict(attempt.looks),
        "steps": [list(step) for step in attempt.steps],
        **{name: getattr(attempt, name) for name in AS_IT_IS},
    }
    return document | ({"due": "yes"} if attempt.due else {})


async def find(context: Context, id: str) -> Attempt | None:
    """Raises `Unreadable`."""
    record = await context.records.get(COLLECTION, id)
    return read(record) if record else None


async def every(context: Context, where: Mapping[str, str]) -> list[Record]:
    """The records of all attempts whose fields equal `where`, newest first, also those that this version cannot read."""
    records: list[Record] = []
    while True:
        page = await context.records.find(COLLECTION, where, limit=PAGE, after=records[-1].id if records else None)
        records += page
        if len(page) < PAGE:
            return records


async def start(context: Context, new: New) -> Attempt | None:
    """Records the intent. None where an attempt of that id is there already, which is not this one."""
    try:
        return read(await insert_once(context.records, COLLECTION, new.id, write(new.attempt(context.seam.now()))))
    except Exists:
        return None


type Turn = Callable[[Attempt], Attempt | None]


async def advance(
    context: Context, attempt: Attempt, by: By, to: State | None, turn: Turn, step: str, *, only_this: bool = False
) -> Attempt:
    """What `change` leaves, whoever wrote it."""
    return (await change(context, attempt, by, to, turn, step, only_this=only_this)).attempt


@dataclass(frozen=True, slots=True)
class Changed:
    """The attempt as it stands, whether it was this change that made it so (who did tells of it, and nobody else), and its state before."""

    attempt: Attempt
    made: bool
    before: State


async def change(
    context: Context, attempt: Attempt, by: By, to: State | None, turn: Turn, step: str, *, only_this: bool = False
) -> Changed:
    """Changes the attempt on somebody's word. `turn` makes the new fields of what is there, or None to leave it.

    `to` None keeps the state. What the table does not allow is left. `only_this` gives up where somebody changed the record since it was
    read, because what was found out may be stale.
    """
    while True:
        now = context.seam.now()
        state = to or attempt.state
        allowed = to is None or to in MAY.get((attempt.state, by), frozenset())
        wanted = turn(attempt) if allowed else None
        if wanted is None:
            return Changed(attempt, False, attempt.state)
        wanted = _ended(replace(wanted, state=state, updated=now), attempt, now)
        wanted = replace(wanted, steps=(*wanted.steps[:FIRST_STEPS], *(*wanted.steps[FIRST_STEPS:], (now, step))[-LAST_STEPS:]))
        try:
            stands = read(await replace_once(context.records, COLLECTION, attempt.record, write(wanted)))
        except protocols.Changed:
            current = await context.records.get(COLLECTION, attempt.id)
            if current is None:
                return Changed(attempt, False, attempt.state)
            attempt = read(current)
            if only_this:
                return Changed(attempt, False, attempt.state)
            continue
        if state is not attempt.state and state not in OPEN:
            measure("billy.attempts.ended", operation=stands.operation, state=state.value)
        return Changed(stands, True, attempt.state)


def _ended(wanted: Attempt, before: Attempt, now: float) -> Attempt:
    """The times that follow from the state."""
    if wanted.state in OPEN:
        unknown_since = wanted.unknown_since or (now if wanted.state is State.UNKNOWN else None)
        return replace(wanted, ended=None, unknown_since=unknown_since)
    if before.state is wanted.state:
        return wanted
    return replace(wanted, ended=now, due=True, lease=None)

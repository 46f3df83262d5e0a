"""What must be true of every history once it is at rest: refunds at Stripe are those that were meant, and all say the same of them."""

from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from shared.road import attempts
from shared.road.attempt import Attempt, State
from shared.road.calls import FAILED_OUTCOMES
from shared.road.timing import GUARD
from tests.road.histories import Asked, History
from tests.road.standin import Movement

SKEW = 5.0  # seconds by which the instances of a history differ at most
BEGINNINGS = ("recorded", "made again", "sent again")  # the steps of an attempt at which its claim was taken
SILENT = {"possible_duplicate", "unavailable", "rate_limited", "stripe_error", "unauthenticated"}  # may be told of what is not decided


async def faults_of(history: History) -> list[str]:
    """What is wrong, in sentences; nothing where all is right."""
    found = await _every(history)
    rows = await history.fine.audit.list(limit=10_000)
    wrong = _moved_once(history, found)
    wrong += _recorded(history, found)
    wrong += _told(history, found, rows)
    wrong += _answered(history, found)
    return wrong


async def _every(history: History) -> dict[str, Attempt]:
    records: list[Any] = []
    while page := await history.fine.records.find("attempts", limit=100, after=records[-1].id if records else None):
        records += page
    return {record.id: attempts.read(record) for record in records}


def _moved_once(history: History, found: dict[str, Attempt]) -> list[str]:
    """One refund for an attempt; and of one movement a second one only ten minutes after the first was known, or where it names it."""
    wrong: list[str] = []
    by_attempt = Counter(each.metadata.get("billy_attempt") for each in history.standin.movements)
    wrong += [f"{id} moved {times} times" for id, times in by_attempt.items() if times > 1]
    movements: dict[tuple[str, int], list[Movement]] = defaultdict(list)
    for each in history.standin.movements:
        movements[each.charge, each.amount].append(each)
    for (charge, amount), several in movements.items():
        for first, second in pairwise(several):
            before, after = found.get(first.metadata["billy_attempt"]), found.get(second.metadata["billy_attempt"])
            if before is None or after is None or before is after or before.outcome in FAILED_OUTCOMES:
                continue
            began = max((at for at, what in after.steps if what in BEGINNINGS and at <= second.at + SKEW), default=after.created)
            late = before.ended is not None and began - before.ended >= GUARD - SKEW
            if not late and not _is_repeated(history, before, after):
                wrong.append(f"{charge} {amount}: {after.id} moved {second.at - first.at:.0f} s after {before.id}, which {before.state}")
    return wrong


def _is_repeated(history: History, before: Attempt, after: Attempt) -> bool:
    """Whether a call that became the later attempt (or died before it was answered) named the earlier one."""
    named = [each for each in history.asked if each.arguments.get("repeat_of") == before.id]
    return any(each.died or _attempt_of(each) == after.id for each in named)


def _recorded(history: History, found: dict[str, Attempt]) -> list[str]:
    """Every refund has its attempt, every attempt has ended, and says what Stripe shows."""
    wrong: list[str] = []
    refunds = {each["metadata"].get("billy_attempt"): each for each in history.standin.books.every("refund")}
    wrong += [f"{id} moved and is not recorded" for id in refunds if id not in found]
    for id, attempt in found.items():
        refund = refunds.get(id)
        if attempt.open:
            wrong.append(f"{id} is still {attempt.state}: {attempt.looks}")
        elif refund is None and attempt.state is State.SUCCEEDED:
            wrong.append(f"{id} succeeded, and nothing moved")
        elif refund is not None and refund["status"] not in FAILED_OUTCOMES and not attempt.moved:
            wrong.append(f"{id} {attempt.state} ({attempt.outcome}), and {refund['id']} is {refund['status']}")
        elif refund is not None and refund["status"] in FAILED_OUTCOMES and attempt.moved:
            wrong.append(f"{id} counts as moved, and {refund['id']} is {refund['status']}")
        if refund is not None and attempt.settled.amount != refund["amount"]:
            wrong.append(f"{id} settled {attempt.settled.amount} and moved {refund['amount']}")
    return wrong


def _told(history: History, found: dict[str, Attempt], rows: Any) -> list[str]:
    """The last outcome row of an attempt is what its record says, and its amount stands in one row at most."""
    wrong: list[str] = []
    by_attempt: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["id"])):
        if row.get("attempt"):
            by_attempt[row["attempt"]].append(row)
    for id, attempt in found.items():
        outcomes = [row for row in by_attempt[id] if row["decision"] == "outcome"]
        said = [(row.get("state"), row.get("outcome")) for row in outcomes]
        if not attempt.open and (attempt.state.value, attempt.outcome) not in said:
            wrong.append(f"{id} {attempt.state} ({attempt.outcome}), and its rows say {said}")
        moved = any(each.metadata.get("billy_attempt") == id for each in history.standin.movements)
        if not moved and any(state == "succeeded" for state, _ in said):
            wrong.append(f"{id}: a row says succeeded, and nothing moved")
        if _something_after_succeeded(outcomes):
            wrong.append(f"{id}: a row says something else after succeeded: {said}")
        anew = {row.get("drawn_anew") for row in outcomes}
        succeeded = Counter(row.get("outcome") for row in outcomes if row.get("state") == "succeeded" and row["id"] not in anew)
        if any(times > 1 for times in succeeded.values()):
            wrong.append(f"{id}: the same end is told more than once: {said}")
        if not history.stood_still and sum("amount" in row and "drawn_anew" not in row for row in by_attempt[id]) > 1:
            wrong.append(f"{id}: its amount stands in several rows")
    return wrong


def _something_after_succeeded(outcomes: list[dict[str, Any]]) -> bool:
    """By rows whose times differ by more than the clocks of the instances do."""
    first = next((_at(row) for row in outcomes if row.get("state") == "succeeded"), None)
    return first is not None and any(row.get("state") not in ("succeeded", None) and _at(row) > first + SKEW for row in outcomes)


def _at(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["at"]).timestamp()


def _answered(history: History, found: dict[str, Attempt]) -> list[str]:
    """Who was answered that it was done has it; who was refused for good has nothing."""
    wrong: list[str] = []
    refunds = {each["id"]: each for each in history.standin.books.every("refund")}
    repeats = Counter(_attempt_of(each) for each in history.asked)
    for each in history.asked:
        if each.body is not None and each.body["status"] == "succeeded":
            refund = refunds.get((each.body["result"] or {}).get("id"))
            if refund is None or refund["metadata"].get("billy_attempt") != each.body["attempt"]:
                wrong.append(f"answered {each.body}, and Stripe has {refund}")
            elif refund["amount"] != each.arguments["amount"] or refund["charge"] != each.arguments["charge"]:
                wrong.append(f"answered {each.body} to {each.arguments}")
        elif each.error is not None and each.error.code == "internal":
            wrong.append(f"a call crashed: {each.arguments}")
        elif each.error is not None and each.error.code not in SILENT and not each.error.outcome_unknown:
            id = each.error.attempt
            if id in found and repeats[id] == 1 and each.error.code != "conflict" and found[id].moved:
                wrong.append(f"refused with {each.error.code}, and {id} moved")
    return wrong


def _attempt_of(asked: Asked) -> str | None:
    return asked.body["attempt"] if asked.body else asked.error.attempt if asked.error else None

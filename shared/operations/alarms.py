"""How Billy is, measured every minute; what has to wake somebody is said in the log in words that the alerts listen for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.operations.sync import sync_state
from shared.operations.told import tell_earlier
from shared.people.restored import mend
from shared.road import attempts
from shared.road.attempt import OPEN
from shared.road.digests import digest_of
from shared.road.timing import PATIENCE
from shared.telemetry.measures import measure

MIRROR_OLD = "billy.mirror_old"
ATTEMPTS_UNSETTLED = "billy.attempts_unsettled"
QUEUES_AWAY = "billy.queues_away"
DIGESTS_MISSING = "billy.digests_missing"
KEYS_OLDER = "billy.keys_older_than_audit"
SYNC_FAILING = "billy.sync_failing"
OLDEST = 3600  # seconds behind Stripe; while all goes well it is a minute or two
KINDS = ("customer", "charge", "subscription", "invoice", "refund")


@dataclass(frozen=True, slots=True)
class Alarm:
    """The event to log, with counts, seconds and words of a vocabulary, and nothing of a customer."""

    event: str
    facts: dict[str, int | str]


async def alarms(context: Context) -> list[Alarm]:
    """Measures the mirror, the attempts, the queues and the keys, and answers what is not well. What can be mended by itself is."""
    state, now = await sync_state(context), context.seam.now()
    rest = [await _attempts(context), await _queues(context), await _keys(context), await _digests(context)]
    found = [_mirror(state, now), *_sync(state, now), *rest]
    return [alarm for alarm in found if alarm]


def _sync(state: Mapping[str, Any], now: float) -> list[Alarm]:
    """Each part of the synchronisation that fails is named, every minute until it passes."""
    failing: list[dict[str, Any]] = state["failing"]
    measure("billy.sync.failing", len(failing))
    measure("billy.sync.set_aside", state["events_set_aside"])
    if state["lag_seconds"] is not None:
        measure("billy.sync.lag", state["lag_seconds"])
    return [
        Alarm(SYNC_FAILING, {"part": each["part"], "code": each["code"], "seconds": int(now - (each["since"] or now))}) for each in failing
    ]


def _mirror(state: Mapping[str, Any], now: float) -> Alarm | None:
    incomplete, oldest = 0, 0.0
    for kind in KINDS:
        known: Mapping[str, Any] = state["kinds"].get(kind, {})
        complete, as_of = bool(known.get("complete")), known.get("as_of")
        incomplete += not complete
        measure("billy.mirror.complete", int(complete), kind=kind)
        if as_of is not None:
            age = now - as_of
            measure("billy.mirror.age", age, kind=kind)
            oldest = max(oldest, age)
    if not incomplete and oldest <= OLDEST:
        return None
    return Alarm(MIRROR_OLD, {"incomplete_kinds": incomplete, "age_seconds": int(oldest)})


async def _attempts(context: Context) -> Alarm | None:
    """Counts all that is open, however much. What a person was called for once is not told each minute for ever: `list_attempts` shows it."""
    before = context.seam.now() - PATIENCE
    late = 0
    for state in sorted(OPEN):
        found = await attempts.every(context, {"state": state})
        measure("billy.attempts", len(found), state=state)
        late += sum(_since(record.document) < before and not _is_told(record.document) for record in found)
    return Alarm(ATTEMPTS_UNSETTLED, {"count": late}) if late else None


def _is_told(document: Mapping[str, Any]) -> bool:
    looks: Mapping[str, Any] = document.get("looks") or {}
    return looks.get("person") is not None


def _since(document: Mapping[str, Any]) -> float:
    """The first moment at which nobody knew how an attempt ended."""
    return float(document.get("unknown_since") or document.get("created") or document["updated"])


async def _queues(context: Context) -> Alarm | None:
    """A queue that cannot be asked is told; what waits in the others is a measure alone."""
    if context.queues is None:
        return None
    try:
        depths = await context.queues.depths()
    except BillyError:
        return Alarm(QUEUES_AWAY, {})
    for queue, depth in depths.items():
        measure("billy.queue.depth", depth, queue=queue)
    return None


async def _keys(context: Context) -> Alarm | None:
    """Records that are older than the audit log: what was taken away is taken away again, and somebody is called."""
    await tell_earlier(context)
    older = await mend(context)
    return Alarm(KEYS_OLDER, {"revived": older.revived, "missing": older.missing}) if older else None


async def _digests(context: Context) -> Alarm | None:
    """Rows without a digest are rows all the same, but nobody can hold a call against them."""
    return None if await digest_of(context, b"") else Alarm(DIGESTS_MISSING, {})

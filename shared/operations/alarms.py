"""How Billy is, measured every minute; what has to wake somebody is said in the log in words that the alerts listen for."""

from dataclasses import dataclass

from shared.context import Context
from shared.errors import BillyError
from shared.operations import attempts, freshness
from shared.telemetry.measures import measure

MIRROR_OLD = "billy.mirror_old"
ATTEMPTS_UNSETTLED = "billy.attempts_unsettled"
QUEUES_AWAY = "billy.queues_away"
OLDEST = 3600  # seconds behind Stripe; while all goes well it is a minute or two
PATIENCE = 900  # seconds in which an attempt is settled while all goes well: the timer runs every minute
KINDS = ("customer", "charge", "subscription", "invoice", "refund")
PAGE = 100


@dataclass(frozen=True, slots=True)
class Alarm:
    """The event to log, with counts and seconds, and nothing of a customer."""

    event: str
    facts: dict[str, int]


async def alarms(context: Context) -> list[Alarm]:
    """Measures the mirror, the attempts and the queues, and answers what is not well."""
    found = [await _mirror(context), await _attempts(context), await _queues(context)]
    return [alarm for alarm in found if alarm]


async def _mirror(context: Context) -> Alarm | None:
    incomplete, oldest = 0, 0.0
    for kind in KINDS:
        complete, as_of = await freshness.of(context, kind)
        incomplete += not complete
        measure("billy.mirror.complete", int(complete), kind=kind)
        if as_of is not None:
            age = context.seam.now() - as_of
            measure("billy.mirror.age", age, kind=kind)
            oldest = max(oldest, age)
    if not incomplete and oldest <= OLDEST:
        return None
    return Alarm(MIRROR_OLD, {"incomplete_kinds": incomplete, "age_seconds": int(oldest)})


async def _attempts(context: Context) -> Alarm | None:
    """A page of each state is enough to know that somebody has to look."""
    before = context.seam.now() - PATIENCE
    late = 0
    for state in ("started", "unknown"):
        found = await context.records.find(attempts.COLLECTION, {"state": state}, limit=PAGE)
        measure("billy.attempts", len(found), state=state)
        late += sum(float(record.document["updated"]) < before for record in found)
    return Alarm(ATTEMPTS_UNSETTLED, {"count": late}) if late else None


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

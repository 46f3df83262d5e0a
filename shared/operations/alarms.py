"""What has to wake somebody, found out every few minutes and said in the log in words that the alerts listen for."""

from shared.context import Context
from shared.operations import attempts, freshness

MIRROR_OLD = "billy.mirror_old"
ATTEMPTS_UNSETTLED = "billy.attempts_unsettled"
OLDEST = 3600  # seconds behind Stripe; while all goes well it is a minute or two
PATIENCE = 900  # seconds in which an attempt is settled while all goes well: the timer runs every minute
KINDS = ("customer", "charge", "subscription", "invoice", "refund")
PAGE = 100


async def alarms(context: Context) -> list[str]:
    """The lines to log, none while all is well. They hold counts and seconds, and nothing of a customer."""
    return [line for line in (await _mirror(context), await _attempts(context)) if line]


async def _mirror(context: Context) -> str | None:
    known = [await freshness.of(context, kind) for kind in KINDS]
    incomplete = sum(not complete for complete, _ in known)
    ages = [context.seam.now() - as_of for _, as_of in known if as_of is not None]
    if not incomplete and max(ages, default=0.0) <= OLDEST:
        return None
    return f"{MIRROR_OLD} incomplete_kinds={incomplete} age_seconds={int(max(ages, default=0.0))}"


async def _attempts(context: Context) -> str | None:
    """A page of each state is enough to know that somebody has to look."""
    before = context.seam.now() - PATIENCE
    count = 0
    for state in ("started", "unknown"):
        found = await context.records.find(attempts.COLLECTION, {"state": state}, limit=PAGE)
        count += sum(float(record.document["updated"]) < before for record in found)
    return f"{ATTEMPTS_UNSETTLED} count={count}" if count else None

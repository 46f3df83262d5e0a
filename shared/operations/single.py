"""One object by its id: from the mirror, and where that does not know it from Stripe, before anybody is told that it does not exist."""

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from shared.context import Context
from shared.errors import BillyError
from shared.instants import iso
from shared.operations import freshness
from shared.operations.views import show
from shared.road.calls import Call
from shared.stores.protocols import Mirror
from shared.telemetry.measures import measure

WINDOW = 60  # seconds
MOST_OF_ONE = 30  # ids in a window that Stripe is asked for by one caller, so that made-up ones do not spend what Stripe takes
MOST_OF_ALL = 120


@dataclass(slots=True)
class _Asked:
    """How often Stripe was asked in the running window, by caller."""

    since: float = 0.0
    callers: dict[str, int] = field(default_factory=dict[str, int])

    def may(self, caller: str, now: float) -> bool:
        """Whether there is one more to ask, which is counted."""
        if not 0 <= now - self.since < WINDOW:
            self.since, self.callers = now, {}
        if self.callers.get(caller, 0) >= MOST_OF_ONE or sum(self.callers.values()) >= MOST_OF_ALL:
            return False
        self.callers[caller] = self.callers.get(caller, 0) + 1
        return True


_asked: WeakKeyDictionary[Mirror, _Asked] = WeakKeyDictionary()


async def get_kind(call: Call, kind: str, id: str, noun: str) -> dict[str, Any]:
    """The object as it is shown, with `as_of`. Raises `not_found` on Stripe's word alone, `rate_limited` where too much unknown was asked for."""
    context = call.context
    stored = await context.mirror.get(kind, id)
    if stored is not None:
        _, as_of = await freshness.of(context, kind)
        return show(kind, stored.body) | _as_of(max(as_of or 0, stored.stamp))
    if not _asked.setdefault(context.mirror, _Asked()).may(call.actor.id, context.seam.now()):
        measure("billy.lookups", kind=kind, outcome="refused")
        raise BillyError(
            "rate_limited",
            f"This {noun} is not known here, and Stripe was asked for too many unknown ids in the last minute.",
            next="Check the id: search finds objects by name, email or number. Or try again in a minute.",
            retry_after=WINDOW,
        )
    return await _from_stripe(context, kind, id, noun)


async def _from_stripe(context: Context, kind: str, id: str, noun: str) -> dict[str, Any]:
    stripe = await context.stripe()
    try:
        fetched = await stripe.retrieve(kind, id)
    except BillyError as error:
        if error.code != "not_found":
            raise
        measure("billy.lookups", kind=kind, outcome="missing")
        raise missing(noun) from None
    await context.mirror.apply([fetched.write])
    measure("billy.lookups", kind=kind, outcome="found")
    return show(kind, fetched.value) | _as_of(fetched.write.stamp)


def _as_of(second: int) -> dict[str, Any]:
    return {"as_of": iso(second) if second else None}


def missing(noun: str) -> BillyError:
    return BillyError("not_found", f"There is no {noun} with this id.", next="Check the id; search finds objects by name, email or number.")

"""The fence before the act: whoever sends must still hold the lease and the claim, and whoever asked must still be allowed to.

No fence is perfect. A process that is frozen between this check and the socket for longer than the grace could send after somebody else
was told that nothing was done; `docs/exactly-once.md` says what finds and alarms that.
"""

from dataclasses import dataclass, field, replace

from shared.actor import Actor
from shared.context import Context
from shared.people.keys import role_now
from shared.policy.decide import Asked, Decision, Deny, decide
from shared.road import attempts, claims, refusals
from shared.road.attempt import Attempt, By
from shared.road.calls import Settled
from shared.road.claims import Wanted
from shared.road.following import side_by_side
from shared.road.operation import Operation, Write


def permission(operation: Operation, role: str, settled: Settled) -> Decision:
    """What the policy says of a settled call."""
    if not isinstance(operation, Write):
        return decide(Asked(role, operation.permission))
    declared, arguments = operation.declared, settled.arguments
    gives = arguments.get(declared.gives) if declared.gives else None
    return decide(Asked(role, operation.permission, settled.amount, settled.currency, declared.effects_of(arguments), gives))


def require_permission(operation: Operation, role: str, settled: Settled, attempt: str | None = None) -> None:
    """Raises `not_allowed` where the policy says no to a settled call."""
    decision = permission(operation, role, settled)
    if isinstance(decision, Deny):
        raise refusals.denied(decision, attempt)


@dataclass(slots=True)
class Gate:
    """`context.Sending` for one act of an attempt, which holds the lease. It counts what is sent; `counted` puts that into the record."""

    context: Context
    operation: Operation
    actor: Actor
    attempt: Attempt  # as it stands in the record
    until: float  # epoch seconds after which nothing is sent
    wanted: Wanted
    tries: int = 0
    noes: int = 0
    _last: float | None = field(default=None, init=False)  # when the last request was under way that was not merely replayed
    _before: float | None = field(default=None, init=False)  # what `_last` was before it
    _earlier: Attempt = field(init=False)  # as it was when this act began

    def __post_init__(self) -> None:
        self._earlier = self.attempt

    @property
    def key(self) -> str:
        return self.attempt.id

    async def begin(self) -> None:
        """Lease, claim and right are asked side by side; the compare-and-set that proves the lease also writes down that something is sent."""
        names, role, begun = await side_by_side(
            claims.hold(self.context, self.attempt.movement, self.wanted), role_now(self.context, self.actor), self._written_down()
        )
        if not names or not begun or self.left() <= 0:
            raise refusals.late(self.attempt.id)
        if role is None:
            raise refusals.revoked(self.attempt.id)
        require_permission(self.operation, role, self.attempt.settled, self.attempt.id)

    def left(self) -> float:
        return self.until - self.context.seam.now()

    def sent(self) -> None:
        self.tries += 1
        self._before, self._last = self._last, self.context.seam.now()

    def answered(self, *, no: bool, replayed: bool = False) -> None:
        self.noes += no
        self._last = self._before if replayed else self.context.seam.now()

    @property
    def said_no(self) -> bool:
        """Whether every request of the attempt, also those of earlier acts, was answered by a no."""
        return self._earlier.answered + self.noes == self._earlier.sent + self.tries

    def counted(self, attempt: Attempt) -> Attempt:
        """The attempt with what this act has sent, in place of the one request that was written down beforehand."""
        if not self.holds(attempt):
            return attempt
        return replace(
            attempt,
            sent=self._earlier.sent + self.tries,
            answered=self._earlier.answered + self.noes,
            last_sent=self._last or self._earlier.last_sent,
        )

    def holds(self, attempt: Attempt) -> bool:
        """Whether the attempt is open and the lease on it this act's."""
        ours = self._earlier.lease
        return attempt.open and ours is not None and attempt.lease is not None and attempt.lease.token == ours.token

    async def _written_down(self) -> bool:
        def turn(attempt: Attempt) -> Attempt | None:
            now = self.context.seam.now()
            if not self.holds(attempt) or not attempt.is_held(now):
                return None
            return replace(attempt, sent=self._earlier.sent + 1, first_sent=attempt.first_sent or now, last_sent=now)

        self.attempt = await attempts.advance(self.context, self.attempt, By.CALL, None, turn, "sending")
        return self.holds(self.attempt) and self.attempt.sent > self._earlier.sent

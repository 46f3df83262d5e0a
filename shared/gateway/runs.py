"""A backfill's run: one at a time, held by a lease that a killed process lets go by dying."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from shared.context import Context
from shared.gateway import progress
from shared.gateway.progress import RUN, Document, kind_id

LEASE = 60  # seconds after which a holder that says nothing more is taken for dead
RENEW = 15  # seconds between two renewals
AGAIN = 1 / 5  # of RENEW: the pause after a renewal that failed
MARGIN = 1 / 6  # of LEASE: what a holder leaves unused, since clocks differ and its work takes a moment to end
ACTIVE = ("requested", "running", "stalled")
FIRST_PAUSE = 300  # seconds between the second failure and the third try
LONGEST_PAUSE = 3600


class Lost(Exception):
    """The lease is somebody else's now, or may be so in a moment."""


class Lease:
    """The right to work on a run, renewed in the background between `take` and `release`.

    `token` tells it from every other lease, and `taken` counts the leases of its run up to this one. The progress of each kind
    carries both, so that a holder that was paused past its lease's end, and does not know yet, writes nothing beside its
    successor and takes nothing back from it.
    """

    def __init__(self, context: Context, document: Document) -> None:
        self._context = context
        self._until = float(document["lease_until"])  # epoch seconds: from then on others may take it
        self.run = str(document["run"])
        self.token = str(document["lease"])
        self.taken = int(document["taken"])

    @classmethod
    async def take(cls, context: Context) -> "Lease | None":
        """The lease of the active run, or None where there is no run, or where somebody holds it."""
        now, token = context.seam.now(), context.seam.token(12)

        def turn(run: Document) -> Document | None:
            if run.get("state") not in ACTIVE or _is_held(run, now):
                return None
            holder: Document = {"lease": token, "lease_until": now + LEASE, "taken": run.get("taken", 0) + 1}
            return run | {"state": "running", "started_at": run.get("started_at") or now} | holder

        taken = await progress.change(context, RUN, turn)
        return cls(context, taken) if taken else None

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Renews the lease as long as the block runs. Raises `Lost` in the block's place when it is not to be had any longer:
        before anybody else may take it, unless the process itself stood still."""
        holder = asyncio.current_task()
        if holder is None:
            raise RuntimeError("A lease is held by a task.")
        cancelled, lost = holder.cancelling(), False

        async def renew() -> None:
            nonlocal lost
            await self._renew()
            lost = True
            holder.cancel()

        renewing = asyncio.create_task(renew())
        try:
            yield
        except (asyncio.CancelledError, Exception):
            if not lost or holder.uncancel() > cancelled:  # the latter where somebody else cancels the holder too
                raise
            raise Lost from None
        finally:
            renewing.cancel()

    async def _renew(self) -> None:
        """Renews again and again. Returns when the lease is lost, or as good as lost."""
        pause: float = RENEW
        while True:
            await asyncio.sleep(min(pause, self._left()))
            if (left := self._left()) <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._prolong()
            except Lost:
                return
            except Exception:  # the store is away, perhaps for a moment alone
                pause = RENEW * AGAIN
            else:
                pause = RENEW

    def _left(self) -> float:
        """Seconds in which the holder may still rely on the lease."""
        return self._until - LEASE * MARGIN - self._context.seam.now()

    async def _prolong(self) -> None:
        until = self._context.seam.now() + LEASE
        await self._change({"lease_until": until})
        self._until = until

    async def release(self, state: str, **facts: Any) -> None:
        """Gives the run back in a state: `running` where more is to do, `stalled` with its error, or `done`. Raises `Lost`."""
        await self._change({"state": state, "lease_until": 0, **facts})

    def signed(self, document: Document) -> Document:
        """The document of a kind that only this lease may change from now on."""
        return document | {"run": self.run, "lease": self.token, "taken": self.taken}

    async def begin(self, kind: str) -> Document:
        """The document of a kind of this run, with what is done by now, and begun. Raises `Lost` where a later lease or another run has begun it."""

        def turn(document: Document) -> Document:
            if document.get("run") != self.run or document.get("taken", 0) > self.taken:
                raise Lost
            return self.signed(document)

        begun = await progress.change(self._context, kind_id(kind), turn)
        if begun is None:
            raise Lost
        return begun

    async def change(self, kind: str, turn: Callable[[Document], Document]) -> None:
        """Changes the document of a kind that this lease has begun. Raises `Lost` where another one has begun it since."""

        def own(document: Document) -> Document:
            if document.get("lease") != self.token:
                raise Lost
            return turn(document)

        await progress.change(self._context, kind_id(kind), own)

    async def _change(self, facts: Mapping[str, Any]) -> None:
        def turn(run: Document) -> Document | None:
            return run | dict(facts) if run.get("lease") == self.token and run.get("run") == self.run else None

        if await progress.change(self._context, RUN, turn) is None:
            raise Lost


async def is_waiting(context: Context) -> bool:
    """Whether a run is active that nobody works on, and that may go on now: one that failed waits longer each time."""
    run, now = await progress.document(context, RUN), context.seam.now()
    return run.get("state") in ACTIVE and not _is_held(run, now) and is_due(run, now)


def pause(failures: int) -> int:
    """Seconds until what failed so often is tried again: at once, and then after five minutes, ten and so on up to an hour."""
    return 0 if failures < 2 else min(FIRST_PAUSE << min(failures - 2, 10), LONGEST_PAUSE)


def is_due(document: Document, now: float) -> bool:
    """Whether the time of what waits has come. A time farther off than any pause is one of a clock that was set back since."""
    return not now < float(document.get("again_at") or 0) <= now + LONGEST_PAUSE


def _is_held(run: Document, now: float) -> bool:
    """Whether somebody holds the lease. One that reaches too far was given by a clock that was set back since, and counts no more."""
    return now < float(run.get("lease_until", 0)) <= now + 2 * LEASE

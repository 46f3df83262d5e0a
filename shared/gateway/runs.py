"""A backfill's run: one at a time, held by a lease that a killed process lets go by dying."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from shared.context import Context
from shared.errors import BillyError
from shared.gateway import progress
from shared.gateway.progress import RUN, Document

LEASE = 60  # seconds after which a holder that says nothing more is taken for dead
RENEW = 15  # seconds between two renewals
ACTIVE = ("requested", "running", "stalled")


class Lost(Exception):
    """The lease is somebody else's now."""


class Lease:
    """The right to work on a run, renewed in the background between `take` and `release`."""

    def __init__(self, context: Context, run: str, token: str) -> None:
        self._context = context
        self._token = token
        self.run = run

    @classmethod
    async def take(cls, context: Context) -> "Lease | None":
        """The lease of the active run, or None where there is no run, or where somebody holds it."""
        now, token = context.seam.now(), context.seam.token(12)

        def turn(run: Document) -> Document | None:
            if run.get("state") not in ACTIVE or float(run.get("lease_until", 0)) > now:
                return None
            started = run.get("started_at") or now
            return run | {"state": "running", "started_at": started, "lease": token, "lease_until": now + LEASE, "last_error": None}

        taken = await progress.change(context, RUN, turn)
        return cls(context, str(taken["run"]), token) if taken else None

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Renews the lease as long as the block runs. Raises `Lost` in the block's place when somebody else took it."""
        holder = asyncio.current_task()
        assert holder is not None
        lost = False

        async def renew() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(RENEW)
                try:
                    await self._change({"lease_until": self._context.seam.now() + LEASE})
                except Lost:
                    lost = True
                    holder.cancel()
                    return

        renewing = asyncio.create_task(renew())
        try:
            yield
        except asyncio.CancelledError:
            if not lost:
                raise
            holder.uncancel()
            raise Lost from None
        finally:
            renewing.cancel()

    async def release(self, state: str, **facts: Any) -> None:
        """Gives the run back in a state: `running` where more is to do, `stalled` with its error, or `done`."""
        await self._change({"state": state, "lease_until": 0, **facts})

    async def _change(self, facts: Mapping[str, Any]) -> None:
        def turn(run: Document) -> Document | None:
            return run | dict(facts) if run.get("lease") == self._token and run.get("run") == self.run else None

        if await progress.change(self._context, RUN, turn) is None:
            raise Lost


async def is_waiting(context: Context) -> bool:
    """Whether a run is active that nobody works on."""
    run = await progress.document(context, RUN)
    return run.get("state") in ACTIVE and float(run.get("lease_until", 0)) <= context.seam.now()


def told(error: BillyError) -> Document:
    """An error as a run keeps it: fixed words and enumerated values only."""
    return {"code": error.code, "detail": error.detail, "next": error.next}

"""The local host with places at which it dies. `python -m tests.edge.kill_points.host OPTIONS OF DEVHOST` loads everything once; each line on
its standard input is one life of the host: a forked process that serves until it is killed, and may kill itself as by `kill -9`.

What is to happen stands in files of the folder `BILLY_MATRIX`: `kill_at` names a step, and is gone once that step was reached; `clock` is by
how many seconds Billy's clock is ahead; `settled` is written here: how often the timer that settles attempts has run to its end.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import function_app  # noqa: F401 - loaded once for all lives
from devhost import __main__ as devhost
from devhost import server, timers  # noqa: F401
from shared import wiring
from shared.context import Context, Seam
from shared.gateway import transport
from shared.road import attempts, catalogue, claims, settling, trail, writing  # noqa: F401
from shared.road.fence import Gate
from shared.road.trail import Decided, Row
from shared.settings import Settings
from shared.stores import cosmos_mirror, queues, tables  # noqa: F401

FOLDER = Path(os.environ["BILLY_MATRIX"])
TRY = 0.4  # seconds that one request to Stripe may take here
BACKOFF = 0.05  # seconds between the SDK's tries, to begin with


def reach(step: str) -> None:
    """Ends this process where this is the step to die at."""
    file = FOLDER / "kill_at"
    if file.exists() and file.read_text() == step:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def before(step: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def reaching(*given: Any, **named: Any) -> Any:
        reach(step)
        return await work(*given, **named)

    return reaching


def after(step: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def reaching(*given: Any, **named: Any) -> Any:
        answer = await work(*given, **named)
        reach(step)
        return answer

    return reaching


_append, _make_context, _settle_attempts = trail.append, wiring.make_context, settling.settle_attempts


async def append(context: Context, row: Row) -> str:
    if row.attempt and row.decision is Decided.OUTCOME:
        reach("ended")
    id = await _append(context, row)
    if row.attempt and row.decision in (Decided.ALLOWED, Decided.OUTCOME):
        reach("told" if row.decision is Decided.OUTCOME else "allowed")
    return id


def now() -> float:
    """The time of the instance's clock."""
    return time.time() + float((FOLDER / "clock").read_text())


async def make_context(settings: Settings, seam: Seam | None = None) -> Context:
    return await _make_context(settings, Seam(now=now))


async def settle_attempts(*given: Any) -> dict[str, int]:
    counts = await _settle_attempts(*given)
    file = FOLDER / "settled"
    file.write_text(str(int(file.read_text()) + 1))
    return counts


async def only_by_hand(timer: timers.Timer) -> None:
    """In place of a schedule."""
    await asyncio.Event().wait()


def prepare() -> None:
    claims.take = after("claimed", claims.take)
    attempts.start = after("recorded", attempts.start)
    Gate.begin = after("fenced", Gate.begin)  # type: ignore[method-assign]
    writing._recorded = before("answered", writing._recorded)
    writing._failed = before("answered", writing._failed)
    trail.append, wiring.make_context, settling.settle_attempts = append, make_context, settle_attempts
    timers.Timer.run = only_by_hand  # type: ignore[method-assign]
    transport.TRY = TRY
    transport.stripe.HTTPClient.INITIAL_DELAY = BACKOFF


def main() -> None:
    prepare()
    print("Loaded", flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            print(f"Begun {os.getpid()}", flush=True)
            sys.exit(devhost.main())
        print(f"Ended {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}", flush=True)


if __name__ == "__main__":
    main()

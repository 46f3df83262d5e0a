"""Timer triggers: six-field NCRONTAB schedules in UTC."""

import asyncio
import contextlib
import json
import logging
from datetime import UTC, datetime

from croniter import CroniterError, croniter

from devhost.functions import Function, TimerTrigger
from devhost.outputs import OutputFailed, Outputs
from devhost.settings import StartRefused
from devhost.worker import Datum, invoke, new_id

log = logging.getLogger("devhost")

LONGEST_SLEEP = 30.0
"""Seconds; the wall clock is looked at again after that, as it may have been set or the machine may have slept."""


def schedule_after(schedule: str, moment: datetime) -> datetime:
    """The next occurrence of an NCRONTAB expression, whose day and day-of-week must both fit."""
    return croniter(schedule, moment, second_at_beginning=True, day_or=False).get_next(datetime)


class Timer:
    """Runs one function on its schedule, never twice at once."""

    def __init__(self, function: Function, outputs: Outputs) -> None:
        assert isinstance(function.trigger, TimerTrigger)
        self._function = function
        self._trigger = function.trigger
        self._outputs = outputs
        self._last: datetime | None = None
        self._stopping = asyncio.Event()
        if len(self._trigger.schedule.split()) != 6:
            raise StartRefused(f"function {function.name}: the schedule {self._trigger.schedule!r} must have six fields")
        try:
            schedule_after(self._trigger.schedule, datetime.now(UTC))
        except (CroniterError, ValueError) as error:
            raise StartRefused(f"function {function.name}: the schedule {self._trigger.schedule!r} is not NCRONTAB: {error}") from None

    async def run(self) -> None:
        """Ends after `stop`, when an invocation that runs has ended."""
        if self._trigger.run_on_startup:
            await self.fire()
        while not self._stopping.is_set():
            due = schedule_after(self._trigger.schedule, datetime.now(UTC))
            while not self._stopping.is_set() and (left := (due - datetime.now(UTC)).total_seconds()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), min(left, LONGEST_SLEEP))
            if not self._stopping.is_set():
                await self.fire()

    def stop(self) -> None:
        self._stopping.set()

    async def fire(self) -> bool:
        """Runs the function now and answers whether it succeeded."""
        now = datetime.now(UTC)
        status = {
            "Last": (self._last or datetime.min.replace(tzinfo=UTC)).isoformat(),
            "Next": schedule_after(self._trigger.schedule, now).isoformat(),
            "LastUpdated": now.isoformat(),
        }
        info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
        self._last = now
        done = await invoke(self._function, new_id(), Datum(json.dumps(info), "json"), {})
        if done.succeeded:
            try:
                await self._outputs.write(self._function, done)
            except OutputFailed:
                return False
        return done.succeeded

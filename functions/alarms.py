"""The timer that measures how Billy is, and says in the log what has to wake somebody."""

import logging

import azure.functions as func

from shared import wiring
from shared.telemetry.lines import say

blueprint = func.Blueprint()


@blueprint.function_name("raise_alarms")
@blueprint.timer_trigger(arg_name="timer", schedule="45 * * * * *", run_on_startup=False)
async def raise_alarms(timer: func.TimerRequest, context: func.Context) -> None:
    from shared.operations.alarms import alarms
    from shared.road.trail import write_sums

    async with wiring.invocation(context) as billy:
        await write_sums(billy)
        for alarm in await alarms(billy):
            say(logging.WARNING, alarm.event, **alarm.facts)

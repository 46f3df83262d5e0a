"""The timer that says in the log what has to wake somebody."""

import logging

import azure.functions as func

from shared import wiring

log = logging.getLogger("billy")

blueprint = func.Blueprint()


@blueprint.function_name("raise_alarms")
@blueprint.timer_trigger(arg_name="timer", schedule="45 */5 * * * *", run_on_startup=False)
async def raise_alarms(timer: func.TimerRequest) -> None:
    from shared.operations.alarms import alarms

    for line in await alarms(await wiring.context()):
        log.warning(line)

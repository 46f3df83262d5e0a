"""The timer that settles attempts whose outcome nobody saw."""

import azure.functions as func

from shared import wiring
from shared.operations.settling import settle_attempts

blueprint = func.Blueprint()


@blueprint.function_name("settle_attempts")
@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
async def settle(timer: func.TimerRequest) -> None:
    from shared.operations.catalogue import BY_NAME

    await settle_attempts(await wiring.context(), BY_NAME)

"""The timer that settles attempts whose outcome nobody saw."""

import azure.functions as func

from shared import wiring

blueprint = func.Blueprint()


@blueprint.function_name("settle_attempts")
@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
async def settle(timer: func.TimerRequest, context: func.Context) -> None:
    from shared.road.catalogue import BY_NAME
    from shared.road.settling import settle_attempts

    async with wiring.invocation(context) as billy:
        await settle_attempts(billy, BY_NAME)

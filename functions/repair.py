"""The timer that ends what a crash has left in a store whose lists and totals follow its objects."""

import azure.functions as func

from shared import wiring

blueprint = func.Blueprint()


@blueprint.function_name("repair_mirror")
@blueprint.timer_trigger(arg_name="timer", schedule="50 * * * * *", run_on_startup=False)
async def repair_mirror(timer: func.TimerRequest, context: func.Context) -> None:
    async with wiring.invocation(context) as billy:
        await wiring.repair(billy)

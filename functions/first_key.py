"""The timer that takes a new deployment's first key. It asks for the secret only while there is no key at all."""

import azure.functions as func

from shared import wiring

blueprint = func.Blueprint()


@blueprint.function_name("adopt_first_key")
@blueprint.timer_trigger(arg_name="timer", schedule="15 * * * * *", run_on_startup=False)
async def adopt(timer: func.TimerRequest, context: func.Context) -> None:
    from shared.operations.first_key import adopt_first_key

    async with wiring.invocation(context) as billy:
        await adopt_first_key(billy)

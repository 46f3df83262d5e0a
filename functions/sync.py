"""Synchronisation: slices of the backfill from a queue, and the timers that catch up and resume."""

import azure.functions as func

from shared import wiring

QUEUE = "billy-sync"
SLICE = 30  # seconds of one invocation, far below what a plan allows
WAKE = "go on"  # what a message says, which nobody reads

blueprint = func.Blueprint()


@blueprint.function_name("run_sync")
@blueprint.queue_trigger(arg_name="msg", queue_name=QUEUE, connection="AzureWebJobsStorage")
@blueprint.queue_output(arg_name="more", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def run_sync(msg: func.QueueMessage, context: func.Context, more: func.Out[str]) -> None:
    from shared.gateway.backfill import Slice, run_slice

    async with wiring.invocation(context) as billy:
        if await run_slice(billy, SLICE) is Slice.MORE:
            more.set(WAKE)


@blueprint.function_name("sync_watch")
@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *", run_on_startup=False)
@blueprint.queue_output(arg_name="wake", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def sync_watch(timer: func.TimerRequest, context: func.Context, wake: func.Out[str]) -> None:
    """Every minute: Stripe's list of events is read on, and a run that nobody works on goes on.

    The events first: while the queues are away the message cannot be kept, and the mirror follows Stripe all the same.
    """
    from shared.gateway.feed import catch_up
    from shared.gateway.runs import is_waiting

    async with wiring.invocation(context) as billy:
        if await is_waiting(billy):
            wake.set(WAKE)
        await catch_up(billy)


@blueprint.function_name("sync_timer")
@blueprint.timer_trigger(arg_name="timer", schedule=wiring.sync_schedule(), run_on_startup=False)
@blueprint.queue_output(arg_name="wake", queue_name=QUEUE, connection="AzureWebJobsStorage")
async def sync_timer(timer: func.TimerRequest, context: func.Context, wake: func.Out[str]) -> None:
    """On the schedule: everything is read where that was never done, where events were missed, or where a permission has come back."""
    from shared.gateway.backfill import regained
    from shared.gateway.feed import catch_up, is_lasting, is_open
    from shared.operations.sync import Wants, request_run, wants

    async with wiring.invocation(context) as billy:
        await catch_up(billy)
        wanted = await wants(billy)
        anew = wanted is Wants.ANEW or not await is_open(billy) or await is_lasting(billy) or await regained(billy)
        if anew or wanted is Wants.REST:
            await request_run(billy, "system", anew=anew)
            wake.set(WAKE)

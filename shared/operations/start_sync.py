"""Start a synchronisation: everything is read from Stripe into the mirror."""

from shared.operations.freshness import COLLECTION
from shared.operations.sync import ACTIVE, QUEUE, RUN, request_run
from shared.operations.written import Written
from shared.road.calls import Act, Call, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.identity import derived_id
from shared.road.operation import WriteInput, write


@write(
    "POST /api/sync",
    permission="manage_sync",
    tags=("sync",),
    output=Written,
    declared=Declared(
        moves_money=False,
        category=Category.NONE,
        repeats=Repeats.SAFE,
        reversible=Reversible(Reversal.FULLY),
        effects=(),
    ),
    found=Found.BY_DERIVED_ID,
    queue=QUEUE,
    derives="run",
)
class start_sync:
    """One run at a time: while one is under way, a call joins it and wakes nobody. A run's id follows from the attempt that began it."""

    class Input(WriteInput):
        """Nothing to say: all kinds are read."""

    @staticmethod
    async def settle(call: Call) -> Settled:
        """Nothing is left open."""
        return Settled({}, "Start reading everything from Stripe into the mirror.")

    @staticmethod
    def view(settled: Settled) -> View:
        """What it asks of Stripe."""
        return View(settled.arguments, notes=("Every object is read once, within the rate that the settings allow.",))

    @staticmethod
    async def act(act: Act) -> Done:
        """The run under way, or a new one; its queue is woken where one began or goes on."""
        own = derived_id("run", act.attempt)
        await act.sending.begin()
        act.sending.sent()
        before = await act.context.records.get(COLLECTION, RUN)
        run = await request_run(act.context, act.actor.id, own)
        stalled = before is not None and before.document["state"] == "stalled"
        return Done({"run": run["run"], "state": run["state"]}, wakes=QUEUE if run["run"] == own or stalled else None)

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The run that this attempt began, or the one that was under way since: then nothing more was to be done."""
        record = await look.context.records.get(COLLECTION, RUN)
        if record is None:
            return None
        run = record.document
        own = run["run"] == derived_id("run", look.attempt)
        joined = run["state"] in ACTIVE or float(run.get("asked_at", 0)) >= int(look.since)
        return Done({"run": run["run"], "state": run["state"]}) if own or (joined and look.settled) else None

    words = """
        Start reading everything from Stripe into the mirror. One synchronisation runs at a time: while one is under way, this answers with that one.
        Use dry_run to see whether you may. Follow it with get_sync.
    """

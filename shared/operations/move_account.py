"""Move the deployment to another account of Stripe's, on purpose."""

from typing import Any

from pydantic import Field

from shared.errors import BillyError
from shared.operations.written import Written
from shared.road.calls import Act, Call, Change, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import WriteInput, write
from shared.stores.deployment import announce, pinned_to


@write(
    "POST /api/account/move",
    permission="move_account",
    tags=("sync",),
    output=Written,
    agents=False,
    declared=Declared(
        moves_money=False,
        category=Category.NONE,
        repeats=Repeats.SAFE,
        reversible=Reversible(Reversal.BY_ANOTHER, by="move_account"),
        effects=(),
        told=("account",),
    ),
    found=Found.BY_READING_BACK,
)
class move_account:
    """It announces the move. The mirror is emptied with the first use of a key of that account; until then all goes on with the old key."""

    class Input(WriteInput):
        account: str = Field(
            pattern=r"^acct_[A-Za-z0-9]{1,60}$",
            description="The account to work with from now on, which begins with acct_: Stripe's settings show it.",
        )

    @staticmethod
    async def settle(call: Call) -> Settled:
        """Raises `conflict` for the account that the deployment works with."""
        asked: Any = call.input
        pinned = await pinned_to(call.context.records)
        kept, announced = pinned.get("account"), pinned.get("moving_to")
        if asked.account == kept and announced is None:
            raise BillyError("conflict", f"This deployment works with {kept} already.", next="Nothing is to be done.")
        return Settled(
            {"account": asked.account, "announced_before": announced},
            f"Move this deployment to the Stripe account {asked.account}.",
            known={"account": kept},
        )

    @staticmethod
    def view(settled: Settled) -> View:
        """From which account to which, and what goes."""
        to = settled.arguments["account"]
        return View(
            {"account": to},
            (Change("account", settled.known.get("account"), to),),
            notes=(
                "Set a key of that account next, then start_sync. With the first use of that key all that is mirrored of the old account goes.",
                "Attempts and the audit log stay. Until the new synchronisation is complete, lists say complete: false.",
            ),
        )

    @staticmethod
    async def act(act: Act) -> Done:
        """Writes it down."""
        await act.sending.begin()
        act.sending.sent()
        await announce(act.context.records, str(act.settled.arguments["account"]), act.context.seam.now())
        return _done(await pinned_to(act.context.records))

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The move is announced, or done."""
        pinned, wanted = await pinned_to(look.context.records), look.arguments["account"]
        return _done(pinned) if wanted in (pinned.get("moving_to"), pinned.get("account")) and look.settled else None

    words = """
        Move this deployment to another Stripe account (acct_…), on purpose. A key of another account is refused otherwise. Then set a key of that
        account and start a synchronisation: what was mirrored of the old account goes with the first use of the new key.
    """


def _done(pinned: dict[str, Any]) -> Done:
    return Done({"account": pinned.get("account"), "moving_to": pinned.get("moving_to")})

"""Writes that there are not: one for each way of finding out what became of an attempt that no write of the catalogue has, made as all are made."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared.operations.written import Written
from shared.road.calls import Act, Call, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import WriteInput, write

DECLARED = Declared(False, Category.PROMISES, Repeats.NEVER, Reversible(Reversal.NOT_AT_ALL), ())
LETTERS: list[str] = []  # that were posted


class NameInput(WriteInput):
    name: str = Field(min_length=1, max_length=80, description="Whose name it is.")


async def _settled(call: Call) -> Settled:
    return Settled({"name": call.input.name}, f"For {call.input.name}.")


def _view(settled: Settled) -> View:
    return View(settled.arguments)


async def _made(act: Act) -> Done:
    stripe: Any = await act.context.stripe()
    params = {"name": act.settled.arguments["name"], "metadata": {"billy_attempt": act.attempt}}
    value, _ = await stripe._send("customer", "/v1/customers", params, act.sending)
    return Done({"id": value["id"]})


@write("POST /api/welcomes", permission="refund", output=Written, declared=DECLARED, found=Found.BY_REPLAY)
class make_welcome:
    """Of which nothing can be asked; but Stripe joins two requests of one key."""

    Input = NameInput
    settle = staticmethod(_settled)
    view = staticmethod(_view)
    act = staticmethod(_made)
    words = "Make a welcome. It is made up."


@write("POST /api/guests", permission="refund", output=Written, declared=DECLARED, found=Found.BY_METADATA, makes="customer")
class make_guest:
    """Found again by the attempt's id on what it made."""

    Input = NameInput
    settle = staticmethod(_settled)
    view = staticmethod(_view)
    act = staticmethod(_made)

    @staticmethod
    async def became(look: Look) -> Done | None:
        stripe: Any = await look.context.stripe()
        page = await stripe.list_page("customer", {"limit": 100})
        found = [each for each in page.values if each["metadata"].get("billy_attempt") == look.attempt]
        return Done({"id": found[0]["id"]}) if found else None

    @staticmethod
    def shown(value: Mapping[str, Any]) -> Done:
        return Done({"id": value["id"]}, did=Settled({"name": value.get("name")}, "As found at Stripe."))

    words = "Make a guest. It is made up."


@write("POST /api/letters", permission="refund", output=Written, declared=DECLARED, found=Found.NOT_AT_ALL)
class post_letter:
    """What is in the letter box is gone, and nobody can be asked."""

    Input = NameInput
    settle = staticmethod(_settled)
    view = staticmethod(_view)

    @staticmethod
    async def act(act: Act) -> Done:
        await act.sending.begin()
        act.sending.sent()
        LETTERS.append(act.attempt)
        return Done({"posted": True})

    words = "Post a letter. It is made up."


MADE_UP = {each.name: each for each in (make_welcome, make_guest, post_letter)}

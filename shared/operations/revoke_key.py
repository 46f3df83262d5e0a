"""Revoke an API key: at once, and never the last way in."""

from typing import Any

from pydantic import Field

from shared.errors import BillyError
from shared.operations.written import Written
from shared.people.keys import ID, find_record, is_last_way_in, revoke, shown
from shared.road.calls import Act, Call, Change, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import WriteInput, write


@write(
    "DELETE /api/keys/{id}",
    permission="manage_keys",
    tags=("keys",),
    output=Written,
    agents=False,
    declared=Declared(
        moves_money=False,
        category=Category.NONE,
        repeats=Repeats.SAFE,
        reversible=Reversible(Reversal.NOT_AT_ALL),
    ),
    found=Found.BY_READING_BACK,
)
class revoke_key:
    """Owners' keys leave one after the other through one record, so that two who revoke each other at once do not lock everybody out."""

    class Input(WriteInput):
        id: str = Field(pattern=ID, description="The key's id, which begins with key_; not the key itself.")

    @staticmethod
    async def settle(call: Call) -> Settled:
        """Raises `not_found`, and `conflict` for the caller's own key, so that nobody locks themselves out."""
        asked: Any = call.input
        if asked.id == call.actor.id:
            raise BillyError(
                "conflict", "A key cannot revoke itself.", next="Make another key with the role owner, and revoke this one with it."
            )
        record = await find_record(call.context, asked.id)
        if record is None:
            raise BillyError("not_found", "There is no key with this id.", next="List the keys.")
        if record.document["revoked"] is None and await is_last_way_in(call.context, record):
            raise _last_way_in()
        known = {"name": record.document["name"], "role": record.document["role"], "revoked": record.document["revoked"]}
        return Settled({"id": asked.id, "revoked_before": known["revoked"]}, f"Revoke the API key {asked.id}.", known=known)

    @staticmethod
    def view(settled: Settled) -> View:
        """Which key, and that it works no more."""
        known = settled.known
        facts = {"id": settled.arguments["id"]} | {name: known[name] for name in ("name", "role") if name in known}
        before = "revoked" if settled.arguments["revoked_before"] else "works"
        return View(facts, (Change("key", before, "revoked"),), notes=("Whoever uses it is turned away from the next call on.",))

    @staticmethod
    async def act(act: Act) -> Done:
        """Raises `conflict` for the last owner's key that works."""
        record = await find_record(act.context, act.settled.arguments["id"])
        if record is None:
            raise BillyError("not_found", "There is no key with this id.", next="List the keys.")
        await act.sending.begin()
        act.sending.sent()
        document = await revoke(act.context, record)
        if document is None:
            act.sending.answered(no=True)
            raise _last_way_in()
        return Done(shown(document))

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The key is revoked, and was not when the call was settled. Who revoked it is not known by that."""
        record = await find_record(look.context, str(look.arguments["id"]))
        return Done(shown(record.document)) if record and record.document["revoked"] is not None else None

    words = """
        Revoke an API key by its id (key_…). It stops working with this answer. Revoking it twice changes nothing. The last owner's key that works
        cannot be revoked.
    """


def _last_way_in() -> BillyError:
    return BillyError(
        "conflict",
        "This is the last owner's key that works, so it stays.",
        next="Make another key with the role owner first, and keep it.",
    )

"""Revoke an API key: at once, for good, and never the last way in. What it made is listed, and goes with it where that is said."""

from typing import Any

from pydantic import Field

from shared.errors import BillyError
from shared.instants import twins
from shared.operations.told import tell
from shared.operations.written import Written
from shared.people.keys import ID, find_record, shown
from shared.people.revoking import made_by, revoke, revoke_record
from shared.people.taken import is_taken
from shared.people.ways_in import is_last_way_in
from shared.road.calls import Act, Call, Change, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import WriteInput, write
from shared.road.trail import Decided

type Document = dict[str, Any]


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
        effects=(),
        told=("role", "expires", "created_by", "with_made", "made"),
    ),
    found=Found.BY_READING_BACK,
)
class revoke_key:
    """Owners' keys leave one after the other through one record, so that two who revoke each other at once do not lock everybody out. The
    audit log is told of each key before its record is changed: an older copy of the records brings none back."""

    class Input(WriteInput):
        id: str = Field(pattern=ID, description="The key's id, which begins with key_; not the key itself.")
        with_made: bool = Field(
            False, description="true: also revoke the keys that this one made and that still work, and those that they made."
        )

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
        document, made = record.document, await made_by(call.context, asked.id)
        going = [asked.id, *(each["key_id"] for each in made if asked.with_made)]
        if call.actor.id in going:
            raise BillyError(
                "conflict",
                "The key of this call was made by the one that it revokes, and would go with it.",
                next="Leave with_made out, or call with a key that the other did not make.",
            )
        if (document["revoked"] is None or len(going) > 1) and await is_last_way_in(call.context, set(going)):
            raise _last_way_in()
        arguments: Document = {"id": asked.id, "revoked_before": document["revoked"]}
        arguments |= {name: document[name] for name in ("role", "expires", "created_by")}
        arguments |= {"with_made": asked.with_made, "made": [each["key_id"] for each in made]}
        known = {"name": shown(document)["name"], "made": [_brief(each) for each in made]}
        many = f" and {len(going) - 1} that it made" if len(going) > 1 else ""
        return Settled(arguments, f"Revoke the API key {asked.id}{many}.", known=known)

    @staticmethod
    def view(settled: Settled) -> View:
        """Which key, that it works no more, and what it made."""
        arguments, known = settled.arguments, settled.known
        facts = {name: arguments[name] for name in ("id", "role", "created_by") if name in arguments} | dict(known)
        before = "revoked" if arguments["revoked_before"] else "works"
        notes = ["Whoever uses it is turned away from the next call on."]
        if count := len(arguments.get("made") or ()):
            goes = "are revoked too" if arguments.get("with_made") else "go on working: give with_made as true to take them along"
            notes.append(f"Keys that it made, or that they made, and that still work: {count}. They {goes}.")
        return View(facts, (Change("key", before, "revoked"),), notes=tuple(notes))

    @staticmethod
    async def act(act: Act) -> Done:
        """Raises `conflict` for the last lasting owner's key that works."""
        settled = act.settled.arguments
        record = await find_record(act.context, settled["id"])
        if record is None:
            raise BillyError("not_found", "There is no key with this id.", next="List the keys.")
        made = await made_by(act.context, settled["id"]) if settled.get("with_made") else []
        await act.sending.begin()
        act.sending.sent()

        async def told(document: Document) -> None:
            await tell(act, "revoke_key", Decided.TAKEN, document["key_id"], document)

        gone = await revoke(act.context, [record.document, *made], told)
        if gone is None:
            act.sending.answered(no=True)
            raise _last_way_in()
        while gone and settled.get("with_made") and (late := await made_by(act.context, settled["id"])):  # made before the maker was gone
            if (also := await revoke(act.context, late, told)) is None:
                break
            gone += also
        return Done(shown(gone[0]) | {"made": [_brief(each) for each in (*gone[1:], *await made_by(act.context, settled["id"]))]})

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The keys are revoked, and were not when the call was settled: the audit log's word counts, and the record follows. Who revoked them is
        not known by that."""
        id = str(look.arguments["id"])
        record, made = await find_record(look.context, id), await made_by(look.context, id)
        if record is None or (made and look.arguments.get("with_made")):
            return None
        if record.document["revoked"] is None and not await is_taken(look.context, id):
            return None
        document = record.document | {"revoked": record.document["revoked"] or int(look.context.seam.now())}

        async def after() -> None:
            await revoke_record(look.context, record)

        return Done(shown(document) | {"made": [_brief(each) for each in made]}, after=after)

    words = """
        Revoke an API key by its id (key_…). It stops working with this answer, for good. Revoking it twice changes nothing. The answer, and the one of
        dry_run, list in made the keys that it made and that still work; with_made takes them along. The last owner's key that works and does not end
        cannot be revoked: one that expires is no way in.
    """


def _brief(document: Document) -> Document:
    """A key that another one made."""
    return {
        "id": document["key_id"],
        "name": shown(document)["name"],
        "role": document["role"],
        "created_by": document["created_by"],
    } | twins({name: document[name] for name in ("expires", "revoked")})


def _last_way_in() -> BillyError:
    return BillyError(
        "conflict",
        "This is the last owner's key that works and does not end, so it stays: a key that expires is no lasting way in.",
        next="Make another key with the role owner and without expires_at first, and keep it.",
    )

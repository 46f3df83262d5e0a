"""Make an API key: with a role, an expiry, and perhaps in another one's place."""

from typing import Any, Literal

from pydantic import Field

from shared.errors import BillyError
from shared.instants import iso
from shared.operations.lists import Moment, moment
from shared.operations.written import Written
from shared.people.keys import ID, find_record, lineage_of, make_key, shown
from shared.people.names import LONGEST, key_name
from shared.road.calls import Act, Call, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.identity import derived_id
from shared.road.operation import WriteInput, write

Role = Literal["owner", "billing_manager", "billing_clerk", "read_only"]


@write(
    "POST /api/keys",
    permission="manage_keys",
    tags=("keys",),
    output=Written,
    agents=False,
    declared=Declared(
        moves_money=False,
        category=Category.NONE,
        repeats=Repeats.NEVER,
        reversible=Reversible(Reversal.BY_ANOTHER, by="revoke_key"),
    ),
    found=Found.BY_DERIVED_ID,
)
class create_key:
    """The key's id follows from the attempt's, so a key whose answer was lost is found again; the key itself is not, for only its SHA-256 is kept."""

    class Input(WriteInput):
        name: str = Field(
            min_length=1,
            max_length=LONGEST,
            description="What people call the key, such as the agent that uses it. No credential, id or formula.",
        )
        role: Role = Field(description="What the key may do.")
        expires_at: Moment | None = Field(
            None, description="When it stops working: a date such as 2026-12-31 or a date-time. Without it the key does not expire."
        )
        replaces: str | None = Field(
            None,
            pattern=ID,
            description="The id of a key whose place it takes: both are one identity, so a repeat with the new key returns what the old one did. The old key goes on working until it is revoked.",
        )

    @staticmethod
    async def settle(call: Call) -> Settled:
        """Raises `invalid_request` for a name that may not be kept and an expiry in the past, `not_found` for a key to replace that is not there."""
        asked: Any = call.input
        name = key_name(asked.name)
        expires = moment(asked.expires_at, end=True) if asked.expires_at else None
        if expires is not None and expires <= call.context.seam.now():
            raise BillyError("invalid_request", "The expiry lies in the past.", next="Give a later expires_at.")
        arguments: dict[str, Any] = {"name": name, "role": asked.role, "expires": expires}
        if asked.replaces is not None:
            replaced = await find_record(call.context, asked.replaces)
            if replaced is None:
                raise BillyError("not_found", "There is no key with the id that replaces names.", next="List the keys.")
            arguments |= {"replaces": asked.replaces, "lineage": lineage_of(replaced.document)}
        place = f" in the place of {asked.replaces}" if asked.replaces else ""
        return Settled(arguments, f"Make an API key with the role {asked.role}{place}.")

    @staticmethod
    def view(settled: Settled) -> View:
        """Role, expiry, and whose identity it shares."""
        expires = settled.arguments["expires"]
        until = f"It stops working at {iso(expires)}." if expires else "It does not expire."
        return View(settled.arguments, notes=(until, "The key is shown once, in the answer."))

    @staticmethod
    async def act(act: Act) -> Done:
        """Keeps the key's digest, and answers the key."""
        settled = act.settled.arguments
        await act.sending.begin()
        act.sending.sent()
        made = await make_key(
            act.context,
            name=settled["name"],
            role=settled["role"],
            expires=settled["expires"],
            maker=act.actor.id,
            id=derived_id("key", act.attempt),
            lineage=settled.get("lineage"),
        )
        return Done(made, shown_once=("key",))

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The key with the id that follows from the attempt's. What it was is lost with its answer."""
        record = await find_record(look.context, derived_id("key", look.attempt))
        return Done(shown(record.document)) if record else None

    words = """
        Make an API key with a role. The key itself is in this answer and nowhere else: only its SHA-256 is kept. If the answer is lost, revoke the key
        that list_keys shows and make another. With replaces, the new key shares the old one's identity, for a rotation.
    """

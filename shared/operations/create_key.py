"""Make an API key: with a role, an expiry, and perhaps in another one's place."""

from typing import Any, Literal

from pydantic import Field

from shared.errors import BillyError
from shared.instants import iso, twins
from shared.operations.lists import Moment, moment
from shared.operations.told import tell
from shared.operations.written import Written
from shared.people.keys import ID, find_record, lineage_of, make_key, shown
from shared.people.names import LONGEST, key_name
from shared.policy.roles import covers
from shared.road.calls import Act, Call, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.identity import derived_id
from shared.road.operation import WriteInput, write
from shared.road.trail import Decided

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
        effects=(),
        told=("role", "expires", "replaces", "maker_expires"),
        gives="role",
    ),
    found=Found.BY_DERIVED_ID,
    derives="key",
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
            None,
            description="When it stops working: a date such as 2026-12-31 or a date-time. Without it the key ends with the key that makes it, or not at all.",
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
        if (end := await _makers_end(call)) is not None:
            if expires is not None and expires > end:
                raise BillyError(
                    "invalid_request",
                    f"The key that makes it ends at {iso(end)}, and no key outlives its maker.",
                    next="Give an expires_at that is no later, leave it out, or make the key with one that lasts longer.",
                    fields=({"field": "expires_at", "problem": "after the maker's end"},),
                )
            arguments |= {"expires": expires or end, "maker_expires": end}
        if asked.replaces is not None:
            replaced = await find_record(call.context, asked.replaces)
            if replaced is None:
                raise BillyError("not_found", "There is no key with the id that replaces names.", next="List the keys.")
            if not covers(replaced.document["role"], asked.role):
                raise BillyError(
                    "invalid_request",
                    "A key that takes another one's place may do no more than that one.",
                    next=f"Give the role {replaced.document['role']} or one that may do less, or leave replaces out.",
                    fields=({"field": "role", "problem": "wider than that of the key it replaces"},),
                )
            arguments |= {"replaces": asked.replaces, "lineage": lineage_of(replaced.document)}
        place = f" in the place of {asked.replaces}" if asked.replaces else ""
        return Settled(arguments, f"Make an API key with the role {asked.role}{place}.")

    @staticmethod
    def view(settled: Settled) -> View:
        """Role, expiry, and whose identity it shares."""
        expires = settled.arguments["expires"]
        until = f"It stops working at {iso(expires)}." if expires else "It does not expire."
        if expires and expires == settled.arguments.get("maker_expires"):
            until += " That is when the key ends that makes it: no key outlives its maker."
        facts = settled.arguments | twins(
            {name: settled.arguments[name] for name in ("expires", "maker_expires") if name in settled.arguments}
        )
        return View(facts, notes=(until, "The key is shown once, in the answer."))

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
        return Done(made, shown_once=("key",), after=lambda: tell(act, "create_key", Decided.GIVEN, made["id"], settled))

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The key with the id that follows from the attempt's. What it was is lost with its answer."""
        record = await find_record(look.context, derived_id("key", look.attempt))
        return Done(shown(record.document)) if record else None

    words = """
        Make an API key with a role that may do no more than yours, and an end no later than that of the key that makes it. The key itself is in this answer and nowhere else: only its SHA-256 is kept. If the answer is lost, revoke the key
        that list_keys shows and make another. With replaces, the new key shares the old one's identity and may do no more, for a rotation.
    """


async def _makers_end(call: Call) -> int | None:
    """When the key that makes it stops working; None for one that lasts, and for Billy itself."""
    if call.actor.kind == "system":
        return None
    maker = await find_record(call.context, call.actor.id)
    return maker.document["expires"] if maker else None

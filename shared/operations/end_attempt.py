"""End an attempt by a person's word: where nothing else can tell what became of it."""

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from shared.context import Context
from shared.credentials import holds_credential
from shared.errors import BillyError
from shared.instants import iso
from shared.operations.attempts import summary
from shared.operations.written import Written
from shared.road import attempts, looking, refusals
from shared.road.attempt import Attempt, By, State
from shared.road.calls import Act, Call, Change, Done, Look, Settled, View
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.following import quietly, tell
from shared.road.identity import ATTEMPT
from shared.road.operation import WriteInput, write
from shared.untrusted import clean


@write(
    "POST /api/attempts/{id}/end",
    permission="end_attempts",
    tags=("attempts",),
    output=Written,
    declared=Declared(
        moves_money=False,
        category=Category.NONE,
        repeats=Repeats.SAFE,
        reversible=Reversible(Reversal.NOT_AT_ALL),
        effects=(),
        told=("outcome",),
    ),
    found=Found.BY_READING_BACK,
)
class end_attempt:
    """Looks once more itself, and takes the person's word only where that fails. What Stripe shows later outweighs both."""

    class Input(WriteInput):
        id: str = Field(pattern=ATTEMPT, description="The attempt's id, which begins with att_.")
        outcome: Literal["done", "not_done"] = Field(description="done: it happened. not_done: it did not, and may be asked for anew.")
        reason: str = Field(
            min_length=3, max_length=300, description="How you know, such as what Stripe's dashboard shows. It stays in the audit log."
        )

    @staticmethod
    async def settle(call: Call) -> Settled:
        """Raises `not_found`, and `conflict` for an attempt that has ended, or of which a request may still be under way."""
        asked: Any = call.input
        attempt = await _found(call.context, asked.id)
        if not attempt.open:
            raise BillyError(
                "conflict",
                f"This attempt has ended: it {attempt.state}.",
                next="Read it with get_attempt.",
                attempt=attempt.id,
                attempt_facts=attempt.facts,
            )
        now = call.context.seam.now()
        if attempt.sent > 0 and not looking.is_grace_over(attempt, now):
            until = max(attempt.grace_ends, attempt.lease.until if attempt.lease else 0.0)
            raise BillyError(
                "conflict",
                f"A request of this attempt may still be under way until {iso(until + 1)}.",
                next="Wait until then: most likely it ends by itself.",
                retry_after=max(1, int(until - now) + 1),
                attempt=attempt.id,
                attempt_facts=attempt.facts,
            )
        reason = clean(asked.reason, 300)
        if not reason:
            raise BillyError("invalid_request", "The reason holds nothing that can be read.", next="Say how you know, in words.")
        if holds_credential(reason):
            raise BillyError(
                "invalid_request",
                "The reason holds what looks like a credential or a card number, and it stays in the audit log.",
                next="Say how you know without it.",
            )
        arguments = {"id": asked.id, "outcome": asked.outcome, "reason": reason}
        said = "done" if asked.outcome == "done" else "not done"
        known = {"summary": attempt.settled.summary, "state": attempt.state.value}
        return Settled(arguments, f"End the attempt {asked.id} as {said}, on your word, unless Stripe says otherwise.", known=known)

    @staticmethod
    def view(settled: Settled) -> View:
        """What the attempt meant to do, and what it is ended as."""
        known = settled.known
        after = "succeeded" if settled.arguments["outcome"] == "done" else "failed"
        notes = ("It is looked once more first: what Stripe shows, now or later, outweighs what is said here.",)
        return View(settled.arguments | dict(known), (Change("state", known.get("state"), after),), notes=notes)

    @staticmethod
    async def act(act: Act) -> Done:
        """Whoever told the end is in the result: `stripe` or `person`."""
        from shared.road.catalogue import BY_NAME  # which knows every operation, and this one is one of them

        settled = act.settled.arguments
        attempt = await _found(act.context, settled["id"])
        await act.sending.begin()
        act.sending.sent()
        looked = await looking.look(act.context, BY_NAME.get(attempt.operation), attempt)
        stands, told = looked.attempt, "stripe"
        if stands.open and looked.error is not None:
            ended = await _said(act.context, stands, settled)
            stands, told = ended.attempt, "person"
            if ended.made:
                await quietly(tell(act.context, stands, act.actor, found="person", reason=settled["reason"]))
        if stands.open:
            act.sending.answered(no=True)
            raise BillyError(
                "conflict",
                "It is being found out at this moment what became of this attempt.",
                next="Call again in half a minute.",
                retry_after=30,
                attempt=stands.id,
                attempt_facts=stands.facts,
            )
        return Done(summary(stands) | {"told_by": told})

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The attempt has ended, and had not when the call was settled. Who ended it stands in its own rows."""
        attempt = await attempts.find(look.context, str(look.arguments["id"]))
        return Done(summary(attempt)) if attempt and not attempt.open else None

    words = """
        End an attempt (att_…) whose outcome cannot be found out any more: done, or not_done, with a reason that stays in the audit log. For the owner.
        It is looked once more first, and only where that fails your word counts. While it is open, nobody can repeat the same movement; ending it as
        not_done frees it. Use dry_run to see what would be ended.
    """


async def _found(context: Context, id: str) -> Attempt:
    attempt = await attempts.find(context, id)
    if attempt is None:
        raise refusals.no_attempt()
    return attempt


async def _said(context: Context, attempt: Attempt, settled: dict[str, Any]) -> attempts.Changed:
    """Records a person's word."""
    done = settled["outcome"] == "done"
    error = None if done else refusals.kept(refusals.SAID_NOT_DONE, retryable=False)

    def turn(current: Attempt) -> Attempt | None:
        return replace(current, error=error, lease=None, result=current.result or ({"said": "done"} if done else None))

    to = State.SUCCEEDED if done else State.FAILED
    return await attempts.change(context, attempt, By.PERSON, to, turn, f"ended by a person: {settled['outcome']}", only_this=True)

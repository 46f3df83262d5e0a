"""Refund a charge: the first write that moves money."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from shared.context import ATTEMPT_METADATA, Stripe
from shared.errors import BillyError
from shared.money import LARGEST, Money
from shared.operations.refundable import Rest, allow, left_of, who_pays
from shared.operations.views import show
from shared.operations.written import Written
from shared.road.calls import Act, Call, Change, Done, Look, Settled, View
from shared.road.declared import Besides, Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import MovementInput, write


@write(
    "POST /api/refunds",
    permission="refund",
    tags=("core", "refunds"),
    output=Written,
    declared=Declared(
        moves_money=True,
        category=Category.REFUNDS,
        repeats=Repeats.NOTICED,
        reversible=Reversible(Reversal.NOT_AT_ALL),
        effects=(Besides("blocks_payer", "reason", ("fraudulent",)),),
        told=("reason",),
        movement=("charge", "amount", "currency"),
    ),
    found=Found.BY_METADATA,
    makes="refund",
)
class create_refund:
    """Settled from Stripe's charge, its disputes where it has any, and its refunds where it was captured in part. The refund carries the
    attempt's id as metadata, by which it is found again. A 200 of Stripe's is not the money's success: the refund's own status is."""

    class Input(MovementInput):
        charge: str = Field(
            pattern=r"^(ch|py)_[A-Za-z0-9_]{1,80}$", description="The id of the charge to refund, which begins with ch_ (or py_)."
        )
        amount: int | None = Field(
            None,
            ge=1,
            le=LARGEST,
            description="How much, in minor units of the charge's currency: 4599 is 45.99 USD. Leave it out to refund exactly what is left.",
        )
        currency: str | None = Field(
            None,
            pattern=r"^[a-z]{3}$",
            description="The charge's currency in lower case, such as usd, as a check: another currency is refused.",
        )
        reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = Field(
            None, description="Why. fraudulent also blocks the card and the email address at Stripe, for which a role of its own is needed."
        )
        reverse_transfer: bool | None = Field(
            None,
            description="Only for a charge whose money went on to a connected account: true takes it back from there, false pays it from your balance.",
        )
        refund_application_fee: bool | None = Field(
            None, description="Only for a charge with an application fee: true gives your fee back too, false keeps it."
        )

    @staticmethod
    async def settle(call: Call) -> Settled:
        """The exact amount, currency, customer and payer, read from Stripe itself. Raises where the charge cannot be refunded so."""
        asked: Any = call.input
        stripe = await call.context.stripe()
        charge = (await stripe.retrieve("charge", asked.charge)).value
        currency = str(charge["currency"])
        if asked.currency is not None and asked.currency != currency:
            raise BillyError(
                "invalid_request",
                "The charge is in another currency.",
                next="Read the charge and give its currency, or leave currency out.",
            )
        rest = await _rest(stripe, charge)
        amount = allow(rest, asked.amount)
        payer = who_pays(charge, asked.reverse_transfer, asked.refund_application_fee)
        arguments: dict[str, Any] = {"charge": asked.charge, "amount": amount, "currency": currency, **payer}
        if asked.reason:
            arguments["reason"] = asked.reason
        if customer := _id_of(charge.get("customer")):
            arguments["customer"] = customer
        whole = "all that is left" if amount == rest.left else f"a part of {Money(rest.left, currency)}"
        inquiry = " The bank has asked about this charge (an inquiry); Stripe lets it be refunded." if rest.inquiry else ""
        summary = f"Refund {Money(amount, currency)} ({whole}) of charge {asked.charge}.{inquiry}{_payer(charge, payer)}"
        known = {"refunded": rest.refunded, "inquiry": rest.inquiry}
        if asked.dry_run:
            known |= await _fee(stripe, charge)
        return Settled(arguments, summary, amount, currency, known)

    @staticmethod
    def view(settled: Settled) -> View:
        """What goes back, to whom, from whose balance; what was refunded before and is after; the fee that Stripe keeps."""
        amount, currency = settled.amount or 0, settled.currency or ""
        before, fee = settled.known.get("refunded"), settled.known.get("fee")
        facts = settled.arguments | {"amount_formatted": str(Money(amount, currency))}
        changes = () if before is None else (Change("refunded", str(Money(before, currency)), str(Money(before + amount, currency))),)
        kept = f"its fee of {fee}" if fee else "its fee"
        notes = ("The money arrives in 5 to 10 business days, where it came from.",)
        if settled.known.get("inquiry"):
            notes += ("The bank has asked about this charge; a refund usually ends the inquiry.",)
        return View(facts, changes, f"Stripe keeps {kept} for the payment; a refund does not bring it back.", notes)

    @staticmethod
    async def act(act: Act) -> Done:
        """Raises with `outcome_unknown` where a refund may have been made."""
        settled = act.settled.arguments
        given = {name: settled[name] for name in ("reason", "reverse_transfer", "refund_application_fee") if name in settled}
        params = {"charge": settled["charge"], "amount": settled["amount"], "metadata": {ATTEMPT_METADATA: act.attempt}} | given
        stripe = await act.context.stripe()
        refund = await stripe.create_refund(params, act.sending)

        async def after() -> None:
            await act.context.mirror.apply([refund.write])
            before = await act.context.mirror.get("charge", settled["charge"])
            charge = await stripe.retrieve("charge", settled["charge"])
            await act.context.mirror.apply([replace(charge.write, expects=before.version if before else 0)])

        return replace(refund_as_done(refund.value), after=after)

    @staticmethod
    async def became(look: Look) -> Done | None:
        """The refund of the charge that carries the attempt's id, or None where Stripe has none."""
        stripe = await look.context.stripe()
        refund = next((each for each in await stripe.of_charge("refund", str(look.arguments["charge"])) if _is_of(each.value, look)), None)
        if refund is None:
            return None

        async def after() -> None:
            await look.context.mirror.apply([refund.write])

        return replace(refund_as_done(refund.value), after=after)

    @staticmethod
    def shown(value: Mapping[str, Any]) -> Done:
        """What a refund of Stripe's says was done."""
        return refund_as_done(value)

    words = """
        Refund a charge (ch_…), fully or in part. The money goes back to where it came from, usually within 5 to 10 business days. Leave amount out to
        refund exactly what is left; otherwise it is an integer in minor units of the charge's currency (4599 is 45.99 USD). Your role's cap for one
        transaction applies. The reason fraudulent also puts card and email on Stripe's block lists, which is not for every role. Use dry_run first. Give an idempotency_key, so that a repeat of this call cannot refund twice. The same refund within ten
        minutes is possible_duplicate whatever key it carries: look at the attempt that the answer names; only if it is meant once more, set repeat_of.
        An answer with outcome pending or requires_action is not done yet.
    """


def refund_as_done(value: Mapping[str, Any]) -> Done:
    """A refund as an outcome: its status is the money's, where it is not plainly `succeeded`."""
    status = str(value.get("status"))
    amount, currency = value.get("amount"), value.get("currency")
    did = Settled({"charge": _id_of(value.get("charge")), "amount": amount, "currency": currency}, "As found at Stripe.", amount, currency)
    return Done(show("refund", value), None if status == "succeeded" else status, did=did)


def _is_of(refund: Mapping[str, Any], look: Look) -> bool:
    """Whether a refund carries the attempt's id, and is what the attempt settled: metadata can be typed by anybody."""
    metadata: Mapping[str, Any] = refund.get("metadata") or {}
    fits = all(refund.get(name) == look.arguments.get(name) for name in ("amount", "currency")) or not look.settled
    return metadata.get(ATTEMPT_METADATA) == look.attempt and fits


async def _rest(stripe: Stripe, charge: Mapping[str, Any]) -> Rest:
    """What is left to refund, asking for disputes and refunds only where the charge itself cannot tell."""
    id = str(charge["id"])
    disputes = [each.value for each in await stripe.of_charge("dispute", id)] if charge.get("disputed") else []
    partly = charge.get("captured") and charge.get("amount_captured") != charge.get("amount")
    refunds = [each.value for each in await stripe.of_charge("refund", id)] if partly else None
    return left_of(charge, disputes, refunds)


async def _fee(stripe: Stripe, charge: Mapping[str, Any]) -> dict[str, str]:
    """Stripe's fee for the payment as text, where the key may read it: a preview does without."""
    id = _id_of(charge.get("balance_transaction"))
    try:
        movement = await stripe.balance_transaction(id) if id else {}
        return {"fee": str(Money(int(movement["fee"]), str(movement["currency"])))}
    except (BillyError, KeyError, TypeError, ValueError):
        return {}


def _payer(charge: Mapping[str, Any], payer: Mapping[str, bool]) -> str:
    """From whose balance the money comes, in words; empty for an ordinary charge."""
    said: list[str] = []
    if "reverse_transfer" in payer:
        transfer: dict[str, Any] = charge.get("transfer_data") or {}
        to = _id_of(transfer.get("destination")) or "the connected account"
        said.append(
            f"It is taken back from {to}." if payer["reverse_transfer"] else f"It is paid from your own balance; {to} keeps what it got."
        )
    if "refund_application_fee" in payer:
        said.append("The application fee is given back too." if payer["refund_application_fee"] else "The application fee is kept.")
    return "".join(f" {each}" for each in said)


def _id_of(value: Any) -> str | None:
    if isinstance(value, Mapping):  # expanded
        value = value.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value if isinstance(value, str) else None

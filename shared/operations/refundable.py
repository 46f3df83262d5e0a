"""What of a charge may be refunded: Stripe's rules as far as they can be known beforehand. Pure: objects of Stripe's in, a value or a refusal out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import BillyError
from shared.money import Money, objection
from shared.road.calls import FAILED_OUTCOMES

type Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rest:
    """Minor units of `currency`: what is left to refund and what went back before. `inquiry`: a bank asks about the charge."""

    left: int
    refunded: int
    currency: str
    inquiry: bool = False


def left_of(charge: Object, disputes: Sequence[Object], refunds: Sequence[Object] | None) -> Rest:
    """What is left. `refunds` are all of the charge's, where it was captured in part: what was released stands in `amount_refunded` or not,
    whichever way Stripe counts, so the smaller rest is taken. Raises `conflict` where nothing may be refunded."""
    if charge.get("status") != "succeeded" or not charge.get("captured"):
        raise BillyError(
            "conflict", "This charge has taken no money, or none yet, so there is nothing to refund.", next="Read the charge's status."
        )
    if charge.get("disputed") and not (disputes and all(each.get("is_charge_refundable") is True for each in disputes)):
        raise BillyError("conflict", "This charge is disputed; Stripe refuses to refund it.", next="Settle the dispute in Stripe first.")
    captured, told = _whole(charge, "amount_captured"), _whole(charge, "amount_refunded")
    if refunds is None:
        left, refunded = captured - told, told
    else:
        refunded = sum(_whole(each, "amount") for each in refunds if each.get("status") not in FAILED_OUTCOMES)
        left = min(_whole(charge, "amount") - told, captured - refunded)
    if left <= 0:
        raise BillyError("conflict", "This charge is fully refunded already.", next="List the refunds to see when and how.")
    inquiry = any(str(each.get("status")).startswith("warning_") and each.get("status") != "warning_closed" for each in disputes)
    return Rest(left, refunded, str(charge["currency"]), inquiry)


def allow(rest: Rest, amount: int | None) -> int:
    """The exact amount: what was asked, or all that is left. Raises `invalid_request` for more, and for a fraction that the currency lacks."""
    if amount is None or amount == rest.left:
        return rest.left
    if amount > rest.left:
        raise BillyError(
            "invalid_request",
            f"Only {Money(rest.left, rest.currency)} of this charge is left to refund ({rest.left} in minor units).",
            next="Give a smaller amount, or leave amount out to refund what is left.",
        )
    if words := objection(Money(amount, rest.currency)):
        raise BillyError("invalid_request", words, next="Give one of these amounts, or leave amount out to refund what is left.")
    return amount


def who_pays(charge: Object, reverse_transfer: bool | None, refund_application_fee: bool | None) -> dict[str, bool]:
    """Whose balance the money comes from, as it was said in the call. Raises `invalid_request` where it was left open, or cannot be chosen."""
    payer = _said(
        "reverse_transfer",
        reverse_transfer,
        bool(charge.get("transfer") or charge.get("transfer_data")),
        "The money of this charge went on to a connected account",
        "true takes it back from there, false pays the refund from your own balance and leaves it there",
    ) | _said(
        "refund_application_fee",
        refund_application_fee,
        bool(charge.get("application_fee") or charge.get("application_fee_amount")),
        "You took an application fee from this charge",
        "true gives it back too, false keeps it",
    )
    if payer.get("refund_application_fee") and payer.get("reverse_transfer") is False:
        raise BillyError(
            "invalid_request",
            "Stripe gives the application fee back only where the transfer is taken back too.",
            next="Give reverse_transfer as true, or refund_application_fee as false.",
            fields=({"field": "refund_application_fee", "problem": "needs reverse_transfer"},),
        )
    return payer


def _said(name: str, given: bool | None, asked: bool, because: str, choices: str) -> dict[str, bool]:
    if asked and given is None:
        raise BillyError(
            "invalid_request",
            f"{because}, and the call does not say who pays for the refund.",
            next=f"Give {name}: {choices}.",
            fields=({"field": name, "problem": "missing"},),
        )
    if not asked and given is not None:
        raise BillyError(
            "invalid_request",
            f"This charge has nothing that {name} could be about.",
            next=f"Leave {name} out.",
            fields=({"field": name, "problem": "not for this charge"},),
        )
    return {} if given is None else {name: given}


def _whole(value: Object, name: str) -> int:
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0

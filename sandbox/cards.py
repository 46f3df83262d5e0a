"""Stripe's test cards: what each number, token and `pm_card_…` name does."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sandbox.errors import StripeError

WORDS = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "incorrect_number": "Your card number is incorrect.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
ADVICE = {"insufficient_funds": "try_again_later", "processing_error": "try_again_later", "generic_decline": "try_again_later"}


@dataclass(frozen=True, slots=True)
class Card:
    """`code` and `decline_code` say how a charge fails; `dispute` and `refund` what happens to one that succeeds."""

    name: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    code: str | None = None
    decline_code: str | None = None
    declines_attaching: bool = False
    dispute: str | None = None
    refund: str | None = None
    warning: bool = False
    authentication: bool = False
    risk: str = "normal"

    def details(self, *, exp_month: int, exp_year: int, fingerprint: str, checked: bool) -> dict[str, Any]:
        """`payment_method.card`."""
        return {
            "brand": self.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": ("fail" if self.code == "incorrect_cvc" else "pass") if checked else None,
            },
            "country": self.country,
            "display_brand": self.brand,
            "exp_month": exp_month,
            "exp_year": exp_year,
            "fingerprint": fingerprint,
            "funding": self.funding,
            "generated_from": None,
            "last4": self.number[-4:],
            "networks": {"available": [self.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        }

    @property
    def message(self) -> str:
        return WORDS.get(self.decline_code or "", WORDS.get(self.code or "", WORDS["card_declined"]))

    def error(self, *, type_of_request: str = "charge", keep: bool = False, **extra: Any) -> StripeError:
        """The 402 that a declined card answers with."""
        advice = {"advice_code": ADVICE[self.decline_code]} if self.decline_code in ADVICE and type_of_request == "charge" else {}
        return StripeError(
            402,
            self.message,
            type="card_error",
            code=self.code or "card_declined",
            decline_code=self.decline_code,
            param={"incorrect_cvc": "cvc", "expired_card": "exp_month", "incorrect_number": "number"}.get(self.code or ""),
            extra=advice | extra,
            keep=keep,
        )


def _declined(name: str, number: str, decline_code: str, *, code: str = "card_declined", attaching: bool = True, **rest: Any) -> Card:
    return Card(name, number, code=code, decline_code=decline_code, declines_attaching=attaching, **rest)


_ALL = [
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556", funding="debit"),
    Card("mastercard", "5555555555554444", brand="mastercard"),
    Card("mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("amex", "378282246310005", brand="amex"),
    Card("discover", "6011111111111117", brand="discover"),
    Card("diners", "3056930009020004", brand="diners"),
    Card("jcb", "3566002020360505", brand="jcb"),
    Card("unionpay", "6200000000000005", brand="unionpay"),
    Card("us", "4242424242424242"),
    Card("de", "4000002760000016", country="DE"),
    Card("gb", "4000008260000000", country="GB"),
    Card("fr", "4000002500000003", country="FR"),
    Card("jp", "4000003920000003", country="JP"),
    Card("bypassPending", "4000000000000077"),
    _declined("chargeDeclined", "4000000000000002", "generic_decline"),
    _declined("visa_chargeDeclined", "4000000000000002", "generic_decline"),
    _declined("chargeDeclinedInsufficientFunds", "4000000000009995", "insufficient_funds"),
    _declined("visa_chargeDeclinedInsufficientFunds", "4000000000009995", "insufficient_funds"),
    _declined("chargeDeclinedLostCard", "4000000000009987", "lost_card"),
    _declined("visa_chargeDeclinedLostCard", "4000000000009987", "lost_card"),
    _declined("chargeDeclinedStolenCard", "4000000000009979", "stolen_card"),
    _declined("visa_chargeDeclinedStolenCard", "4000000000009979", "stolen_card"),
    _declined("chargeDeclinedFraudulent", "4100000000000019", "fraudulent", risk="highest"),
    _declined("chargeDeclinedVelocityLimitExceeded", "4000000000006975", "card_velocity_exceeded"),
    Card("chargeDeclinedExpiredCard", "4000000000000069", code="expired_card", decline_code=None, declines_attaching=True),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", code="incorrect_cvc", decline_code=None, declines_attaching=True),
    Card("chargeDeclinedProcessingError", "4000000000000119", code="processing_error", decline_code=None, declines_attaching=True),
    _declined("chargeCustomerFail", "4000000000000341", "generic_decline", attaching=False),
    Card("createDispute", "4000000000000259", dispute="fraudulent"),
    Card("createDisputeProductNotReceived", "4000000000002685", dispute="product_not_received"),
    Card("createDisputeInquiry", "4000000000001976", dispute="inquiry"),
    Card("createIssuerFraudRecord", "4000000000005423", warning=True),
    Card("pendingRefund", "4000000000007726", refund="pending"),
    # The sandbox's own, as Stripe has none: its refunds stay pending.
    Card("refundStaysPending", "4000000000007734", refund="stays"),
    Card("refundFail", "4000000000005126", refund="failed"),
    Card("riskLevelElevated", "4000000000009235", risk="elevated"),
    Card("threeDSecure2Required", "4000000000003220", authentication=True),
    Card("authenticationRequired", "4000002760003184", country="DE", authentication=True),
    Card("authenticationRequiredOnSetup", "4000002500003155", country="FR"),
    Card("threeDSecureOptional", "4000000000003055"),
]
CARDS = {card.name: card for card in _ALL}
NAMED = CARDS
_NUMBERS: dict[str, Card] = {}
for _card in _ALL:
    _NUMBERS.setdefault(_card.number, _card)


def of_number(number: str) -> Card | None:
    """The test card with this number."""
    return _NUMBERS.get(number.replace(" ", "").replace("-", ""))


def fingerprint(account: str, number: str) -> str:
    """The same for the same card in the same account."""
    return blake2b(f"{account}:{number}".encode(), digest_size=8).hexdigest()

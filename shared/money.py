"""Amounts: whole minor units of a currency, never a fraction of one; and which of them Stripe takes."""

from dataclasses import dataclass

# https://docs.stripe.com/currencies: currencies whose smallest unit is the unit itself, and those with thousandths.
ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"])
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])

# What Stripe takes of an amount, where that is less than every minor unit: its step, and in words why. https://docs.stripe.com/currencies
STEPS: dict[str, tuple[int, str]] = {
    **dict.fromkeys(THREE_DECIMAL, (10, "the last of its three decimals is a zero")),
    "isk": (100, "only whole krónur move, written with two decimals"),
    "huf": (100, "only whole forints move, written with two decimals"),
}
DIGITS = {"idr": 12}  # of the largest amount that Stripe takes
MOST_DIGITS = 8  # of any other currency's
LARGEST = 10 ** max(DIGITS.values()) - 1  # in any currency


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in minor units of `currency` (lower-case ISO 4217), so 4599 usd is 45.99 USD and 500 jpy is 500 JPY."""

    amount: int
    currency: str

    def __str__(self) -> str:
        digits = exponent(self.currency)
        sign = "-" if self.amount < 0 else ""
        whole, part = divmod(abs(self.amount), 10**digits)
        return f"{sign}{whole:,}{f'.{part:0{digits}d}' if digits else ''} {self.currency.upper()}"


def exponent(currency: str) -> int:
    """How many decimal digits the currency's minor unit stands for."""
    code = currency.lower()
    return 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2


def objection(money: Money) -> str | None:
    """Why Stripe would not take an amount of this currency, as a sentence with amounts that it would take; None where it is well-formed.

    What an account's own minimum refuses is Stripe's to say.
    """
    code = money.currency.lower()
    step, why = STEPS.get(code, (1, ""))
    if money.amount % step:
        below = money.amount - money.amount % step
        taken = " or ".join(f"{Money(each, code)} ({each})" for each in (below, below + step) if each > 0)
        return f"In {code.upper()} {why}: give {taken}."
    if len(str(money.amount)) > DIGITS.get(code, MOST_DIGITS):
        return f"Stripe takes at most {DIGITS.get(code, MOST_DIGITS)} digits in {code.upper()}."
    return None

"""Amounts: whole minor units of a currency, never a fraction of one."""

from dataclasses import dataclass

# https://docs.stripe.com/currencies: currencies whose smallest unit is the unit itself, and those with thousandths.
ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"])
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


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

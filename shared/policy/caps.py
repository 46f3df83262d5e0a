"""How much money one transaction of a role may move, in minor units, inclusive, currency by currency.

`UNLIMITED` is no bound. A currency that is not named has no cap, and without a cap nothing moves on the role's own authority.
"""

from typing import Final, Literal

UNLIMITED: Final = "unlimited"

Cap = int | Literal["unlimited"] | None

CAPS: dict[str, dict[str, int] | Literal["unlimited"]] = {
    "owner": UNLIMITED,
    "billing_manager": {"usd": 5_000_00},
    "billing_clerk": {"usd": 100_00},
    "read_only": {},
}


def cap(role: str, currency: str) -> Cap:
    """The role's cap in a currency: minor units, `UNLIMITED`, or None where none is set."""
    table = CAPS.get(role, {})
    return UNLIMITED if table == UNLIMITED else table.get(currency)


def who_can_move(amount: int, currency: str, among: tuple[str, ...]) -> tuple[str, ...]:
    """The roles among those given whose cap covers the amount."""
    return tuple(role for role in among if _covers(cap(role, currency), amount))


def _covers(limit: Cap, amount: int) -> bool:
    return limit == UNLIMITED or (isinstance(limit, int) and amount <= limit)

"""The one place that says no."""

from dataclasses import dataclass

from shared.policy import caps, roles


@dataclass(frozen=True, slots=True)
class Asked:
    """What a decision is about. `amount` (minor units) and `currency` are there when the settled call moves money."""

    role: str
    permission: str
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """It may be done. `reason` is for the audit and the preview."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deny:
    """It may not be done by this role. `who_can` lists the roles that may."""

    reason: str
    who_can: tuple[str, ...]
    next: str


Decision = Allow | Deny


def decide(asked: Asked) -> Decision:
    """Pure: the same question always has the same answer."""
    holders = roles.who_may(asked.permission)
    if asked.role not in holders:
        return Deny("The role does not hold the permission for this.", holders, "Ask somebody with one of the roles in who_can.")
    if asked.amount is None or asked.currency is None:
        return Allow("The role holds the permission.")
    limit = caps.cap(asked.role, asked.currency)
    able = caps.who_can_move(asked.amount, asked.currency, holders)
    if limit == caps.UNLIMITED:
        return Allow("The role has no cap.")
    if limit is None:
        return Deny(
            "The role has no cap in this currency, so it may not move money in it.", able, "Ask somebody with one of the roles in who_can."
        )
    if asked.amount > limit:
        return Deny(
            "The amount is above the role's cap for one transaction.",
            able,
            "Ask somebody with one of the roles in who_can; do not split the amount.",
        )
    return Allow("The amount is within the role's cap for one transaction.")

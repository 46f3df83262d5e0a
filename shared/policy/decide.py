"""The one place that says no."""

from dataclasses import dataclass

from shared.policy import caps, roles
from shared.policy.effects import EFFECTS


@dataclass(frozen=True, slots=True)
class Asked:
    """What a decision is about. `amount` (minor units) and `currency` are there when the settled call moves money.

    `effects` are those that the call has besides, by their names in `EFFECTS`; `gives` is the role that it gives to somebody.
    """

    role: str
    permission: str
    amount: int | None = None
    currency: str | None = None
    effects: tuple[str, ...] = ()
    gives: str | None = None


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
    if asked.gives is not None:
        holders = tuple(role for role in holders if roles.covers(role, asked.gives))
    effects = [EFFECTS[name] for name in asked.effects]
    able = tuple(role for role in holders if all(roles.may(role, effect.permission) for effect in effects))
    if asked.role not in holders and roles.may(asked.role, asked.permission):
        return Deny("Nobody gives a role that may do more than their own.", able, "Give a role that may do less, or ask one in who_can.")
    if asked.role not in holders:
        return Deny("The role does not hold the permission for this.", able, "Ask somebody with one of the roles in who_can.")
    for effect in effects:
        if not roles.may(asked.role, effect.permission):
            return Deny(
                f"The role does not hold the permission {effect.permission}: this also {effect.short}. {effect.sentence}",
                able,
                "Ask somebody with one of the roles in who_can, or call without what has that effect.",
            )
    if asked.amount is None or asked.currency is None:
        return Allow("The role holds the permission.")
    limit = caps.cap(asked.role, asked.currency)
    able = caps.who_can_move(asked.amount, asked.currency, able)
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

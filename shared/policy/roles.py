"""Roles and what each may do. Each role may do all that the one above it in this list may do, and more."""

ROLES = ("read_only", "billing_clerk", "billing_manager", "owner")

TITLES = {
    "read_only": "Read Only",
    "billing_clerk": "Billing Clerk",
    "billing_manager": "Billing Manager",
    "owner": "Owner",
}

ADDED = {
    "read_only": ("view_billing", "search", "view_sync", "view_attempts"),
    "billing_clerk": ("refund",),
    "billing_manager": ("block_payer",),
    "owner": ("manage_keys", "view_audit", "manage_sync", "view_all_attempts", "end_attempts", "move_account"),
}


def _permissions(role: str) -> frozenset[str]:
    rank = ROLES.index(role)
    return frozenset(permission for lower in ROLES[: rank + 1] for permission in ADDED[lower])


PERMISSIONS: dict[str, frozenset[str]] = {role: _permissions(role) for role in ROLES}


def may(role: str, permission: str) -> bool:
    """Whether the role holds the permission. An unknown role holds none."""
    return permission in PERMISSIONS.get(role, frozenset())


def covers(role: str, other: str) -> bool:
    """Whether a role may do all that another one may."""
    return PERMISSIONS.get(other, frozenset()) <= PERMISSIONS.get(role, frozenset())


def who_may(permission: str) -> tuple[str, ...]:
    """The roles that hold a permission, from the lowest up."""
    return tuple(role for role in ROLES if permission in PERMISSIONS[role])

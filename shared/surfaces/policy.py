"""The policy as a page that a finance person can read: roles, caps, and who may do what. `make gen` writes it."""

import sys
from pathlib import Path

from shared.money import Money
from shared.policy import caps, roles
from shared.policy.effects import EFFECTS
from shared.road.catalogue import OPERATIONS


def page() -> str:
    """The Markdown of docs/policy.md."""
    lines = [
        "# Who may do what",
        "",
        "Written by `make gen` from `shared/policy/` and the catalogue; do not edit.",
        "",
        "| operation | " + " | ".join(roles.TITLES[role] for role in roles.ROLES) + " |",
        "|---|" + "---|" * len(roles.ROLES),
    ]
    for operation in OPERATIONS:
        marks = ["yes" if roles.may(role, operation.permission) else "no" for role in roles.ROLES]
        lines.append(f"| `{operation.name}` | " + " | ".join(marks) + " |")
    lines += ["", "## What a write may do besides moving money", "", "Each needs a permission of its own."]
    lines += ["", "| effect | permission | " + " | ".join(roles.TITLES[role] for role in roles.ROLES) + " | what it is |"]
    lines.append("|---|---|" + "---|" * (len(roles.ROLES) + 1))
    for name, effect in EFFECTS.items():
        marks = ["yes" if roles.may(role, effect.permission) else "no" for role in roles.ROLES]
        lines.append(f"| `{name}` | `{effect.permission}` | " + " | ".join(marks) + f" | {effect.sentence} |")
    lines += [
        "",
        "## What one transaction may move",
        "",
        "Inclusive. A currency that is not named has no cap, so that role moves nothing in it.",
        "",
    ]
    lines += [f"- **{roles.TITLES[role]}**: {_caps(role)}" for role in roles.ROLES]
    return "\n".join(lines) + "\n"


def _caps(role: str) -> str:
    table = caps.CAPS[role]
    if table == caps.UNLIMITED:
        return "any amount in any currency"
    return ", ".join(str(Money(amount, currency)) for currency, amount in table.items()) or "nothing"  # type: ignore[union-attr]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())

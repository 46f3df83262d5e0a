"""The audit row of a call: filled in along the road and appended, never changed."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError

STRIPE_PREFIXES = (
    "acct",
    "ch",
    "cn",
    "cus",
    "di",
    "dp",
    "du",
    "evt",
    "in",
    "pi",
    "plink",
    "price",
    "prod",
    "promo",
    "py",
    "pyr",
    "re",
    "sub",
)


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value in canonical form, as hexadecimal text."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def stripe_ids(value: Any, found: set[str] | None = None) -> list[str]:
    """Every Stripe id in a JSON value's own `id` fields and arguments, sorted, at most 20."""
    ids: set[str] = set() if found is None else found
    items: list[Any] = []
    if isinstance(value, Mapping):
        items = list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(value, list):
        items = value  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(value, str) and len(value) <= 80 and value.split("_", 1)[0] in STRIPE_PREFIXES and value.replace("_", "").isalnum():
        if "_" in value:
            ids.add(value)
    for item in items:
        stripe_ids(item, ids)
    return sorted(ids)[:20]


async def append(
    context: Context,
    *,
    operation: str | None,
    origin: Origin,
    actor: Actor | None,
    decision: str,
    code: str | None = None,
    arguments: Any = None,
    ids: list[str] | None = None,
    **facts: Any,
) -> str:
    """Appends a row and answers its id. Raises `unavailable` where it cannot be kept: what cannot be recorded is not done.

    `decision` is `allowed`, `denied` (the policy said no), `refused` (it never reached the policy), `preview` or `outcome`.
    """
    now = context.seam.now()
    row: dict[str, Any] = {
        "id": context.seam.id("aud"),
        "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "operation": operation or "unknown",
        "actor": actor.id if actor else "unknown",
        "actor_name": actor.name if actor else None,
        "role": actor.role if actor else None,
        "surface": origin.surface,
        "address": origin.address,
        "client": origin.client,
        "decision": decision,
        "code": code,
        "arguments_digest": digest(arguments) if arguments is not None else None,
        "stripe_ids": ids or [],
    } | facts
    try:
        await context.audit.append({name: value for name, value in row.items() if value is not None})
    except Exception as failure:
        raise BillyError("unavailable", "The audit log cannot be written, so nothing is done.", next="Try again later.") from failure
    return str(row["id"])


async def refused(context: Context, origin: Origin, error: BillyError, operation: str | None = None, actor: Actor | None = None) -> None:
    """The row of a call that never reached the road: no key, a bad address, a body that cannot be read."""
    await append(context, operation=operation, origin=origin, actor=actor, decision="refused", code=error.code)

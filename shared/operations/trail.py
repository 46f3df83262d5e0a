"""The audit row of a call: filled in along the road and appended, never changed."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError
from shared.telemetry.correlation import correlation_id
from shared.telemetry.measures import measure

STRIPE_ID = re.compile(r"(?:acct|ch|cn|cus|dp|du|evt|in|pi|plink|price|prod|promo|py|pyr|re|sub)_[A-Za-z0-9_]{1,80}")


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value in canonical form, as hexadecimal text."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def stripe_ids(value: Any) -> list[str]:
    """Every Stripe id among the values of a small JSON value, sorted, at most 20."""
    found: set[str] = set()
    waiting: list[Any] = [value]
    while waiting:
        each: Any = waiting.pop()
        if isinstance(each, Mapping):
            waiting.extend(each.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(each, list):
            waiting.extend(each)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(each, str) and STRIPE_ID.fullmatch(each):
            found.add(each)
    return sorted(found)[:20]


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
        "correlation_id": correlation_id(),
        "decision": decision,
        "code": code,
        "arguments_digest": digest(arguments) if arguments is not None else None,
        "stripe_ids": ids or [],
    } | facts
    try:
        await context.audit.append({name: value for name, value in row.items() if value is not None})
    except Exception as failure:
        raise BillyError(
            "unavailable", "The audit log cannot be written, so nothing is done.", next="Try again later.", retry_after=5
        ) from failure
    measure("billy.decisions", operation=row["operation"], surface=origin.surface, decision=decision, code=code)
    return str(row["id"])


async def refused(context: Context, origin: Origin, error: BillyError, operation: str | None = None, actor: Actor | None = None) -> None:
    """The row of a call that never reached the road: no key, a bad address, a body that cannot be read."""
    await append(context, operation=operation, origin=origin, actor=actor, decision="refused", code=error.code)

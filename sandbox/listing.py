"""Stripe's lists: newest first, cursors that are ids, `created[…]`, and filters; stored JSON goes out as it is kept."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sandbox.errors import invalid, not_found
from sandbox.route import Call
from sandbox.world import Object, column

_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(
    call: Call,
    kind: str,
    *,
    filters: Mapping[str, str] | None = None,
    default: Callable[[dict[str, Any]], tuple[str, list[Any]] | None] | None = None,
    where: list[tuple[str, list[Any]]] | None = None,
    each: Callable[[Object], Object] | None = None,
) -> Object:
    """One page. `filters` maps a parameter to a column or a field (`a.b`) of the body; a list value means any of them.
    `default(params)` gives one more SQL condition with its values, or None (subscriptions hide the cancelled ones so);
    `where` gives fixed ones. `each` rewrites an object before it leaves."""
    params = call.params
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid(
            "This value must be greater than or equal to 1."
            if limit < 1
            else f"This value must be less than or equal to 100 (it currently is '{limit}').",
            param="limit",
            code="parameter_invalid_integer",
        )
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You cannot parameterize both starting_after and ending_before.", param="starting_after")
    # The pages of a created window follow the same index as those without one.
    clauses, values = ["kind = ?", "livemode = ?", "deleted = 0"], [kind, call.world.livemode]
    for name, source in (filters or {}).items():
        if name in params:
            _filter(clauses, values, column(source), params[name])
    if "created" in params:
        _created(clauses, values, params["created"])
    for condition in [default(params) if default else None, *(where or [])]:
        if condition:
            clauses.append(condition[0])
            values.extend(condition[1])
    backwards = "ending_before" in params
    cursor = params.get("ending_before") or params.get("starting_after")
    if cursor is not None:
        row = call.world.store.db.execute(
            "SELECT created, seq FROM objects WHERE kind = ? AND livemode = ? AND id = ? AND deleted = 0",
            (kind, call.world.livemode, cursor),
        ).fetchone()
        if row is None:
            raise not_found(kind, cursor, param="ending_before" if backwards else "starting_after")
        clauses.append(f"(created, seq) {'>' if backwards else '<'} (?, ?)")
        values.extend(row)
    order = "ASC" if backwards else "DESC"
    rows = call.world.store.db.execute(
        f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY created {order}, seq {order} LIMIT ?",  # noqa: S608 — clauses are ours, values are bound
        (*values, limit + 1),
    ).fetchall()
    bodies = rows[:limit][::-1] if backwards else rows[:limit]
    data: list[Any]
    if each or call.expand:
        data = [orjson.loads(body) for (body,) in bodies]
        data = [each(item) for item in data] if each else data
    else:
        data = [orjson.Fragment(body) for (body,) in bodies]
    return {"object": "list", "data": data, "has_more": len(rows) > limit, "url": call.url}


def _filter(clauses: list[str], values: list[Any], source: str, wanted: Any) -> None:
    if isinstance(wanted, list):
        clauses.append(f"{source} IN ({', '.join('?' * len(wanted))})")
        values.extend(wanted)
    else:
        clauses.append(f"{source} = ?")
        values.append(wanted)


def _created(clauses: list[str], values: list[Any], created: Any) -> None:
    for bound, number in created.items() if isinstance(created, dict) else [("", created)]:
        clauses.append(f"created {_BOUNDS.get(bound, '=')} ?")
        values.append(number)


def sliced(call: Call, data: list[Object]) -> Object:
    """One page of a list inside an object, in the order that the object shows."""
    after, limit = call.params.get("starting_after"), call.params.get("limit", 10)
    start = next((n + 1 for n, one in enumerate(data) if one["id"] == after), None) if after else 0
    if start is None:
        raise invalid(f"No such object: '{after}'", param="starting_after", code="resource_missing")
    return listed(data[start : start + limit], call.url, has_more=len(data) > start + limit)


def listed(data: list[Any], url: str, *, has_more: bool = False) -> Object:
    """A list object around objects that are kept inside another one."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}

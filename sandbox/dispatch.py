"""From a change to an event, and from an event to one queued delivery for each endpoint that asked for it."""

import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson
import stripe

if TYPE_CHECKING:
    from sandbox.world import World

API_VERSION = stripe.api_version


def wanted(enabled_events: list[str], type: str) -> bool:
    """Whether an endpoint with these patterns (`*`, `charge.*`, `charge.refunded`) gets an event of this type."""
    return any(pattern == type or fnmatchcase(type, pattern) for pattern in enabled_events)


def record(world: "World", type: str, obj: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any]:
    """Insert the event with its deliveries, in the transaction of the change itself."""
    endpoints = [e for e in world.find("webhook_endpoint") if e["status"] == "enabled" and wanted(e["enabled_events"], type)]
    data: dict[str, Any] = {"object": obj}
    if previous is not None:
        data["previous_attributes"] = previous
    event = {
        "id": world.new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": world.clock.now(),
        "data": data,
        "livemode": world.livemode,
        "pending_webhooks": len(endpoints),
        "request": dict(world.request),
        "type": type,
    }
    world.insert(event)
    world.store.db.executemany(
        "INSERT INTO deliveries (event, livemode, endpoint, due) VALUES (?, ?, ?, ?)",
        [(event["id"], world.livemode, endpoint["id"], time.time()) for endpoint in endpoints],
    )
    return event


def settled(world: "World", event_id: str) -> None:
    """One delivery of an event was accepted or given up: `pending_webhooks` counts what is left."""
    event = world.get("event", event_id)
    if event:
        event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
        world.store.db.execute(
            "UPDATE objects SET body = ? WHERE kind = 'event' AND livemode = ? AND id = ?",
            (orjson.dumps(event).decode(), world.livemode, event_id),
        )


def patterns(source: str, wanted: list[str]) -> tuple[str, list[Any]]:
    """SQL for types that may end in `*`."""
    exact = [name for name in wanted if "*" not in name]
    globs = [name for name in wanted if "*" in name]
    parts = [f"{source} IN ({', '.join('?' * len(exact))})"] if exact else []
    parts += [f"{source} GLOB ?"] * len(globs)
    return f"({' OR '.join(parts)})", [*exact, *globs]

"""The control routes under `/_sandbox/`: faults, limits, webhook behaviour, keys, the clock, the company, and what was asked."""

import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import keys, timers
from sandbox.clock import ADVANCED
from sandbox.dispatch import API_VERSION

if TYPE_CHECKING:
    from sandbox.server import Sandbox

Control = Callable[["Sandbox", dict[str, Any]], Any]


def _faults(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    sandbox.faults.add(wanted)
    return {"added": wanted}


def _no_faults(sandbox: "Sandbox", _: dict[str, Any]) -> Any:
    sandbox.faults.clear()
    return {}


def _limits(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    sandbox.faults.per_second = wanted.get("per_second")
    sandbox.faults.should_retry = wanted.get("should_retry")
    return wanted


def _webhooks(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    sandbox.courier.behaviour.change(wanted)
    sandbox.courier.wake()
    return wanted


def _deliveries(sandbox: "Sandbox", _: dict[str, Any]) -> Any:
    rows = sandbox.store.db.execute("SELECT event, endpoint, attempt, state, answer FROM deliveries ORDER BY id DESC LIMIT 1000")
    return {"deliveries": [dict(zip(("event", "endpoint", "attempt", "state", "answer"), row, strict=True)) for row in rows][::-1]}


def _requests(sandbox: "Sandbox", _: dict[str, Any]) -> Any:
    return {"requests": list(sandbox.requests)}


def _forget_requests(sandbox: "Sandbox", _: dict[str, Any]) -> Any:
    sandbox.requests.clear()
    return {}


def _keys(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    keys.register(sandbox.store, wanted["key"], wanted["permissions"])
    return {"permissions": wanted["permissions"]}


def _clock(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    before = sandbox.clock.now()
    sandbox.clock.advance(int(wanted["advance"]))
    db = sandbox.store.db
    db.execute("BEGIN IMMEDIATE")
    try:
        for world in (sandbox.world(False), sandbox.world(True)):
            timers.run(world)
            for rule in ADVANCED:
                rule(world, before, sandbox.clock.now())
        sandbox.store.set_fact("clock", sandbox.clock.offset)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    sandbox.courier.wake()
    return {"now": sandbox.clock.now()}


def fill_company(sandbox: "Sandbox", *, seed: int, scale: float, counts: dict[str, int] | None = None) -> Any:
    """`sandbox.company.fill(world, …)` in one transaction; what it answers is how many of each kind it made. `counts` names
    customers, charges, subscriptions and invoices in place of what the scale gives."""
    db = sandbox.store.db
    db.execute("BEGIN IMMEDIATE")
    try:
        company = import_module("sandbox.company")
        made = company.fill(sandbox.world(False), seed=seed, scale=scale, counts=company.Counts(**counts) if counts else None)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return made


def _company(sandbox: "Sandbox", wanted: dict[str, Any]) -> Any:
    if not find_spec("sandbox.company"):
        raise ValueError("there is no company to fill in")
    seed, scale = int(wanted.get("seed", 1)), float(wanted.get("scale", 1))
    return {"made": fill_company(sandbox, seed=seed, scale=scale, counts=wanted.get("counts"))}


def _health(sandbox: "Sandbox", _: dict[str, Any]) -> Any:
    rows = sandbox.store.db.execute("SELECT count(*) FROM deliveries WHERE state = 'pending'").fetchone()
    return {
        "ready": True,
        "api_version": API_VERSION,
        "account": sandbox.account,
        "now": sandbox.clock.now(),
        "time": time.time(),
        "pending_deliveries": rows[0],
    }


CONTROLS: list[tuple[str, str, Control]] = [
    ("POST", "faults", _faults),
    ("DELETE", "faults", _no_faults),
    ("POST", "limits", _limits),
    ("POST", "webhooks", _webhooks),
    ("GET", "deliveries", _deliveries),
    ("GET", "requests", _requests),
    ("DELETE", "requests", _forget_requests),
    ("POST", "keys", _keys),
    ("POST", "clock", _clock),
    ("POST", "company", _company),
    ("GET", "health", _health),
]


def routes(sandbox: "Sandbox") -> list[Route]:
    """JSON in, JSON out; 400 with `{"error"}` for what cannot be read."""

    def serve(control: Control) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            try:
                answer, status = control(sandbox, orjson.loads(body) if body else {}), 200
            except (TypeError, ValueError, KeyError) as error:
                answer, status = {"error": str(error)}, 400
            return Response(orjson.dumps(answer), status, media_type="application/json")

        return endpoint

    return [Route(f"/_sandbox/{name}", serve(control), methods=[method]) for method, name, control in CONTROLS]

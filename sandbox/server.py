"""One request of Stripe's API from the wire to the handler and back, and the application around it."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import expand, form, idempotency, keys, resources, schema, timers
from sandbox.answers import document, leaving
from sandbox.clock import Clock
from sandbox.delivery import Courier
from sandbox.dispatch import API_VERSION
from sandbox.errors import StripeError
from sandbox.faults import Fault, Faults
from sandbox.guard import Guard, token_of
from sandbox.ids import Ids
from sandbox.route import Call, Route, match, named
from sandbox.store import Store
from sandbox.world import World, shown

log = logging.getLogger("sandbox")
Scope = MutableMapping[str, Any]


class Protocol(HttpToolsProtocol):
    """Lets a fault cut the connection: the transport travels in the scope."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Sandbox:
    """The state of one running sandbox."""

    def __init__(self, home: Path, *, seed: int | None = None, webhooks_anywhere: bool = False) -> None:
        resources.load()
        self.store = Store(home)
        self.token = token_of(home)
        self.webhooks_anywhere = webhooks_anywhere
        starts = int(self.store.fact("starts", "0") or 0)
        self.store.set_fact("starts", starts + 1)
        self.ids = Ids(seed, starts)
        self._request_ids = Ids()
        self.clock = Clock(int(self.store.fact("clock", "0") or 0))
        account = self.store.fact("account")
        if account is None:
            account = f"acct_{self.ids.letters(16)}"
            self.store.set_fact("account", account)
        self.account = account
        self.faults = Faults()
        self.idempotency = idempotency.Keys(self.store)
        self.courier = Courier(self.world)
        self.requests: deque[dict[str, Any]] = deque(maxlen=10_000)
        self._late: set[asyncio.Task[tuple[int, bytes]]] = set()

    def world(self, livemode: bool, request: dict[str, Any] | None = None) -> World:
        return World(
            self.store,
            livemode=livemode,
            account=self.account,
            clock=self.clock,
            ids=self.ids,
            request=request,
            webhooks_anywhere=self.webhooks_anywhere,
            unpromised=self.courier.behaviour.unpromised,
        )

    async def tick(self) -> None:
        """Run timers as the clock reaches them, until cancelled."""
        while True:
            await asyncio.sleep(0.2)
            if timers.due(self.world(False)):
                self.store.db.execute("BEGIN IMMEDIATE")
                try:
                    timers.run(self.world(False))
                    timers.run(self.world(True))
                    self.store.db.execute("COMMIT")
                except Exception:
                    self.store.db.execute("ROLLBACK")
                    log.exception("a timer failed")
                self.courier.wake()

    async def answer(self, request: Request) -> Response:
        """Every path outside the control routes."""
        method, path = request.method, request.scope["path"]
        body = await request.body()
        headers = {
            "Request-Id": f"req_{self._request_ids.letters(14)}",
            "Stripe-Version": API_VERSION,
            "Date": formatdate(self.clock.now(), usegmt=True),
        }
        entry = {
            "method": method,
            "path": path,
            "idempotency_key": request.headers.get("idempotency-key"),
            "status": None,
            "request_id": headers["Request-Id"],
        }
        self.requests.append(entry)
        hit = self.faults.take(method, path)
        if "drop_before" in hit:
            return _dropped(request)
        work = self._answer(request, method, path, body, headers, hit)
        try:
            status, payload = await (self._to_its_end(work) if "delay" in hit and hit["delay"].late else work)
        except StripeError as error:
            status, payload = error.status, document(error, headers)
        if "drop_after" in hit:
            return _dropped(request)
        answer = leaving(hit, status, payload, headers)
        entry["status"] = answer.status_code
        return answer

    async def _to_its_end(self, work: Coroutine[Any, Any, tuple[int, bytes]]) -> tuple[int, bytes]:
        """Do the work to its end, whatever becomes of the one who waits for it."""
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return await asyncio.shield(task)

    async def _answer(
        self, request: Request, method: str, path: str, body: bytes, headers: dict[str, str], hit: dict[str, Fault]
    ) -> tuple[int, bytes]:
        key = keys.identify(self.store, request.headers.get("authorization", ""))
        self.faults.limit(time.monotonic(), key.livemode)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise StripeError(400, f"Invalid Stripe API version: {version}. This sandbox speaks {API_VERSION}.")
        found, ids = match(method, path)
        keys.permit(key, found.permission, self.account)
        text = request.url.query if method != "POST" else body.decode()
        params = schema.check(found.params, form.decode(text), extra=found.extra)
        idempotency_key = request.headers.get("idempotency-key") if method == "POST" else None
        if idempotency_key is None:
            if "delay" in hit:
                await asyncio.sleep(hit["delay"].ms / 1000)
            if (fault := hit.get("status")) and not fault.after:
                raise fault.error()
            return self._execute(found, request, path, ids, params, key.livemode, headers, None)[:2]
        headers["Idempotency-Key"] = idempotency_key
        return await self._once(found, request, path, ids, params, key.livemode, headers, idempotency_key, body, hit)

    async def _once(
        self,
        found: Route,
        request: Request,
        path: str,
        ids: dict[str, str],
        params: dict[str, Any],
        livemode: bool,
        headers: dict[str, str],
        key: str,
        body: bytes,
        hit: dict[str, Fault],
    ) -> tuple[int, bytes]:
        now = self.clock.now()
        before = self.idempotency.begin(livemode, key, "POST", path, body, now)
        if before is not None:
            headers |= {"Idempotent-Replayed": "true", "Original-Request": before.request}
            return before.status, before.body

        def save(status: int, payload: bytes) -> None:
            self.idempotency.save(livemode, key, "POST", path, body, now, idempotency.Saved(status, payload, headers["Request-Id"]))
            headers["Original-Request"] = headers["Request-Id"]

        try:
            if "delay" in hit:
                await asyncio.sleep(hit["delay"].ms / 1000)
            fault = hit.get("status")
            if fault and not fault.after:
                if fault.remembered:
                    save(fault.status, document(fault.error(key), headers))
                raise fault.error(key)
            status, payload, finish = self._execute(found, request, path, ids, params, livemode, headers, key, open=True)
            if fault and fault.remembered:
                status, payload = fault.status, document(fault.error(key), headers)
            save(status, payload)
            finish()
            return status, payload
        finally:
            self.idempotency.end(livemode, key)

    def _execute(
        self,
        found: Route,
        request: Request,
        path: str,
        ids: dict[str, str],
        params: dict[str, Any],
        livemode: bool,
        headers: dict[str, str],
        key: str | None,
        *,
        open: bool = False,
    ) -> tuple[int, bytes, Callable[[], None]]:
        """Run the handler in one transaction. With `open` it is left for the caller to end with what is returned,
        so that the idempotency record is part of it."""
        world = self.world(livemode, {"id": headers["Request-Id"], "idempotency_key": key})
        wanted = params.pop("expand", [])
        call = Call(world, found.method, path, ids, params, wanted, key, "stripe-version" in request.headers)
        db, writes = self.store.db, found.method != "GET"
        if writes:
            db.execute("BEGIN IMMEDIATE")
        keep = False
        try:
            answer = found.handler(call)
            status, payload = 200, orjson.dumps(expand.apply(world, shown(answer), wanted), default=str)
            keep = True
        except StripeError as error:
            status, payload, keep = error.status, document(named(found, error), headers), error.keep
        except Exception:
            log.exception("%s %s failed", found.method, found.path)
            status, payload = 500, document(StripeError(500, "An unknown error occurred", type="api_error"), headers)
        if writes and not keep:
            db.execute("ROLLBACK")
        elif writes and not open:
            db.execute("COMMIT")

        def finish() -> None:
            if writes and keep:
                db.execute("COMMIT")
            self.courier.wake()

        if not open:
            self.courier.wake()
        return status, payload, finish


def _dropped(request: Request) -> Response:
    """Cut the connection without an answer; what is returned reaches nobody."""
    request.scope["sandbox.transport"].abort()
    return Response(status_code=500)


def application(sandbox: Sandbox) -> Guard:
    """The ASGI application: control routes under `/_sandbox/`, Stripe's API everywhere else."""
    from sandbox import control

    @asynccontextmanager
    async def lifespan(_: Starlette):
        tasks = [asyncio.create_task(sandbox.courier.run()), asyncio.create_task(sandbox.tick())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sandbox.store.close()

    everything = ["GET", "POST", "DELETE", "PUT", "PATCH"]
    api: Callable[[Request], Awaitable[Response]] = sandbox.answer
    app = Starlette(
        routes=[*control.routes(sandbox), WebRoute("/{path:path}", api, methods=everything)],
        lifespan=lifespan,
    )
    return Guard(app, sandbox.token)

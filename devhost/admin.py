"""The host's own routes under /admin, for who holds the master key."""

import json
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

from devhost.callers import is_foreign
from devhost.edge import Receive, Scope, Send, answer, presented_key, read_body, read_headers, read_query
from devhost.functions import Function, HttpTrigger, QueueTrigger
from devhost.index import describe
from devhost.keys import HostKeys
from devhost.listener import trigger_metadata
from devhost.outputs import OutputFailed, Outputs
from devhost.queues.protocol import Message
from devhost.timers import Timer
from devhost.worker import Datum, invoke, new_id


class AdminRoutes:
    """GET /admin/host/status · GET /admin/functions · POST /admin/functions/{name} with `{"input": "…"}`."""

    def __init__(
        self, functions: list[Function], keys: HostKeys, outputs: Outputs, keep_running: Callable[[Coroutine[Any, Any, Any]], object]
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._keys = keys
        self._outputs = outputs
        self._keep_running = keep_running
        self._began = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = read_headers(scope)
        if is_foreign(headers):
            await answer(send, 403)
            return
        if not self._keys.allow("admin", presented_key(headers, read_query(scope))):
            await answer(send, 401)
            return
        parts = scope["path"].strip("/").split("/")[1:]
        match scope["method"], parts:
            case "GET", ["host", "status"]:
                uptime = int((time.monotonic() - self._began) * 1000)
                status = {"id": "devhost", "state": "Running", "processUptime": uptime, "processId": os.getpid()}
                await answer(send, 200, json.dumps(status).encode())
            case "GET", ["functions"]:
                records = [describe(function) for function in self._functions.values()]
                await answer(send, 200, json.dumps(records).encode())
            case "POST", ["functions", name] if name.lower() in self._functions:
                await self._start(self._functions[name.lower()], await read_body(receive), send)
            case _:
                await answer(send, 404)

    async def _start(self, function: Function, body: bytes | None, send: Send) -> None:
        """Starts a function by hand and answers 202 at once, as the real host does."""
        try:
            document = json.loads(body or b"{}")
            content = str(document.get("input") or "")
        except (ValueError, AttributeError):
            await answer(send, 400)
            return
        if isinstance(function.trigger, HttpTrigger):
            await answer(send, 400, b'{"message": "an HTTP function is called by its route"}')
            return
        self._keep_running(self._run(function, content))
        await answer(send, 202)

    async def _run(self, function: Function, content: str) -> None:
        if not isinstance(function.trigger, QueueTrigger):
            await Timer(function, self._outputs).fire()
            return
        now = time.time()
        message = Message(new_id(), content, 1, now, now, now, "")
        payload = Datum(content, "string")
        done = await invoke(function, new_id(), payload, trigger_metadata(message, payload))
        if done.succeeded:
            try:
                await self._outputs.write(function, done)
            except OutputFailed:
                return

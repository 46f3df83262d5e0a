"""A running host: the app's functions, its queues, listeners and timers, and the ASGI application in front of them."""

import asyncio
import fcntl
import logging
import os
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from devhost.admin import AdminRoutes
from devhost.edge import HttpEdge, Receive, Scope, Send, announced, answer, read_headers
from devhost.functions import Function, HttpTrigger, QueueTrigger, TimerTrigger
from devhost.keys import host_keys
from devhost.listener import QueueListener
from devhost.outputs import Outputs
from devhost.queues.protocol import Queues
from devhost.routes import Router, parse_template
from devhost.settings import LARGEST_BODY, StartRefused, is_disabled, read_host_options, read_largest_body
from devhost.timers import Timer
from devhost.worker import load_app, stop_workers

log = logging.getLogger("devhost")


class Host:
    """`start`, serve `app` over ASGI, `stop`. One host per process, and one per home at a time."""

    def __init__(self, app_dir: Path, home: Path, lease: float = 600.0, drain: float = 30.0) -> None:
        """`home` keeps the host's keys and its embedded queue. `lease` is how many seconds a message is leased at a time,
        `drain` how many what runs may take to end once the host is told to stop."""
        self._app_dir = app_dir.resolve()
        self._home = home.resolve()
        self._lease = lease
        self.drain = drain
        self.failed = False
        self._queues: Queues | None = None
        self._listeners: list[QueueListener] = []
        self._timers: list[Timer] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._edge: HttpEdge | None = None
        self._largest_body = LARGEST_BODY
        self._admin: AdminRoutes | None = None
        self._lock = -1

    async def start(self) -> list[Function]:
        """Loads and checks the whole app before anything is served; StartRefused says what is wrong."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._lock_home()
        options = read_host_options(self._app_dir)
        began = time.monotonic()
        functions = [function for function in await load_app(self._app_dir) if not is_disabled(function.name)]
        self._largest_body = read_largest_body()
        keys = host_keys(self._home)
        router = route_table(functions, options.route_prefix)
        self._queues = await self._open_queues(functions)
        outputs = Outputs(self._queues, options.queues.message_encoding)
        for function in functions:
            if isinstance(function.trigger, QueueTrigger):
                assert self._queues is not None
                self._listeners.append(QueueListener(function, self._queues, outputs, options.queues, self._lease))
            elif isinstance(function.trigger, TimerTrigger):
                self._timers.append(Timer(function, outputs))
        self._edge = HttpEdge(router, keys, outputs)
        self._admin = AdminRoutes(functions, keys, outputs, self.keep_running)
        for part in (*self._listeners, *self._timers):
            self.keep_running(part.run()).add_done_callback(self._part_ended)
        log.info("%d functions are ready after %.2f s", len(functions), time.monotonic() - began)
        return functions

    def keep_running(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs something beside the requests; `stop` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _part_ended(self, part: asyncio.Task[Any]) -> None:
        """A host without one of its listeners or timers would look well and do half of its work: it ends instead."""
        if not part.cancelled() and (error := part.exception()) is not None:
            log.critical("the host ends: a trigger's loop broke", exc_info=error)
            self.failed = True
            signal.raise_signal(signal.SIGTERM)

    async def stop(self) -> bool:
        """Takes no more messages, lets what runs end, gives back what is not done, and closes the queues.

        False when something still ran after `drain` seconds; a synchronous function among it cannot be ended.
        """
        late: set[asyncio.Task[Any]] = set()
        for part in (*self._listeners, *self._timers):
            part.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self.drain)
            if late:
                log.error("not all work ended within %g s: its messages will come again", self.drain)
                for listener in self._listeners:
                    await listener.abandon()
                for task in late:
                    task.cancel()
        if self._queues is not None:
            await self._queues.close()
        if not late:
            stop_workers()
        if self._lock >= 0:
            os.close(self._lock)
        return not late

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application. What announces more than is taken is answered at once, and nothing of it is read, whoever sends it wherever."""
        assert self._edge is not None and self._admin is not None
        if announced(read_headers(scope)) > self._largest_body:
            await answer(send, 413)
        elif scope["path"].startswith("/admin/"):
            await self._admin(scope, receive, send)
        else:
            await self._edge(scope, receive, send)

    def _lock_home(self) -> None:
        self._lock = os.open(self._home / "host.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartRefused(f"another host is running with {self._home}") from None

    async def _open_queues(self, functions: list[Function]) -> Queues | None:
        connections = {function.trigger.connection for function in functions if isinstance(function.trigger, QueueTrigger)}
        connections |= {output.connection for function in functions for output in function.outputs.values()}
        if not connections:
            return None
        strings = {os.environ.get(name, "").strip() for name in connections}
        if len(strings) > 1:
            raise StartRefused(f"the queue connections {', '.join(sorted(connections))} differ: this host serves one")
        for name in connections:
            if not os.environ.get(name) and any(setting.startswith(name + "__") for setting in os.environ):
                raise StartRefused(f"{name}: this host serves connection strings, not identities")
        queues = _queues_for(strings.pop(), self._home)
        try:
            await queues.open()
        except Exception as error:
            await queues.close()
            raise StartRefused(f"the queues of {', '.join(sorted(connections))} cannot be reached: {type(error).__name__}") from error
        return queues


def _queues_for(connection_string: str, home: Path) -> Queues:
    if connection_string:
        from devhost.queues.storage import StorageQueues

        return StorageQueues(connection_string)
    from devhost.queues.embedded import EmbeddedQueues

    return EmbeddedQueues(home / "queue.sqlite")


def route_table(functions: list[Function], prefix: str) -> Router[Function]:
    """StartRefused, naming the function, for a route that the real host refuses or that two functions share."""
    router: Router[Function] = Router()
    for function in functions:
        if isinstance(function.trigger, HttpTrigger):
            route = function.trigger.route.strip("/")
            try:
                parse_template(route)
                router.add(parse_template(f"{prefix}/{route}" if prefix else route), function.trigger.methods, function)
            except StartRefused as refusal:
                raise StartRefused(f"function {function.name}: {refusal}") from None
    return router

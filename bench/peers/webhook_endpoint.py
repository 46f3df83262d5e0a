"""`python -m bench.peers.webhook_endpoint FILE [--group]`: the least webhook endpoint that loses nothing.

Starlette on uvicorn with uvloop and httptools: verify the HMAC, parse, insert into SQLite with synchronous=FULL, answer.
With `--group` the inserts of concurrent requests share a commit on a thread of their own; without, each has its own commit.
"""

import asyncio
import hashlib
import hmac
import queue
import socket
import sqlite3
import sys
import threading
import time
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.home import WEBHOOK_SECRET

INSERT = "INSERT INTO messages (id, body) VALUES (?, ?)"


def open_file(path: str) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    file.execute("CREATE TABLE IF NOT EXISTS messages (n INTEGER PRIMARY KEY, id TEXT, body BLOB)")
    return file


def verified(payload: bytes, header: str) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(","))
    expected = hmac.new(WEBHOOK_SECRET.encode(), parts["t"].encode() + b"." + payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


class Group:
    """Commits what waits in one transaction."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._queue: queue.SimpleQueue[tuple[tuple[str, bytes], asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def insert(self, row: tuple[str, bytes]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((row, future))
        await future

    def _run(self) -> None:
        while True:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(INSERT, [row for row, _ in waiting])
            self._file.execute("COMMIT")
            waiting[0][1].get_loop().call_soon_threadsafe(lambda done=waiting: [future.set_result(None) for _, future in done])


def application(file: sqlite3.Connection, grouped: bool) -> Starlette:
    group = Group(file) if grouped else None

    async def webhook(request: Request) -> Response:
        payload = await request.body()
        if not verified(payload, request.headers["stripe-signature"]):
            return Response(status_code=400)
        row: tuple[str, Any] = (orjson.loads(payload)["id"], payload)
        if group is not None:
            await group.insert(row)
        else:
            file.execute(INSERT, row)
        return Response(b'{"received":true}', media_type="application/json")

    return Starlette(routes=[Route("/webhooks/stripe", webhook, methods=["POST"])])


def serve(app: Any) -> None:
    """Serves an application on a free port until SIGTERM, and prints its address once it listens."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)

    Server(uvicorn.Config(app, loop="uvloop", http="httptools", log_level="warning", access_log=False)).run([listening])


if __name__ == "__main__":
    serve(application(open_file(sys.argv[1]), "--group" in sys.argv))

"""The HTTP server around a host: nothing is accepted before the app is ready, nothing is lost when it stops."""

import asyncio
import os
import signal
import socket
import sys

import uvicorn

from devhost.host import Host


class HostServer(uvicorn.Server):
    """Starts the host before it accepts and stops it after the last response."""

    def __init__(self, host: Host, address: str) -> None:
        super().__init__(
            uvicorn.Config(
                host.app,
                loop="uvloop",
                http="httptools",
                interface="asgi3",
                proxy_headers=False,
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, int(host.drain)),
            )
        )
        self._host = host
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self._host.start()
        await super().startup(sockets)
        print(f"Listening on {self._address}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if not await self._host.stop():
            # What still runs may be a thread that never ends; everything durable is closed.
            sys.stdout.flush()
            os._exit(1)


def serve(host: Host, listening: socket.socket) -> int:
    """Blocks until SIGINT or SIGTERM and answers the exit status; StartRefused when the app cannot be served."""
    address, port = listening.getsockname()[:2]
    server = HostServer(host, f"http://{f'[{address}]' if ':' in address else address}:{port}")
    # uvicorn raises the signal again once it has shut down; the stop it asked for has been done by then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # The hand-over between the loop and the queue's writer thread is what a durable answer waits for.
    sys.setswitchinterval(0.001)
    asyncio.run(server.serve(sockets=[listening]), loop_factory=server.config.get_loop_factory())
    return 1 if host.failed else 0

"""`python -m sandbox --port 0 --home DIR`: serve on loopback, print one line with the address when ready."""

import argparse
import os
import socket
from pathlib import Path

import uvicorn

from sandbox.control import fill_company
from sandbox.server import Protocol, Sandbox, application

# Longer than clients keep a connection for the next request: the SDK's transport 15 seconds, httpx 5, which is uvicorn's own default too.
# Were it as long as theirs, a request could go out at the moment the connection is closed.
KEPT_OPEN = 75  # seconds


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._url, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--home", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--seed", type=int, help="repeatable ids and company")
    parser.add_argument("--scale", type=float, default=0, help="fill in a company of this size at the first start")
    parser.add_argument("--fd", type=int, help="a listening socket that was handed over, in place of --port")
    parser.add_argument("--webhooks-anywhere", action="store_true", help="let webhook endpoints lie outside of this machine")
    chosen = parser.parse_args()

    os.umask(0o077)  # all that it writes holds what callers sent
    sandbox = Sandbox(chosen.home, seed=chosen.seed, webhooks_anywhere=chosen.webhooks_anywhere)
    if chosen.scale and sandbox.store.fact("company") is None:
        fill_company(sandbox, seed=chosen.seed or 1, scale=chosen.scale)
        sandbox.store.set_fact("company", chosen.scale)
    listener = socket.create_server(("127.0.0.1", chosen.port)) if chosen.fd is None else socket.socket(fileno=chosen.fd)
    config = uvicorn.Config(
        application(sandbox),
        http=Protocol,
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=KEPT_OPEN,
        server_header=False,
        date_header=False,  # the sandbox tells its own clock's time
    )
    _Server(config, f"http://127.0.0.1:{listener.getsockname()[1]}").run([listener])


if __name__ == "__main__":
    main()

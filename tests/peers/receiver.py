"""A receiver of webhooks on loopback that keeps what it was sent, byte for byte."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Delivery:
    payload: bytes
    signature: str
    at: float

    @property
    def event(self) -> dict[str, Any]:
        return orjson.loads(self.payload)


@dataclass
class Receiver:
    """`answer(delivery)` chooses the status; 200 unless said otherwise."""

    url: str = ""
    answer: Callable[[Delivery], int] = lambda _: 200
    received: list[Delivery] = field(default_factory=list)

    def wait(self, until: Callable[[list[Delivery]], bool], seconds: float = 15) -> list[Delivery]:
        """What was received, once `until` is true of it. Raises AssertionError after `seconds`."""
        end = monotonic() + seconds
        while not until(self.received):
            assert monotonic() < end, f"not received in {seconds} s: {[d.event['type'] for d in self.received]}"
            sleep(0.01)
        return list(self.received)


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A receiver on a free port, stopped at the end."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["content-length"]))
            delivery = Delivery(payload, self.headers["stripe-signature"], monotonic())
            receiver.received.append(delivery)
            self.send_response(receiver.answer(delivery))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

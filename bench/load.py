"""The load: `python -m bench.load PORT FILE CONNECTIONS` sends requests made beforehand and prints what it saw, as JSON.

A process of its own over bare sockets, so that what sends costs little beside what answers.
"""

import asyncio
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.processes import ROOT
from bench.table import percentile

PATIENCE = 300  # seconds for one load
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Seen:
    """Of a load: answers a second, percentiles in seconds, and how many answers were not 200."""

    per_second: float
    p50: float
    p95: float
    p99: float
    failed: int


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of an HTTP request on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Keeps requests where a load finds them."""
    with path.open("wb") as file:
        for each in requests:
            file.write(_LENGTH.pack(len(each)) + each)


def run_load(port: int, file: Path, connections: int) -> Seen:
    """Sends every request of the file once, over so many connections, from another process."""
    command = [sys.executable, "-m", "bench.load", str(port), str(file), str(connections)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr.strip()[-500:]}")
    return Seen(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], times: list[float], bad: list[int], done: asyncio.Future[None]) -> None:
        self._requests, self._times, self._bad, self._done = requests, times, bad, done
        self._waiting = b""
        self._end = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own, which does not inherit from asyncio's
        self._next()

    def _next(self) -> None:
        following = next(self._requests, None)
        if following is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if self._end < 0:
            head = self._waiting.find(b"\r\n\r\n")
            if head < 0:
                return
            lines = self._waiting[:head].lower()
            at = lines.find(b"content-length:")
            length = int(lines[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
            self._end = head + 4 + length
        if len(self._waiting) >= self._end:
            self._times.append(time.perf_counter() - self._began)
            if self._waiting[9:12] != b"200":
                self._bad.append(int(self._waiting[9:12]))
            self._waiting, self._end = b"", -1
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))


async def _load(port: int, requests: list[bytes], connections: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    waiting, times, bad = iter(requests), list[float](), list[int]()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for end in ends:
        await loop.create_connection(lambda end=end: _Connection(waiting, times, bad, end), "127.0.0.1", port)
    await asyncio.gather(*ends)
    seconds = time.perf_counter() - began
    found = {f"p{percent}": percentile(times, percent) for percent in (50, 95, 99)}
    return {"per_second": len(times) / seconds, **found, "failed": len(bad)}


def _read(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    at = 0
    while at < len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        yield content[at + 4 : at + 4 + length]
        at += 4 + length


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_load(int(sys.argv[1]), list(_read(Path(sys.argv[2]))), int(sys.argv[3])))))

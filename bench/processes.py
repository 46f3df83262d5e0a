"""Processes of a measure: started, waited for, looked at from outside, stopped."""

import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds to get ready
HOST_CORE, OTHER_CORE = 0, 1  # where what is measured runs, and where what it talks to does, when a measure is of one core


class NotStarted(Exception):
    """A process ended, or said nothing, before it was ready; the text is the end of its log."""


@dataclass(slots=True)
class Server:
    """A running process and the address it said it listens on."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def memory(self, field: str = "VmHWM") -> float:
        """MB of resident memory: `VmHWM` is the peak so far, `VmRSS` what it is now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
        raise NotStarted(f"{field} is not known on this machine")

    def processor(self) -> float:
        """Seconds of processor time so far, over all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, cores: Sequence[int] | None = None
) -> Iterator[Server]:
    """`python ARGUMENTS` until the block ends. It is ready when it prints a line that ends in its address."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=(lambda: pin(cores)) if cores else None,
        )
    assert process.stdout is not None
    try:
        yield Server(process, _address(process, log))
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def pin(cores: Sequence[int]) -> None:
    """Keeps this process on these cores, where the system can and has them."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, set(cores))


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline().decode().strip() if selector.select(PATIENCE) else ""
    url = line.rpartition(" ")[2]
    if not url.startswith("http"):
        process.kill()
        process.wait()
        raise NotStarted(log.read_text()[-2000:])
    return url

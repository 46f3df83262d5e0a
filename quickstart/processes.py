"""The processes of a laptop's system: started together, started again when one falls over, stopped together."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAST_WORDS = 300  # characters of a log's last line that people are shown
RESTARTS = 5  # of one process, within RESTART_WINDOW seconds, before giving up
RESTART_WINDOW = 60.0
PATIENCE = 30.0  # seconds a process gets to stop by itself
PR_SET_PDEATHSIG = 1


class Broken(Exception):
    """The system cannot run; the text says why and what to do."""


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a Python module."""
    return [sys.executable, "-m", name, *arguments]


@dataclass(slots=True)
class Child:
    """One process: its name for people, its command line, all of its environment, and the sockets that it is handed."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    sockets: tuple[socket.socket, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    fell: list[float] = field(default_factory=list[float])
    _began: int = 0  # where in the log the last start is

    @property
    def title(self) -> str:
        """Its name at the beginning of a sentence."""
        return self.name[0].upper() + self.name[1:]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._began = log.tell()
            self.process = subprocess.Popen(  # noqa: S603 - our own command with our own arguments
                self.command,
                env=self.environment,
                pass_fds=[each.fileno() for each in self.sockets],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # a Ctrl-C is for `make run`, which stops one after the other, so that none misses another
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    def said(self) -> str:
        """What it has written to its log since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._began)
            return log.read().decode(errors="replace")

    def last_words(self) -> str:
        """The last line of its log that says something, for people."""
        lines = [line.strip() for line in self.said().splitlines() if any(letter.isalpha() for letter in line)]
        return lines[-1][:LAST_WORDS] if lines else "it said nothing"

    def ended(self) -> int | None:
        """The exit status of a process that has ended, or None."""
        return None if self.process is None else self.process.poll()

    def revive(self) -> bool:
        """Starts a fallen process again, and answers whether it may be: not where it falls all the time."""
        now = time.monotonic()
        self.fell = [moment for moment in self.fell if now - moment < RESTART_WINDOW] + [now]
        if len(self.fell) > RESTARTS:
            return False
        self.start()
        return True

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _end_with_parent() -> None:
    """A child outlives nobody: when `make run` is killed, the kernel asks its children to stop."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

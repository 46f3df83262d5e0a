"""The processes of a laptop's system: started together, started again when one falls over, stopped together."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RESTARTS = 5  # of one process, within RESTART_WINDOW seconds, before giving up
RESTART_WINDOW = 60.0
PATIENCE = 30.0  # seconds a process gets to stop by itself
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """One process: its name for people, its module and arguments, and what its environment adds."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    fell: list[float] = field(default_factory=list[float])

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own module with our own arguments
                [sys.executable, "-m", *self.arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

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

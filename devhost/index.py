"""The index of an app as plain records, for tests and generators that compare it with something else."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from devhost.functions import Function, HttpTrigger, QueueTrigger, TimerTrigger


def describe(function: Function) -> dict[str, Any]:
    """`name`, `trigger` (http, queue, timer) and what belongs to it: `route`, `methods`, `auth_level` · `queue` ·
    `schedule`, `run_on_startup`; `outputs` maps parameters to queue names."""
    record: dict[str, Any] = {"name": function.name}
    match function.trigger:
        case HttpTrigger(route, methods, auth_level):
            record |= {"trigger": "http", "route": route, "methods": sorted(methods), "auth_level": auth_level}
        case QueueTrigger(queue, connection):
            record |= {"trigger": "queue", "queue": queue, "connection": connection}
        case TimerTrigger(schedule, run_on_startup):
            record |= {"trigger": "timer", "schedule": schedule, "run_on_startup": run_on_startup}
    record["outputs"] = {name: output.queue for name, output in function.outputs.items()}
    return record


def index_app(app_dir: Path | str) -> list[dict[str, Any]]:
    """Indexes the app in this process, which can be done once per process; StartRefused when it cannot be served."""
    from devhost.worker import load_app

    return [describe(function) for function in asyncio.run(load_app(Path(app_dir)))]


def index_app_in_subprocess(app_dir: Path | str) -> list[dict[str, Any]]:
    """The same from a process of its own; RuntimeError with the host's message when the app cannot be served."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "devhost", "--app", str(Path(app_dir).resolve()), "--index"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)  # noqa: S603 - our own interpreter
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)

"""What the index of an app is made of: functions with one trigger each and their queue outputs."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from devhost.settings import StartRefused, expand

STORAGE_SETTING = "AzureWebJobsStorage"


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    route: str
    methods: tuple[str, ...]
    """Upper case; empty means every method."""
    auth_level: str
    """`anonymous`, `function` or `admin`."""


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    schedule: str
    run_on_startup: bool


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class QueueOutput:
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    function_id: str
    trigger_parameter: str
    trigger: Trigger
    outputs: dict[str, QueueOutput] = field(default_factory=dict)
    """Queue outputs by parameter name; `$return` when the return value is the message."""


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")


def function_from_metadata(name: str, function_id: str, raw_bindings: Iterable[str]) -> Function:
    """Makes a Function of what the worker library reports; StartRefused when a binding is one this host does not serve."""
    if _NAME.fullmatch(name) is None:
        raise StartRefused(f"function {name}: the name must begin with a letter and hold letters, digits, - and _ only")
    trigger: Trigger | None = None
    parameter = ""
    outputs: dict[str, QueueOutput] = {}
    for raw in raw_bindings:
        binding: dict[str, Any] = json.loads(raw)
        kind = binding["type"]
        if kind.lower().endswith("trigger"):
            if trigger is not None:
                raise StartRefused(f"function {name} has two triggers")
            trigger, parameter = _trigger(name, kind, binding), binding["name"]
        elif kind == "queue":
            queue = _queue_name(name, binding)
            outputs[binding["name"]] = QueueOutput(queue, binding.get("connection") or STORAGE_SETTING)
        elif kind != "http":
            raise StartRefused(f"function {name}: this host does not serve {kind} bindings")
    if trigger is None:
        raise StartRefused(f"function {name} has no trigger")
    return Function(name, function_id, parameter, trigger, outputs)


def _trigger(name: str, kind: str, binding: dict[str, Any]) -> Trigger:
    match kind:
        case "httpTrigger":
            methods = tuple(str(method).upper() for method in binding.get("methods") or ())
            route = binding.get("route")
            route = name if route is None else expand(route, f"function {name}")
            return HttpTrigger(route, methods, str(binding.get("authLevel") or "function").lower())
        case "queueTrigger":
            return QueueTrigger(_queue_name(name, binding), binding.get("connection") or STORAGE_SETTING)
        case "timerTrigger":
            schedule = expand(binding["schedule"], f"function {name}")
            return TimerTrigger(schedule, bool(binding.get("runOnStartup")))
    raise StartRefused(f"function {name}: this host does not serve {kind}")


def _queue_name(name: str, binding: dict[str, Any]) -> str:
    queue = expand(binding["queueName"], f"function {name}").lower()
    if _QUEUE_NAME.fullmatch(queue) is None:
        raise StartRefused(f"function {name}: {queue!r} is not a queue name (3 to 63 lower-case letters, digits and single hyphens)")
    return queue

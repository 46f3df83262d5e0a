"""Drives Microsoft's worker library: loads one function app per process and invokes its functions."""

import logging
import os
import random
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as worker_library
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.http_v2 import HttpV2Registry
from azure_functions_runtime.native_invocation import invocation_request_native

from devhost import worker_messages
from devhost.functions import Function, function_from_metadata
from devhost.settings import StartRefused, apply_local_settings

__all__ = ["Datum", "Invocation", "invoke", "load_app", "new_id", "stop_workers"]

log = logging.getLogger("devhost")


_chance = random.Random()  # noqa: S311 - ids that tell invocations apart; the system's own source costs a hand-over of the interpreter lock


def new_id() -> str:
    """A UUID for an invocation or a message. It guards nothing."""
    digits = f"{_chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})", re.ASCII)


def new_traceparent(caller: str) -> str:
    """What the host hands to a function as its trace context: a span of its own within the caller's trace, or in a new one."""
    found = _TRACEPARENT.fullmatch(caller)
    trace, flags = found.groups() if found else (f"{_chance.getrandbits(128) or 1:032x}", "01")
    return f"00-{trace}-{_chance.getrandbits(64) or 1:016x}-{flags}"


class Invocation:
    """How a function ended: `result` is its return value, `outputs` its output bindings by parameter name."""

    __slots__ = ("outputs", "result", "succeeded")

    def __init__(self, succeeded: bool, result: Any, outputs: list[tuple[str, Any]]) -> None:
        self.succeeded = succeeded
        self.result = result
        self.outputs = outputs


async def load_app(app_dir: Path) -> list[Function]:
    """Imports and indexes `app_dir`/function_app.py; StartRefused names what failed. One app per process."""
    app_dir = _enter(app_dir)
    worker_library.start_threadpool_executor()
    # The library reports its progress at error level before it raises; the one clear message below is enough.
    library_log = logging.getLogger("azure.functions")
    level = library_log.level
    library_log.setLevel(logging.CRITICAL)
    try:
        init = await worker_library.worker_init_request(_init_request(app_dir))
        if init.result.status != worker_messages.StatusResult.Success:
            raise StartRefused(_why(init.result.exception))
        if HttpV2Registry.http_v2_enabled():
            raise StartRefused("the app turns HTTP streaming on, which this host does not serve")
        metadata = await worker_library.functions_metadata_request(None)
    finally:
        library_log.setLevel(level)
    found = metadata.function_metadata_results or []
    functions = [function_from_metadata(item.name, item.function_id, item.raw_bindings) for item in found]
    by_name = {function.name.lower(): function.name for function in functions}
    for function in functions:
        if by_name[function.name.lower()] != function.name:
            raise StartRefused(f"the functions {function.name} and {by_name[function.name.lower()]} have one name")
    return functions


def _enter(app_dir: Path) -> Path:
    app_dir = app_dir.resolve()
    if not (app_dir / "function_app.py").exists():
        raise StartRefused(f"{app_dir / 'function_app.py'} is missing")
    apply_local_settings(app_dir)
    sys.path.insert(0, str(app_dir))
    os.chdir(app_dir)
    return app_dir


def _init_request(app_dir: Path) -> SimpleNamespace:
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app_dir))
    properties = {"host": "127.0.0.1", "protos": worker_messages}
    return SimpleNamespace(request=SimpleNamespace(worker_init_request=init), properties=properties)


def _why(failure: worker_messages.RpcException) -> str:
    """The failing function by name, the reason, and where in the app it happened."""
    cause = failure.cause
    message: str = getattr(failure, "message", "").split(". Cannot find module.")[0]
    if cause is None:
        return f"the app cannot be indexed: {message}"
    function = ""
    for frame, _ in traceback.walk_tb(cause.__traceback__):
        function = frame.f_locals.get("func_name", function) if frame.f_code.co_name == "add_indexed_function" else function
    subject = f"function {function}" if function else "the app"
    where = [entry for entry in traceback.extract_tb(cause.__traceback__) if _is_app_frame(entry.filename)]
    place = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
    return f"{subject} cannot be indexed: {message}{place}"


def _is_app_frame(filename: str) -> bool:
    return (
        "site-packages" not in filename and not filename.startswith("<") and "/devhost/" not in filename and "/lib/python" not in filename
    )


async def invoke(
    function: Function,
    invocation_id: str,
    payload: Datum,
    metadata: Mapping[str, Datum],
    *,
    retry_count: int = 0,
    caller: str = "",
) -> Invocation:
    """Runs a function once with its trigger's payload. An exception in it is logged and comes back as not succeeded.

    `caller` is the caller's `traceparent`; the invocation is a part of that trace, or else begins one.
    """
    succeeded, result, outputs, error, _ = await invocation_request_native(
        invocation_id,
        function.function_id,
        [(function.trigger_parameter, payload)],
        metadata,
        trace_parent=new_traceparent(caller),
        retry_count=retry_count,
    )
    if not succeeded:
        kind = (error or "").partition("(")[0]
        log.error("%s failed with %s (invocation %s)", function.name, kind, invocation_id)
    return Invocation(succeeded, result, outputs)


def stop_workers() -> None:
    """Waits for synchronous functions that still run and ends their threads."""
    worker_library.stop_threadpool_executor()

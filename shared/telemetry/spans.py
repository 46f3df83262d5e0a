"""Spans: what took how long within a trace. They cost nothing while telemetry has nowhere to go.

An attribute is a number, a truth value, or a word from a vocabulary. Text of any other form is left out, so that no name, address, sentence or
key can travel in one. What an exception says is never kept. What goes wrong here goes wrong beside the call, and never decides it.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from shared.errors import BillyError
from shared.telemetry import correlation
from shared.telemetry.correlation import Trace
from shared.telemetry.lines import lost

type Value = str | int | float | bool | None

NOTHING: Mapping[str, Value] = {}
WORD = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_.:/{}\[\]-]{0,99}", re.ASCII)


class Recorder(Protocol):
    """What makes spans: `exporting` has the one that OpenTelemetry's SDK stands behind."""

    def start(self, name: str, kind: str, parent: Trace) -> Any:
        """A span with `set_attribute`, `end`, and our ids in `get_span_context()`."""
        ...

    def fail(self, span: Any) -> None: ...

    def keep(self, parent: Trace) -> None:
        """The trace is kept, where others are not."""
        ...


_recorder: Recorder | None = None


def use(recorder: Recorder | None) -> None:
    """From now on spans go to `recorder`; None: nowhere."""
    global _recorder
    _recorder = recorder


def are_recorded() -> bool:
    return _recorder is not None


def keep() -> None:
    """The trace that runs now is kept, where only a share of them is: it writes, or was refused."""
    trace = correlation.current()
    if _recorder is None or trace is None:
        return
    try:
        _recorder.keep(trace)
    except Exception as failure:
        lost(failure)


class span:
    """A span around a block. `kind` is `internal`, `client`, `server`, `consumer` or `producer`, as OpenTelemetry says it.

    An exception marks it with `error.type`: the code of a `BillyError`, or the exception's class.
    """

    __slots__ = ("_attributes", "_kind", "_name", "_recorder", "_span", "_token")

    def __init__(self, name: str, kind: str = "internal", attributes: Mapping[str, Value] = NOTHING) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._span: Any = None

    def __enter__(self) -> Self:
        recorder, parent = _recorder, correlation.current()
        if recorder is None or parent is None:
            return self
        try:
            opened = recorder.start(self._name, self._kind, parent)
            here = Trace(parent.id, f"{opened.get_span_context().span_id:016x}", parent.parent)
        except Exception as failure:
            lost(failure)
            return self
        self._recorder, self._span = recorder, opened
        self._token = correlation.enter(here)
        for name, value in self._attributes.items():
            self.set(name, value)
        return self

    def set(self, name: str, value: Value) -> None:
        """Sets an attribute, unless the value is None or no word."""
        if self._span is None or value is None or (isinstance(value, str) and not WORD.fullmatch(value)):
            return
        try:
            self._span.set_attribute(name, value)
        except Exception as failure:
            lost(failure)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._span is None:
            return
        correlation.leave(self._token)
        try:
            if error is not None:
                self.set("error.type", error.code if isinstance(error, BillyError) else type(error).__name__)
                if not isinstance(error, BillyError) or error.status >= 500:
                    self._recorder.fail(self._span)
            self._span.end()
        except Exception as failure:
            lost(failure)

"""The correlation id: the trace id of W3C Trace Context, from the edge through the stores and Stripe to the audit row.

It finds evidence, so it is drawn here. The trace in which the host began a call, which is the caller's where one was sent, is kept beside it
as the parent, and decides nothing.
"""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)
_ID = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where the work that runs now belongs: `id` is 32 hexadecimal digits, `span` the 16 of what it is part of, or empty.

    `parent` is the trace in which the host began the call; a caller can choose it.
    """

    id: str
    span: str = ""
    parent: "Trace | None" = None


_current: ContextVar[Trace | None] = ContextVar("billy_trace", default=None)


def current() -> Trace | None:
    return _current.get()


def correlation_id() -> str | None:
    """The id that everything done now is found by, or None outside of any call."""
    trace = _current.get()
    return trace.id if trace else None


def traceparent() -> str | None:
    """What a message carries, so that the work it leads to belongs to the same trace."""
    trace = _current.get()
    return f"00-{trace.id}-{trace.span or trace.id[16:]}-01" if trace else None  # without telemetry there is no span to name


def parent_id() -> str | None:
    """The trace id of the parent, or None. A caller can choose it, so it proves nothing."""
    trace = _current.get()
    return trace.parent.id if trace and trace.parent else None


def read_traceparent(text: object) -> Trace | None:
    """The trace that a `traceparent` names; None for what is none, which is never an error: telemetry turns nobody away."""
    found = _TRACEPARENT.fullmatch(text) if isinstance(text, str) else None
    return Trace(found[1], found[2]) if found else None


def read_id(text: object) -> Trace | None:
    """The trace of a correlation id that was kept, or None."""
    return Trace(text) if isinstance(text, str) and _ID.fullmatch(text) else None


def new_trace(bits: Callable[[int], int]) -> Trace:
    """A trace of its own. `bits` answers so many random bits."""
    return begun_by(None, bits)


def begun_by(traceparent: object, bits: Callable[[int], int]) -> Trace:
    """A trace of its own, whose parent is the one that a `traceparent` names, where it names one."""
    return Trace(f"{bits(128) or 1:032x}", parent=read_traceparent(traceparent))


def enter(trace: Trace) -> Token[Trace | None]:
    """What runs from now on belongs to `trace`, until `leave`."""
    return _current.set(trace)


def leave(token: Token[Trace | None]) -> None:
    _current.reset(token)


@contextmanager
def following(trace: Trace) -> Generator[Trace]:
    """What runs within belongs to `trace`."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)

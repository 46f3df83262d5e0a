"""Which traces are kept where only a share of them is: by an id of ours, and whatever wrote or was refused in any case.

That is known when a trace ends, so its spans wait until then. Nothing that a caller sends has a part in it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

WAITING = 500  # spans of one trace that wait; from then on it is as decided
REMEMBERED = 2_000  # traces that are known at once; the oldest is forgotten
_ALL = 1 << 64


@dataclass(slots=True)
class _Trace:
    open: int = 0
    kept: bool | None = None  # None: not decided yet
    waiting: list[ReadableSpan] = field(default_factory=list[ReadableSpan])


class Keeping(SpanProcessor):
    """Hands the spans of kept traces to `onward`. `share` is from 0 to 1."""

    def __init__(self, share: float, onward: SpanProcessor) -> None:
        self._bound = round(share * _ALL)
        self._onward = onward
        self._traces: OrderedDict[int, _Trace] = OrderedDict()

    def keep(self, trace: int) -> None:
        """This one is kept, whatever its id."""
        if self._bound < _ALL:
            known = self._trace(trace)
            known.kept = True
            self._flush(known)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._bound < _ALL:
            self._trace(span.get_span_context().trace_id).open += 1

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if self._bound >= _ALL or context is None:
            self._onward.on_end(span)
            return
        known = self._trace(context.trace_id)
        known.open -= 1
        known.waiting.append(span)
        if known.kept is None and (known.open <= 0 or len(known.waiting) >= WAITING):
            known.kept = context.trace_id % _ALL < self._bound
        self._flush(known)

    def shutdown(self) -> None:
        for known in self._traces.values():
            self._flush(known)
        self._onward.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._onward.force_flush(timeout_millis)

    def _trace(self, id: int) -> _Trace:
        known = self._traces.setdefault(id, _Trace())
        if len(self._traces) > REMEMBERED:
            self._traces.popitem(last=False)
        return known

    def _flush(self, known: _Trace) -> None:
        if known.kept is None:
            return
        waiting, known.waiting = known.waiting, []
        if known.kept:
            for span in waiting:
                self._onward.on_end(span)

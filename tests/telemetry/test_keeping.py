"""Which traces are kept: a share by ids of ours, and writes and refusals always."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.actor import Actor, Origin
from shared.context import Context, Seam
from shared.errors import BillyError
from shared.road.trail import Decided, Row, append, refused
from shared.settings import Destination, read_destination
from shared.telemetry import correlation, exporting, measures, spans
from shared.telemetry.correlation import Trace, begun_by
from shared.telemetry.invocation import began
from shared.telemetry.keeping import REMEMBERED, WAITING
from shared.telemetry.spans import span

CALLERS = [
    "00-0123456789abcdef0123456789abcdef-00f067aa0ba902b7-00",
    "00-0000000000000001ffffffffffffffff-00f067aa0ba902b7-01",
    "00-aaaaaaaaaaaaaaaa0000000000000001-00f067aa0ba902b7-01",
    None,
]
ORIGIN = Origin("rest")
ACTOR = Actor("key_1", "x", "read_only", "key", ORIGIN)
LOW, HIGH = Trace("f" * 16 + "0" * 15 + "1"), Trace("0" * 16 + "f" * 16)  # the ends of what a share is counted by


class Log:
    """An audit log that keeps nothing."""

    async def append(self, row: Any) -> None: ...


class Kept:
    """What goes on to a destination that keeps a share."""

    def __init__(self, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.exporter = InMemorySpanExporter()
        monkeypatch.setattr(exporting, "BatchSpanProcessor", lambda _: SimpleSpanProcessor(self.exporter))
        self.exporting = exporting.Exporting(Destination(collector="http://127.0.0.1:9", share=share), "ins_1")
        self.context = Context(*[Any] * 3, Log(), *[Any] * 2, seam=Seam())  # type: ignore[arg-type]

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def traces(self) -> set[str]:
        return {f"{each.context.trace_id:032x}" for each in self.spans() if each.context}


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Kept] = []

    def make(share: float) -> Kept:
        made.append(Kept(share, monkeypatch))
        return made[-1]

    yield make
    for each in made:
        spans.use(None)
        measures.use(None)
        each.exporting._tracing.shutdown()


def read(trace: Trace) -> str:
    with began("get_stats", trace, Seam()), span("execute get_stats"), span("mirror.totals"):
        return trace.id


def test_a_share_is_chosen_by_ids_of_ours_whatever_a_caller_sends(keeping: Any) -> None:
    kept = keeping(0.5)
    bits = Seam().bits
    for caller in CALLERS:
        kept.exporter.clear()
        sent = [read(begun_by(caller, bits)) for _ in range(400)]
        assert 120 < len(kept.traces()) < 280, caller
        assert {caller and caller[3:35]} & {*sent} == set()


def test_a_trace_is_kept_whole_or_not_at_all(keeping: Any) -> None:
    kept = keeping(0.5)
    for trace in (LOW, HIGH):
        read(trace)
    assert kept.traces() == {LOW.id} and len(kept.spans()) == 3


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 2)])
def test_none_and_all_are_shares_too(keeping: Any, share: float, count: int) -> None:
    kept = keeping(share)
    for trace in (LOW, HIGH):
        read(trace)
    assert len(kept.traces()) == count


async def refuse(context: Context) -> None:
    await refused(context, ORIGIN, BillyError("unauthenticated", "No."), "get_stats")


async def deny(context: Context) -> None:
    await append(context, Row("create_refund", ORIGIN, Decided.DENIED, ACTOR))


async def write(context: Context) -> None:
    await append(context, Row("create_refund", ORIGIN, Decided.ALLOWED, ACTOR, attempt="att_1"))


async def preview(context: Context) -> None:
    await append(context, Row("create_refund", ORIGIN, Decided.PREVIEW, ACTOR))


async def outcome(context: Context) -> None:
    await append(context, Row("create_refund", ORIGIN, Decided.OUTCOME, ACTOR, attempt="att_1"))


async def reading(context: Context) -> None:
    await append(context, Row("get_stats", ORIGIN, Decided.ALLOWED, ACTOR))


@pytest.mark.parametrize("act", [refuse, deny, write, preview, outcome])
@pytest.mark.parametrize("caller", CALLERS)
async def test_writes_and_refusals_are_always_kept_and_whole(keeping: Any, act: Any, caller: str | None) -> None:
    kept = keeping(0.0)
    trace = begun_by(caller, Seam().bits)
    with began("function", trace, Seam()), span("execute"):
        with span("before"):
            pass
        await act(kept.context)
        with span("after"):
            pass
    assert [each.name for each in kept.spans()] == ["before", "after", "execute", "function"]
    (root,) = (each for each in kept.spans() if each.name == "function")
    assert root.parent is None and [f"{each.context.trace_id:032x}" for each in root.links] == ([caller[3:35]] if caller else [])
    assert kept.traces() == {trace.id}


async def test_a_read_is_kept_by_its_share_alone(keeping: Any) -> None:
    kept = keeping(0.0)
    with began("function", LOW, Seam()), span("execute"):
        await reading(kept.context)
    assert kept.spans() == []


async def test_the_work_that_a_message_leads_to_is_kept_as_its_delivery_is(keeping: Any) -> None:
    """The message carries the id; both processes choose by it alone."""
    kept = keeping(0.5)
    for trace in (LOW, HIGH):
        with began("stripe_webhook", trace, Seam()):
            message = correlation.traceparent()
        with began("apply_stripe_event", HIGH, Seam()), correlation.following(correlation.read_traceparent(message) or HIGH), span("apply"):
            pass
    assert kept.traces() == {LOW.id} and {each.name for each in kept.spans()} == {"stripe_webhook", "apply"}


def test_a_trace_without_an_end_holds_a_bounded_number_of_spans(keeping: Any) -> None:
    kept = keeping(0.5)
    for trace, expected in ((LOW, WAITING + 10), (HIGH, 0)):
        kept.exporter.clear()
        with correlation.following(trace), span("run_sync"):
            for _ in range(WAITING + 10):
                with span("GET /v1/charges"):
                    pass
            assert len(kept.spans()) == expected, "decided before its end"
    with correlation.following(LOW):
        for number in range(REMEMBERED + 50):
            with correlation.following(Trace(f"{number + 1:032x}")), span("one"):
                pass
    assert len(kept.exporting._tracing._active_span_processor._span_processors[0]._traces) <= REMEMBERED


@pytest.mark.parametrize(
    ("sampler", "argument", "share"),
    [
        ("traceidratio", "0.25", 0.25),
        ("parentbased_traceidratio", " 0.5\n", 0.5),
        ("traceidratio", "0", 0.0),
        ("traceidratio", "1.0", 1.0),
        ("always_off", "", 0.0),
        ("parentbased_always_off", "1", 0.0),
        ("always_on", "0", 1.0),
        ("traceidratio", "²", 1.0),
        ("traceidratio", "2", 1.0),
        ("traceidratio", "nan", 1.0),
        ("traceidratio", "", 1.0),
        ("", "", 1.0),
    ],
)
def test_the_share_is_read_from_the_settings_that_opentelemetry_has_for_it(sampler: str, argument: str, share: float) -> None:
    """What cannot be read keeps everything: telemetry turns nobody away, and nothing that should be found is lost."""
    assert read_destination({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}).share == share


def test_the_environments_own_sampler_does_not_decide_beside_ours(keeping: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    kept = keeping(1.0)
    assert isinstance(kept.exporting._tracing, TracerProvider)
    read(begun_by(CALLERS[0], Seam().bits))
    assert len(kept.spans()) == 3

"""Where spans and measures go: OpenTelemetry's SDK, loaded on the first invocation, and only where a destination is set.

Providers of our own are used and none is made the process's: what libraries would tell through the global ones, with addresses and arguments in it,
goes nowhere. The exporter, which is the heavier import, is loaded by the SDK's own thread when there is something to send.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from shared.settings import VERSION, Destination
from shared.telemetry import correlation, measures, spans
from shared.telemetry.correlation import Trace
from shared.telemetry.keeping import Keeping
from shared.telemetry.measures import MEASURES

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)  # where a histogram's buckets end
QUIET = ("opentelemetry", "azure.core", "azure.monitor", "azure.identity", "urllib3")  # a destination that is away is no news each second

_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "producer": trace.SpanKind.PRODUCER,
}


class Exporting:
    """Spans and measures of this process on their way to a destination, until `stop`."""

    def __init__(self, destination: Destination, instance: str) -> None:
        """`instance` tells this process from others of the same deployment."""
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
        resource = Resource.create({"service.name": "agent-billy", "service.version": VERSION, "service.instance.id": instance})
        # Every span is made, whatever the environment says of samplers: `Keeping` decides with what it led to.
        self._tracing = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=_Ids())
        keeping = Keeping(destination.share, BatchSpanProcessor(_LateSpans(lambda: _span_exporter(destination, self._tracing))))
        self._tracing.add_span_processor(keeping)
        reader = PeriodicExportingMetricReader(_LateMeasures(lambda: _metric_exporter(destination), destination))
        self._metering = MeterProvider(resource=resource, metric_readers=[reader])
        spans.use(_Spans(self._tracing.get_tracer("billy", VERSION), keeping))
        measures.use(_Measures(self._metering))

    def stop(self) -> None:
        """Sends what is left and closes the connections. The SDK does the same when the process ends."""
        spans.use(None)
        measures.use(None)
        self._tracing.shutdown()
        self._metering.shutdown()


class _Ids(RandomIdGenerator):
    def generate_trace_id(self) -> int:
        found = correlation.current()
        return int(found.id, 16) if found else super().generate_trace_id()


class _Spans:
    def __init__(self, tracer: trace.Tracer, keeping: Keeping) -> None:
        self._tracer = tracer
        self._keeping = keeping

    def start(self, name: str, kind: str, parent: Trace) -> trace.Span:
        above, links = Context(), ()
        if parent.span:
            above = trace.set_span_in_context(trace.NonRecordingSpan(_known(parent)), above)
        elif parent.parent:
            links = (trace.Link(_known(parent.parent)),)
        return self._tracer.start_span(name, above, _KINDS[kind], links=links, record_exception=False, set_status_on_exception=False)

    def fail(self, span: trace.Span) -> None:
        span.set_status(trace.StatusCode.ERROR)

    def keep(self, parent: Trace) -> None:
        self._keeping.keep(int(parent.id, 16))


def _known(place: Trace) -> trace.SpanContext:
    return trace.SpanContext(int(place.id, 16), int(place.span, 16), is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))


class _Measures:
    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("billy", VERSION)
        self._instruments: dict[str, Callable[[float, dict[str, str]], None]] = {}
        for name, measure in MEASURES.items():
            if measure.kind == "counter":
                self._instruments[name] = meter.create_counter(name, measure.unit, measure.says).add
            elif measure.kind == "gauge":
                self._instruments[name] = meter.create_gauge(name, measure.unit, measure.says).set
            else:
                made = meter.create_histogram(name, measure.unit, measure.says, explicit_bucket_boundaries_advisory=SECONDS)
                self._instruments[name] = made.record

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        self._instruments[name](value, labels)


class _LateSpans(SpanExporter):
    def __init__(self, make: Callable[[], SpanExporter]) -> None:
        self._make = make
        self._made: SpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._made is None:
            self._made = self._make()
        return self._made.export(spans)

    def shutdown(self) -> None:
        if self._made is not None:
            self._made.shutdown()


class _LateMeasures(MetricExporter):
    def __init__(self, make: Callable[[], MetricExporter], destination: Destination) -> None:
        # Application Insights adds values up, so it is told differences; a collector is told sums.
        delta = AggregationTemporality.DELTA
        super().__init__({Counter: delta, Histogram: delta, ObservableCounter: delta} if destination.application_insights else None)
        self._make = make
        self._made: MetricExporter | None = None

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any) -> MetricExportResult:
        if self._made is None:
            self._made = self._make()
        return self._made.export(metrics_data, timeout_millis, **options)  # pyright: ignore[reportUnknownMemberType]

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._made is None or self._made.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        if self._made is not None:
            self._made.shutdown(timeout_millis, **options)  # pyright: ignore[reportUnknownMemberType]


def _span_exporter(destination: Destination, provider: TracerProvider) -> SpanExporter:
    if destination.application_insights:
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

        return AzureMonitorTraceExporter(tracer_provider=provider, **_application_insights(destination))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _metric_exporter(destination: Destination) -> MetricExporter:
    if destination.application_insights:
        from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter

        return AzureMonitorMetricExporter(**_application_insights(destination))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


def _application_insights(destination: Destination) -> dict[str, Any]:
    """The exporter takes the identity from APPLICATIONINSIGHTS_AUTHENTICATION_STRING itself. Nothing is kept on the disk."""
    return {"connection_string": destination.application_insights, "disable_offline_storage": True}

"""A place where telemetry goes, on loopback: an OpenTelemetry collector's door and Application Insights' beside it. It keeps what it was sent."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it was sent; ids are hexadecimal, `parent` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    failed: bool
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...] = ()  # trace and span of each


@dataclass
class Collector:
    """`raw` holds every body that came, unpacked, whatever was in it."""

    url: str = ""
    raw: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    measures: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def wait(self, until: Callable[["Collector"], Any], seconds: float = 20) -> Any:
        """The first true answer of `until`. Raises AssertionError after `seconds`."""
        end = monotonic() + seconds
        while not (answer := until(self)):
            assert monotonic() < end, f"not told in {seconds} s: {sorted({span.name for span in self.spans})} {sorted(self.measures)}"
            sleep(0.02)
        return answer

    def trace(self, id: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == id]

    def take(self, path: str, body: bytes) -> bytes:
        """Keeps a body, and answers as the service would."""
        self.raw.append(body)
        if path.endswith("/v1/traces"):
            self._take_spans(ExportTraceServiceRequest.FromString(body))
            return b""
        if path.endswith("/v1/metrics"):
            self._take_measures(ExportMetricsServiceRequest.FromString(body))
            return b""
        envelopes = json.loads(body)
        self.envelopes += envelopes
        return json.dumps({"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}).encode()

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.resources.append(_attributes(resource.resource.attributes))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    kind = WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    links = tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links)
                    self.spans.append(Span(*ids, span.name, kind, span.status.code == 2, _attributes(span.attributes), links))

    def _take_measures(self, request: ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, str(metric.WhichOneof("data")))
                    for point in data.data_points:
                        value = point.sum if metric.HasField("histogram") else point.as_double or point.as_int
                        self.measures.setdefault(metric.name, []).append((_attributes(point.attributes), value))


def _attributes(given: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = collector.take(self.path, body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

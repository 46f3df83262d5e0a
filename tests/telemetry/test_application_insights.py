"""The exporter that runs in Azure, sending to Application Insights' own door."""

import json
import os
from collections.abc import Iterator

import pytest

from shared.context import Seam
from shared.errors import BillyError
from shared.settings import read_destination
from shared.telemetry.correlation import Trace, read_traceparent
from shared.telemetry.invocation import began
from shared.telemetry.measures import measure
from shared.telemetry.spans import span
from tests.peers.collector import Collector, running_collector

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # the host's own, which may be a caller's
OURS = "1af7651916cd43dd8448eb211c80319d"
CANARY = "canary-4711@example.com"


@pytest.fixture
def insights(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED", "true")
    with running_collector() as collector:
        yield collector


def send(insights: Collector, flags: str = "01") -> None:
    """A call with a try at Stripe that fails, told by the process and then stopped."""
    from shared.telemetry.exporting import Exporting

    key = "InstrumentationKey=00000000-0000-0000-0000-000000000001"
    environment = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"{key};IngestionEndpoint={insights.url}/", **os.environ}
    exporting = Exporting(read_destination(environment), "ins_1")
    with began("create_refund", Trace(OURS, parent=read_traceparent(f"00-{TRACE}-{SPAN}-{flags}")), Seam()):
        with (
            pytest.raises(BillyError),
            span(
                "POST /v1/refunds",
                "client",
                {"http.request.method": "POST", "url.full": "https://api.stripe.com/v1/refunds", "said": CANARY},
            ),
        ):
            raise BillyError("stripe_error", CANARY)
        measure("billy.stripe.requests", method="POST", path="/v1/refunds", status="500")
        measure("billy.stripe.requests", method="POST", path="/v1/refunds", status="500")
        measure("billy.mirror.age", 12.5, kind="charge")
    exporting.stop()


@pytest.mark.slow
def test_spans_arrive_as_dependencies_in_a_trace_of_ours_that_links_to_the_hosts(insights: Collector) -> None:
    send(insights)
    found = {each["data"]["baseData"]["name"]: each for each in insights.envelopes if each["name"].endswith("RemoteDependency")}
    assert set(found) == {"create_refund", "POST /v1/refunds"}
    edge, stripe = found["create_refund"], found["POST /v1/refunds"]
    assert {each["tags"]["ai.operation.id"] for each in found.values()} == {OURS}
    assert "ai.operation.parentId" not in edge["tags"]
    links = json.loads(edge["data"]["baseData"]["properties"]["_MS.links"])
    assert links == [{"operation_Id": TRACE, "id": SPAN}], "the request that the host tells of itself"
    assert stripe["tags"]["ai.operation.parentId"] == edge["data"]["baseData"]["id"]
    assert (edge["data"]["baseData"]["success"], stripe["data"]["baseData"]["success"]) == (True, False)
    assert stripe["data"]["baseData"]["target"] == "api.stripe.com"
    assert edge["tags"]["ai.cloud.role"] == "agent-billy"


@pytest.mark.slow
def test_counters_arrive_as_differences_and_gauges_as_they_are(insights: Collector) -> None:
    send(insights)
    points = [point for each in insights.envelopes if each["name"].endswith("Metric") for point in each["data"]["baseData"]["metrics"]]
    assert {(point["name"], point["value"]) for point in points if point["name"].startswith("billy.")} == {
        ("billy.stripe.requests", 2),
        ("billy.mirror.age", 12.5),
    }


@pytest.mark.slow
def test_what_an_error_says_does_not_travel(insights: Collector) -> None:
    send(insights)
    assert insights.raw and not [body for body in insights.raw if CANARY.encode() in body]


@pytest.mark.slow
@pytest.mark.parametrize(("share", "kept"), [("0", 0), ("1", 2)])
def test_a_share_of_the_traces_is_kept_and_every_measure(
    insights: Collector, monkeypatch: pytest.MonkeyPatch, share: str, kept: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    send(insights, flags="00")
    assert len([each for each in insights.envelopes if each["name"].endswith("RemoteDependency")]) == kept
    assert [each for each in insights.envelopes if each["name"].endswith("Metric")]


@pytest.mark.slow
def test_a_destination_that_is_away_costs_the_caller_nothing(insights: Collector) -> None:
    gone = Collector("http://127.0.0.1:9")
    send(gone)
    assert gone.raw == []

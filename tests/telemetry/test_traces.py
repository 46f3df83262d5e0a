"""What a whole system tells a collector: traces with one id from the edge to Stripe, the stores and the audit row; measures; and no customer."""

import json
import re
from pathlib import Path

import pytest

from shared.telemetry.measures import MEASURES
from tests.edge.running_system import ROOT
from tests.peers.collector import Span
from tests.telemetry.conftest import CANARIES, OF_STRIPE, SPAN, TRACE, Told

NOT_HERE = {  # measures that these calls do not lead to, by store
    "embedded": {"billy.cosmos.request_units", "billy.cosmos.throttled", "billy.queue.depth"},
    "azure": {"billy.cosmos.throttled"},
}


def trace(told: Told, id: str, *names: str) -> dict[str, list[Span]]:
    """The spans of a trace by name, once all these are there."""
    spans = told.collector.wait(lambda known: set(names) <= {span.name for span in known.trace(id)} and known.trace(id))
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.name, []).append(span)
    return found


@pytest.mark.requirement("AB-162")
def test_a_refunds_trace_leads_from_the_edge_to_stripe_and_the_stores_and_its_id_stands_in_the_audit_rows(told: Told) -> None:
    id = told.calls["refund"]
    spans = trace(
        told, id, "create_refund", "execute create_refund", "POST /v1/refunds", "GET /v1/charges/{id}", "records.insert", "mirror.apply"
    )
    (edge,), (road,) = spans["create_refund"], spans["execute create_refund"]
    assert road.parent == edge.id
    assert road.attributes == {"billy.role": "owner", "billy.surface": "rest"}
    known = {span.id for each in spans.values() for span in each}
    assert [span.name for each in spans.values() for span in each if span.parent not in known] == ["create_refund"], "one root"
    first, second = sorted(spans["POST /v1/refunds"], key=lambda span: "http.response.status_code" in span.attributes)
    assert (first.kind, first.failed, first.attributes["error.type"]) == ("client", True, "APIConnectionError"), (
        "the try whose answer was lost"
    )
    assert second.attributes.pop("stripe.request_id").startswith("req_")
    assert second.attributes.pop("url.full") == told.system.facts["sandbox_url"] + "/v1/refunds"
    assert second.attributes == {"http.request.method": "POST", "url.template": "/v1/refunds", "http.response.status_code": 200}
    rows = told.system.api("GET", f"/api/audit?correlation_id={id}").json()["data"]
    assert [(row["operation"], row["decision"]) for row in rows] == [("create_refund", "outcome"), ("create_refund", "allowed")]
    # Stripe's event may tell of the refund while the call waits to try again: its end is written down within the event's own trace then.
    assert len(spans["audit.append"]) == len([row for row in rows if row["surface"] == "rest"])


def test_a_callers_own_trace_is_a_link_of_ours(told: Told) -> None:
    (edge,) = trace(told, told.calls["read"], "get_customer")["get_customer"]
    assert (edge.parent, [linked for linked, _ in edge.links]) == ("", [TRACE])
    assert edge.links[0][1] != SPAN, "the host's own span lies between"
    assert told.collector.trace(TRACE) == []
    (row,) = told.system.api("GET", f"/api/audit?correlation_id={told.calls['read']}").json()["data"]
    assert (row["operation"], row["parent"]) == ("get_customer", TRACE)


def test_every_answer_has_an_id_of_its_own_also_a_refusal(told: Told) -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in told.calls.values()), told.calls
    assert len(set(told.calls.values())) == len(told.calls)
    for name, code in (("wrong key", "unauthenticated"), ("no json", "invalid_request"), ("forged event", "invalid_request")):
        rows = told.system.api("GET", f"/api/audit?correlation_id={told.calls[name]}").json()["data"]
        assert [row["code"] for row in rows] == [code], name


def test_an_agents_call_is_one_trace(told: Told) -> None:
    spans = trace(told, told.calls["tool"], "mcp", "execute get_customer", "mirror.get", "audit.append")
    assert spans["execute get_customer"][0].parent == spans["mcp"][0].id


def test_a_webhook_and_the_work_it_leads_to_are_one_trace(told: Told) -> None:
    def applied(known: object) -> str | None:
        """A delivery whose event has reached the mirror."""
        by_trace: dict[str, set[str]] = {}
        for span in list(told.collector.spans):
            by_trace.setdefault(span.trace, set()).add(span.name)
        return next((id for id, names in by_trace.items() if {"stripe_webhook", "apply_event", "mirror.apply"} <= names), None)

    id = told.collector.wait(applied)
    spans = trace(told, id, "stripe_webhook", "apply_event")
    assert (spans["apply_event"][0].kind, spans["apply_event"][0].parent) == ("consumer", spans["stripe_webhook"][0].id)


def test_on_cosmos_db_every_operation_is_a_span_with_its_request_units(told: Told) -> None:
    if told.system.store != "azure":
        assert not [span for span in told.collector.spans if span.name.startswith("cosmos ")]
        return
    spans = trace(told, told.calls["refund"], "cosmos create records", "cosmos read objects")
    (found, *_) = spans["cosmos create records"]
    assert found.attributes.pop("azure.cosmosdb.operation.request_charge") > 0
    assert found.attributes == {"db.system.name": "azure.cosmosdb", "db.collection.name": "records", "db.operation.name": "create"}
    measured = told.collector.measures["billy.cosmos.request_units"]
    assert {(labels["container"], labels["operation"]) for labels, _ in measured} >= {("objects", "read"), ("records", "create")}


def test_the_measures_arrive_with_the_labels_that_the_table_names(told: Told) -> None:
    expected = set(MEASURES) - NOT_HERE[told.system.store]
    told.collector.wait(lambda known: expected <= set(known.measures))
    for name, points in told.collector.measures.items():
        assert all(set(labels) <= set(MEASURES[name].labels) for labels, _ in points), name
    values = {name: [(labels, value) for labels, value in points] for name, points in told.collector.measures.items()}
    assert ({"reason": "global-concurrency"}, 1) in values["billy.stripe.limited"]
    assert ({}, 0) in values["billy.stripe.remaining"]
    ended = [{"operation": "create_refund", "surface": surface, "decision": "outcome"} for surface in ("rest", "stripe")]
    assert any(labels in ended and value >= 1 for labels, value in values["billy.decisions"]), (
        "by the call, or by an event that overtook it"
    )
    assert {"operation": "create_refund", "state": "succeeded"} in [labels for labels, _ in values["billy.attempts.ended"]]
    assert {labels["kind"] for labels, value in values["billy.mirror.complete"] if value == 1} >= {"charge", "customer"}
    if told.system.store == "azure":
        assert {labels["queue"] for labels, _ in values["billy.queue.depth"]} >= {"stripe-events"}


@pytest.mark.requirement("AB-030", "AB-165", "SC-50")
def test_no_key_no_customer_and_no_sentence_of_stripes_is_in_a_trace_a_measure_a_log_line_or_an_audit_row(told: Told) -> None:
    for name in ("refund", "search", "unknown field", "no json", "refused refund", "limited refund"):
        told.collector.wait(lambda known, name=name: known.trace(told.calls[name]))
    logs = {path.name: path.read_text() for path in (told.system.home / "logs").glob("*.log") if path.name != "sandbox.log"}
    rows, cursor = [], ""
    while cursor is not None:
        page = told.system.api("GET", "/api/audit?limit=200" + (f"&cursor={cursor}" if cursor else "")).json()
        rows, cursor = rows + page["data"], page["next_cursor"]
    places = {"audit": json.dumps(rows), "collector": b"".join(told.collector.raw).decode("latin-1"), **logs}
    assert len(rows) > 10 and len(places["collector"]) > 10_000 and "host.log" in logs
    planted = CANARIES | told.secrets() | {"Stripe's words": OF_STRIPE}
    assert all(len(text) > 8 for text in planted.values())
    for what, text in planted.items():
        assert [place for place, content in places.items() if text in content] == [], what


def test_every_line_of_the_hosts_log_is_json(told: Told) -> None:
    lines = (told.system.home / "logs" / "host.log").read_text().splitlines()
    ours = [line for line in lines if not line.startswith("Listening on ")]
    assert ours and all({"at", "level", "logger"} <= set(json.loads(line)) for line in ours)


def test_a_host_that_stops_closes_what_it_opened_and_says_nothing_of_it(told: Told) -> None:
    """Runs last: what is left open is told by its library when the loop ends."""
    before = (told.system.home / "logs" / "host.log").read_text()
    assert told.system.stop() == 0
    assert (told.system.home / "logs" / "host.log").read_text() == before
    assert told.collector.wait(lambda known: known.trace(told.calls["no tool"])), "what was still to be told has been"
    if told.system.store == "embedded":
        assert not list(told.system.home.glob("*.sqlite-wal")), "every log is folded into its file"


def test_the_page_on_telemetry_names_every_measure_with_its_unit_and_labels() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    for name, measure in MEASURES.items():
        labels = ", ".join(f"`{label}`" for label in measure.labels)
        assert f"| `{name}` | {measure.kind} | `{measure.unit}` | {labels} | {measure.says} |" in page, name


def test_the_alerts_listen_for_words_that_the_app_says() -> None:
    from shared.operations import alarms
    from shared.road import settling, shown

    rules = Path(ROOT / "infra/bicep/modules/alerts.bicep").read_text()
    said = {
        value
        for each in (alarms, settling, shown)
        for value in vars(each).values()
        if isinstance(value, str) and value.startswith("billy.")
    }
    assert set(re.findall(r'contains "(billy\.\w+)"', rules)) <= said


def test_the_page_on_telemetry_names_every_line_that_the_app_says() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    code = "\n".join(path.read_text() for folder in ("shared", "functions") for path in sorted((ROOT / folder).rglob("*.py")))
    said = set(re.findall(r'(?:say\(logging\.[A-Z]+, |^[A-Z_]+ = )"(billy\.\w+)"', code, re.M))
    assert len(said) >= 9 and [event for event in sorted(said) if f"| `{event}` | " not in page] == []

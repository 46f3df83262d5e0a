"""Measures: every number that Billy tells of itself, in one table. They cost nothing while telemetry has nowhere to go."""

from dataclasses import dataclass
from typing import Literal, Protocol

from shared.telemetry.lines import lost


@dataclass(frozen=True, slots=True)
class Measure:
    """`kind` is OpenTelemetry's: a counter only grows, a gauge is what is now, a histogram spreads. `unit` is UCUM."""

    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    says: str


MEASURES: dict[str, Measure] = {
    "billy.decisions": Measure(
        "counter",
        "{decision}",
        ("operation", "surface", "decision", "code"),
        "audit rows: what was allowed, denied, refused, previewed, and how it ended",
    ),
    "billy.call.duration": Measure("histogram", "s", ("operation", "surface", "code"), "calls of the road, from permit to outcome"),
    "billy.attempts.ended": Measure("counter", "{attempt}", ("operation", "state"), "attempts to write, by how they ended"),
    "billy.attempts": Measure("gauge", "{attempt}", ("state",), "attempts that are not settled, at most 100 of a state counted"),
    "billy.mirror.age": Measure("gauge", "s", ("kind",), "how far the mirror may lie behind Stripe"),
    "billy.mirror.complete": Measure("gauge", "1", ("kind",), "1 where everything of a kind has been read at least once"),
    "billy.sync.failing": Measure("gauge", "1", (), "parts of the synchronisation that fail: kinds, the list of events, the run"),
    "billy.sync.lag": Measure("gauge", "s", (), "for how long Stripe's own list of events was not read to its end"),
    "billy.sync.set_aside": Measure("gauge", "{event}", (), "events that could not be applied yet"),
    "billy.events": Measure("counter", "{event}", ("outcome", "via"), "events of Stripe's, by what became of them and how they came"),
    "billy.event.delay": Measure("histogram", "s", ("via",), "from the second Stripe made an event to its effect in the mirror"),
    "billy.lookups": Measure(
        "counter", "{lookup}", ("kind", "outcome"), "objects that the mirror did not know: found at Stripe, missing, not asked for"
    ),
    "billy.queue.depth": Measure("gauge", "{message}", ("queue",), "messages that wait, also in the poison queues (Azure's queues only)"),
    "billy.cosmos.request_units": Measure("counter", "{RU}", ("container", "operation"), "what Cosmos DB charged"),
    "billy.cosmos.throttled": Measure("counter", "{answer}", ("container",), "answers of Cosmos DB that asked to wait"),
    "billy.stripe.requests": Measure("counter", "{request}", ("method", "path", "status"), "requests to Stripe, every try counted"),
    "billy.stripe.limited": Measure("counter", "{answer}", ("reason",), "answers of Stripe that said: too many requests"),
    "billy.stripe.remaining": Measure("gauge", "{request}", (), "requests that Stripe still takes in its window, where it said so"),
}


class Recorder(Protocol):
    """What keeps the numbers: `exporting` has the one that OpenTelemetry's SDK stands behind."""

    def record(self, name: str, value: float, labels: dict[str, str]) -> None: ...


_recorder: Recorder | None = None


def use(recorder: Recorder | None) -> None:
    """From now on measures go to `recorder`; None: nowhere."""
    global _recorder
    _recorder = recorder


def measure(name: str, value: float = 1, **labels: str | None) -> None:
    """Adds to a counter, sets a gauge, or puts a value into a histogram. A label that is None is left out."""
    if _recorder is None:
        return
    try:
        _recorder.record(name, value, {key: label for key, label in labels.items() if label is not None})
    except Exception as failure:  # a measure is kept beside a call, and never decides it
        lost(failure)

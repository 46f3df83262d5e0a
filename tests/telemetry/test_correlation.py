"""Trace Context, and what is no such thing: telemetry turns nobody away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.context import Seam
from shared.telemetry import correlation
from shared.telemetry.correlation import Trace, begun_by, read_id, read_traceparent
from shared.telemetry.invocation import began, correlated

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        (f"00-{TRACE}-{SPAN}-01", Trace(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-00", Trace(TRACE, SPAN)),
        (f"cc-{TRACE}-{SPAN}-03", Trace(TRACE, SPAN)),
    ],
)
def test_a_traceparent_names_its_trace_and_its_span_and_its_flags_say_nothing(text: str, trace: Trace) -> None:
    assert read_traceparent(text) == trace


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        7,
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01-extra",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{'٣' * 32}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_no_parent_and_no_error(text: object) -> None:
    assert read_traceparent(text) is None
    with began("function", begun_by(text, lambda _: 5), Seam()):
        assert (correlation.correlation_id(), correlation.parent_id()) == (f"{5:032x}", None)
    assert correlation.correlation_id() is None


def test_a_callers_trace_is_the_parent_of_one_that_is_drawn_here() -> None:
    ours = [begun_by(f"00-{TRACE}-{SPAN}-{flags}", Seam().bits) for flags in ("00", "01") for _ in range(50)]
    assert len({trace.id for trace in ours} | {TRACE}) == 101, "two requests never share one, whatever they send"
    assert {trace.parent for trace in ours} == {Trace(TRACE, SPAN)}
    with began("function", ours[0], Seam()), correlated(Seam()):
        assert (correlation.correlation_id(), correlation.parent_id()) == (ours[0].id, TRACE)


@given(st.text(max_size=80))
def test_no_text_is_an_error(text: str) -> None:
    assert read_traceparent(text) is None or len(text) == 55
    assert read_id(text) is None or len(text) == 32


def test_a_call_within_a_trace_keeps_its_id_and_one_outside_has_its_own() -> None:
    seam = Seam(bits=lambda _: 7)
    with began("function", Trace(TRACE, SPAN), seam), correlated(seam):
        assert correlation.correlation_id() == TRACE
        assert correlation.traceparent() == f"00-{TRACE}-{SPAN}-01"
    with correlated(seam):
        assert correlation.correlation_id() == f"{7:032x}"
        assert read_traceparent(correlation.traceparent()) == Trace(f"{7:032x}", f"{7:016x}"), (
            "a message carries the id without telemetry too"
        )
    assert correlation.traceparent() is None

"""Trace Context, and what is no such thing: telemetry turns nobody away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.context import Seam
from shared.telemetry import correlation
from shared.telemetry.correlation import Trace, read_id, read_traceparent
from shared.telemetry.invocation import began, correlated

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        (f"00-{TRACE}-{SPAN}-01", Trace(TRACE, SPAN, True)),
        (f"00-{TRACE}-{SPAN}-00", Trace(TRACE, SPAN, False)),
        (f"cc-{TRACE}-{SPAN}-03", Trace(TRACE, SPAN, True)),
    ],
)
def test_a_traceparent_names_its_trace_its_span_and_whether_it_is_kept(text: str, trace: Trace) -> None:
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
def test_what_is_no_traceparent_begins_a_trace_of_its_own_instead(text: object) -> None:
    assert read_traceparent(text) is None
    with began("function", text if isinstance(text, str) else None, Seam(bits=lambda _: 5)):
        assert correlation.correlation_id() == f"{5:032x}"
    assert correlation.correlation_id() is None


@given(st.text(max_size=80))
def test_no_text_is_an_error(text: str) -> None:
    assert read_traceparent(text) is None or len(text) == 55
    assert read_id(text) is None or len(text) == 32


def test_a_call_within_a_trace_keeps_its_id_and_one_outside_has_its_own() -> None:
    seam = Seam(bits=lambda _: 7)
    with began("function", f"00-{TRACE}-{SPAN}-01", seam), correlated(seam):
        assert correlation.correlation_id() == TRACE
        assert correlation.traceparent() == f"00-{TRACE}-{SPAN}-01"
    with correlated(seam):
        assert correlation.correlation_id() == f"{7:032x}"
        assert correlation.traceparent() is None, "there is no span that a message could point to"

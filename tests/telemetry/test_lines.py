"""The log: one JSON object a line, our own words alone, whatever a library, a customer or a caller wrote."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.log_lines import JsonLines
from shared.context import Seam
from shared.errors import BillyError
from shared.telemetry.correlation import Trace
from shared.telemetry.invocation import began
from shared.telemetry.lines import Line, keep_foreign_words_out, say

CANARY = "canary-Jane-Doe-jane@example.com"
TRACE = "0af7651916cd43dd8448eb211c80319c"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What a process with the app's guard writes, line by line; each must be JSON."""
    made, root, written = logging.getLogRecordFactory(), logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    keep_foreign_words_out()
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.removeHandler(handler)
    logging.setLogRecordFactory(made)


def test_an_event_is_one_json_object_with_its_time_level_and_correlation_id(lines: Lines) -> None:
    with began("stripe_webhook", Trace(TRACE, "b7ad6b7169203331"), Seam()):
        say(logging.WARNING, "billy.mirror_old", age_seconds=4000)
    (line,) = lines()
    assert line.pop("at").endswith("Z")
    assert line == {"level": "warning", "logger": "billy", "event": "billy.mirror_old", "correlation_id": TRACE, "age_seconds": 4000}


@pytest.mark.requirement("SC-51")
@pytest.mark.parametrize("text", ["a\nb", "a\r\n{}", "\x1b[31mred", '"}, {"event": "forged', "\u2028", "\x00"])
def test_a_text_that_would_begin_a_line_of_its_own_stays_within_its_own(lines: Lines, text: str) -> None:
    say(logging.ERROR, "billy.probe", said=text)
    (line,) = lines()
    assert (line["event"], line["said"]) == ("billy.probe", text)


def test_a_librarys_record_keeps_its_place_and_loses_its_words(lines: Lines) -> None:
    logging.getLogger("azure.core.pipeline").error("refused: %s", CANARY)
    logging.getLogger("aiohttp.client").error(f"cannot send {CANARY}")
    found = lines()
    assert [(line["logger"], line["event"]) for line in found] == [("azure.core.pipeline", "log"), ("aiohttp.client", "log")]
    assert all(line["where"].startswith("test_lines.py:") for line in found)
    assert CANARY not in json.dumps(found)


def test_an_exceptions_words_reach_no_line_not_even_ours(lines: Lines) -> None:
    for name in ("billy", "azure.functions", "uvicorn.error", "stripe"):
        try:
            raise ValueError(CANARY) from KeyError(CANARY)
        except ValueError:
            logging.getLogger(name).exception("it failed")
    found = lines()
    assert [line["error"] for line in found] == ["ValueError"] * 4
    assert CANARY not in json.dumps(found)


async def test_a_task_that_nobody_awaits_tells_what_failed_and_where_and_not_what_it_held(lines: Lines) -> None:
    async def fails() -> None:
        raise RuntimeError(CANARY)

    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": CANARY, "exception": RuntimeError(CANARY)})
    (line,) = [line for line in lines() if line["logger"] == "asyncio"]
    assert (line["error"], CANARY in json.dumps(line)) == ("RuntimeError", False)


async def test_a_crash_of_an_invocation_leaves_a_reference_and_a_place(lines: Lines) -> None:
    with pytest.raises(BillyError) as raised, began("run_sync", Trace(TRACE), Seam()):
        raise LookupError(CANARY)
    (line,) = lines()
    assert (raised.value.code, raised.value.__cause__) == ("internal", None)
    assert (line["event"], line["where"], line["error"]) == ("billy.crash", "run_sync", "LookupError")
    assert line["reference"] == raised.value.reference
    assert line["place"].startswith("test_a_crash_of_an_invocation_leaves_a_reference_and_a_place:")
    assert CANARY not in json.dumps(line) + str(raised.value)


@given(st.dictionaries(st.text(max_size=20), st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans())))
def test_any_line_is_read_back_as_it_was_said(facts: dict[str, Any]) -> None:
    text = str(Line(facts))
    assert "\n" not in text and json.loads(text) == facts

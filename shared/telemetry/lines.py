"""Log lines: one JSON object each, an event's name with numbers and words of a vocabulary.

Only our own words reach the log. Libraries quote requests, rows and customers in theirs, so of a foreign record its logger, level and place in
the source remain, which is where its text can be read.
"""

import logging
import time
import traceback
from typing import Any

import orjson

from shared.telemetry.correlation import correlation_id

OURS = ("billy", "devhost", "quickstart", "sandbox", "uvicorn", "azure.functions")  # write no data of a customer's

SELDOM = 60  # seconds between two lines of one event that would come with every call

_log = logging.getLogger("billy")
_lost: float | None = None  # the moment of the last such line


class Line(dict[str, Any]):
    """A record's message: a mapping whose text is JSON on one line, whatever its values hold."""

    def __str__(self) -> str:
        return orjson.dumps(self, default=str).decode()


def say(level: int, event: str, **facts: str | float | bool | None) -> None:
    """Logs an event, as `logging`'s levels go. Facts are counts, seconds, ids of ours and words of a vocabulary."""
    if _log.isEnabledFor(level):
        known = {"event": event, "correlation_id": correlation_id()} | facts
        _log.log(level, Line({name: value for name, value in known.items() if value is not None}))


def lost(failure: Exception) -> None:
    """Says that something could not be told, at most once a minute: telemetry is kept beside a call, and never decides it."""
    global _lost
    now = time.monotonic()
    if _lost is None or now - _lost >= SELDOM:
        _lost = now
        say(logging.WARNING, "billy.telemetry_lost", error=type(failure).__name__, place=path_of(failure))


def path_of(error: BaseException) -> str:
    """Where an exception was raised: its last four frames by name and line, the innermost first, and none of its words."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-4:])
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in frames)


def keep_foreign_words_out() -> None:
    """From now on, in this process, no record carries an exception's text, and no foreign one its own. May be called twice."""
    made = logging.getLogRecordFactory()
    if getattr(made, "guards", False):
        return

    def guarded(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = made(*arguments, **keywords)
        error = record.exc_info[1] if record.exc_info else None
        foreign = record.name.partition(".")[0] not in OURS and not record.name.startswith(OURS[-1])
        if error is not None or foreign:
            where = f"{record.filename}:{record.lineno}"
            said = {} if foreign else {"message": str(record.msg)}
            failed = {"error": type(error).__name__, "place": path_of(error)} if error is not None else {}
            record.msg, record.args = Line({"event": "log", "logger": record.name, "where": where} | said | failed), None
            record.exc_info = record.exc_text = record.stack_info = None
        return record

    guarded.guards = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(guarded)

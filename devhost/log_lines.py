"""The host's log: one JSON object a line, with what the app says of itself in it as it is."""

import json
import logging
import time
from typing import Any


class JsonLines(logging.Formatter):
    """`at` (UTC), `level`, `logger` and `message`, and an exception's class without its words.

    A message that is a mapping is the app's own structured record: its members stand in the line instead.
    """

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        at = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        line |= dict(record.msg) if isinstance(record.msg, dict) else {"message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
        return json.dumps(line, default=str)

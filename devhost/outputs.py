"""Queue output bindings: what a function left in them becomes messages, before its caller is answered."""

import base64
import json
import logging
from typing import Any

import orjson

from devhost.functions import Function
from devhost.queues.protocol import Queues
from devhost.worker import Datum, Invocation

log = logging.getLogger("devhost")


class OutputFailed(Exception):
    """The messages of an invocation could not be kept; the invocation counts as failed."""


class Outputs:
    def __init__(self, queues: Queues | None, encoding: str) -> None:
        """`encoding` is host.json's messageEncoding: `base64` or `none`."""
        self._queues = queues
        self._encoding = encoding

    async def write(self, function: Function, done: Invocation) -> None:
        """Returns when every message is kept durably; OutputFailed otherwise."""
        if not function.outputs:
            return
        left = list(done.outputs)
        if "$return" in function.outputs and done.result is not None:
            left.append(("$return", done.result))
        for name, datum in left:
            output = function.outputs.get(name)
            if output is None or datum is None or datum.value is None:
                continue
            try:
                bodies = [self.encode(content) for content in contents(datum)]
                assert self._queues is not None
                await self._queues.put(output.queue, bodies)
            except Exception as error:
                log.error("%s: the messages for %s could not be kept: %s", function.name, output.queue, error)
                raise OutputFailed from error

    def encode(self, content: str | bytes) -> str:
        """The text that lies in the queue."""
        if self._encoding == "base64":
            return base64.b64encode(content.encode() if isinstance(content, str) else content).decode("ascii")
        return content if isinstance(content, str) else content.decode()

    def decode(self, body: str) -> str | bytes:
        """What a function gets of a message; ValueError when the text is not in this host's encoding."""
        if self._encoding == "none":
            return body
        raw = base64.b64decode(body, validate=True)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw


def contents(datum: Datum) -> list[str | bytes]:
    """The messages in one output binding, in order.

    The real host parses a text that looks like JSON: an array becomes one message for each element, and an object
    comes out indented. Only a list keeps its texts as they are. Bytes are one message.
    """
    if datum.type == "json":
        value: Any = json.loads(datum.value)
        elements = value if isinstance(value, list) else [value]
        if any(isinstance(element, dict) and set(element) == {"id", "body"} for element in elements):
            raise TypeError("func.QueueMessage is not served as a queue output: give text")
        return [_element(element) for element in elements]
    if datum.type == "string" and _looks_like_json(datum.value):
        value = orjson.loads(datum.value)
        return [_element(element) for element in (value if isinstance(value, list) else [value])]
    return [datum.value]


def _looks_like_json(text: str) -> bool:
    trimmed = text.strip()
    return trimmed[:1] + trimmed[-1:] in ("{}", "[]") and len(trimmed) > 1


def _element(element: Any) -> str:
    return element if isinstance(element, str) else orjson.dumps(element, option=orjson.OPT_INDENT_2).decode()

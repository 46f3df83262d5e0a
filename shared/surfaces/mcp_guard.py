"""What a request to /mcp must be before the protocol library sees it: from here, of this size, in this shape.

Every refusal has fixed words: nothing that the request held is repeated.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from shared.errors import BillyError
from shared.reading import CALL, read_json
from shared.surfaces.mcp_headers import INVALID_PARAMS, ProtocolRefusal

LONGEST_NAME = 128  # characters of a method's or a tool's name

_CREDENTIAL = re.compile(r"token|key|auth|bearer|secret|password|credential|jwt|session", re.IGNORECASE)
_LOOKS_SECRET = re.compile(r"^(billy|rk|sk|whsec|bearer)[_ ]", re.IGNORECASE)

MEND = "Send one JSON-RPC 2.0 request object."


def check_query(query: Mapping[str, str]) -> None:
    """Raises `unauthenticated` where a key travels in the address, where proxies and logs would keep it."""
    if any(_CREDENTIAL.search(name) or _LOOKS_SECRET.search(value) for name, value in query.items()):
        raise BillyError("unauthenticated", "A key in the address is not accepted.", next="Send it as Authorization: Bearer … .")


def check_media_type(media_type: str | None) -> None:
    """Raises `invalid_request` unless the body calls itself JSON."""
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        raise BillyError("invalid_request", "The Content-Type is not application/json.", next=MEND)


def read_message(body: bytes) -> dict[str, Any]:
    """The JSON-RPC message in a body: one request or notification, no batch; what is null in it is left out. Raises `invalid_request`."""
    if not body.strip():
        raise BillyError("invalid_request", "There is no body: no JSON in UTF-8 arrived.", next=f"{MEND} Send Content-Length with it.")
    message = read_json(body, CALL, MEND)
    if not isinstance(message, dict):
        raise BillyError("invalid_request", "The body is not a single JSON-RPC message; batches are not part of the protocol.", next=MEND)
    if not _is_call(cast("dict[str, Any]", message)):
        raise BillyError("invalid_request", "The body is not a JSON-RPC 2.0 request or notification.", next=MEND)
    return _without_nulls(cast("dict[str, Any]", message))


def check_arguments(message: Mapping[str, Any]) -> None:
    """Raises `ProtocolRefusal` where a tool's arguments are no object."""
    if message["method"] == "tools/call" and not isinstance(message.get("params", {}).get("arguments", {}), dict):
        error = BillyError(
            "invalid_request", "The arguments of a tool are one JSON object.", next="Send arguments as an object. No tool ran."
        )
        raise ProtocolRefusal(INVALID_PARAMS, error)


def _without_nulls(message: dict[str, Any]) -> dict[str, Any]:
    """Several clients write null for the parameters that they have not."""
    if message.get("params", {}) is None:
        return {name: value for name, value in message.items() if name != "params"}
    if message["method"] == "tools/call" and message.get("params", {}).get("arguments", {}) is None:
        return message | {"params": {name: value for name, value in message["params"].items() if name != "arguments"}}
    return message


def _is_call(message: Mapping[str, Any]) -> bool:
    method, id = message.get("method"), message.get("id", 0)
    return (
        message.get("jsonrpc") == "2.0"
        and isinstance(method, str)
        and 0 < len(method) <= LONGEST_NAME
        and isinstance(message.get("params", {}), dict | None)
        and ((isinstance(id, str) and len(id) <= LONGEST_NAME) or (isinstance(id, int) and not isinstance(id, bool)))
    )

"""What a request to /mcp must be before the protocol library sees it: from here, of this size, in this shape.

Every refusal has fixed words: nothing that the request held is repeated.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from shared.errors import BillyError
from shared.reading import CALL, read_json
from shared.settings import Settings

LONGEST_NAME = 128  # characters of a method's or a tool's name

_CREDENTIAL = re.compile(r"token|key|auth|bearer|secret|password|credential|jwt|session", re.IGNORECASE)
_LOOKS_SECRET = re.compile(r"^(billy|rk|sk|whsec|bearer)[_ ]", re.IGNORECASE)
_PORT = re.compile(r":\d{1,5}$")

MEND = "Send one JSON-RPC 2.0 request object."


def check_host(host: str | None, settings: Settings) -> None:
    """Raises `not_allowed` unless the Host header names this server; the port does not matter."""
    name = _PORT.sub("", host or "").rstrip(".").lower()
    if name not in settings.allowed_hosts:
        raise BillyError(
            "not_allowed",
            "The Host header does not name this server.",
            next="Use the address the operator gave; the setting BILLY_ALLOWED_HOSTS lists the names.",
        )


def check_origin(origin: str | None, host: str | None, settings: Settings) -> None:
    """Raises `not_allowed` for a browser's request from a page that is neither listed nor this server's own; programs send no Origin.

    `host` is the Host header, checked before: so a page that calls itself by this server's name is this server's.
    """
    own = (f"https://{host}", f"http://{host}") if host else ()
    if origin is not None and origin not in settings.allowed_origins and origin not in own:
        raise BillyError(
            "not_allowed",
            "Requests from this web origin are not accepted.",
            next="Call from a program, or ask the operator to add the origin to BILLY_ALLOWED_ORIGINS.",
        )


def check_query(query: Mapping[str, str]) -> None:
    """Raises `unauthenticated` where a key travels in the address, where proxies and logs would keep it."""
    if any(_CREDENTIAL.search(name) or _LOOKS_SECRET.search(value) for name, value in query.items()):
        raise BillyError("unauthenticated", "A key in the address is not accepted.", next="Send it as Authorization: Bearer … .")


def check_media_type(media_type: str | None) -> None:
    """Raises `invalid_request` unless the body calls itself JSON."""
    if (media_type or "").partition(";")[0].strip().lower() != "application/json":
        raise BillyError("invalid_request", "The Content-Type is not application/json.", next=MEND)


def read_message(body: bytes) -> dict[str, Any]:
    """The JSON-RPC message in a body: one request or notification, no batch. Raises `invalid_request`."""
    message = read_json(body, CALL, MEND)
    if not isinstance(message, dict):
        raise BillyError("invalid_request", "The body is not a single JSON-RPC message; batches are not part of the protocol.", next=MEND)
    if not _is_call(cast("dict[str, Any]", message)):
        raise BillyError("invalid_request", "The body is not a JSON-RPC 2.0 request or notification.", next=MEND)
    return cast("dict[str, Any]", message)


def _is_call(message: Mapping[str, Any]) -> bool:
    method, id = message.get("method"), message.get("id", 0)
    return (
        message.get("jsonrpc") == "2.0"
        and isinstance(method, str)
        and 0 < len(method) <= LONGEST_NAME
        and isinstance(message.get("params", {}), dict)
        and ((isinstance(id, str) and len(id) <= LONGEST_NAME) or (isinstance(id, int) and not isinstance(id, bool)))
    )

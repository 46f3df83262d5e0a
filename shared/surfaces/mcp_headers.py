"""The headers of an MCP message, held against its body: what stands beside a call never says anything else than the call itself.

A proxy, a log or a rule in front of Billy may go by the headers, and Billy goes by the body; so one that differs is refused in every
generation of the protocol. Which generation serves a message is said by its body (decision 16).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from shared.errors import BillyError

HEADER_MISMATCH, INVALID_PARAMS = -32020, -32602  # JSON-RPC codes of the protocol
VERSION = "io.modelcontextprotocol/protocolVersion"  # in `_meta`: a body of the generation without a handshake says its version
HANDSHAKE = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})  # revisions whose version is the header's alone
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}  # what Mcp-Name repeats of the parameters
JSON = "application/json, text/event-stream"  # what the protocol library wants to read in Accept; the answer is JSON

_BASE64, _END = "=?base64?", "?="


class ProtocolRefusal(Exception):
    """A message that the protocol has a code of its own for."""

    def __init__(self, code: int, error: BillyError) -> None:
        super().__init__(error.detail)
        self.code = code
        self.error = error


def check_accept(accept: str | None) -> None:
    """Raises `not_acceptable` where neither JSON nor an event stream is taken. Who names the stream alone gets JSON all the same."""
    if accept is None or not accept.strip():
        return
    weights = _weights(accept)
    json = next((weights[each] for each in ("application/json", "application/*", "*/*") if each in weights), 0.0)
    if not json and not weights.get("text/event-stream"):
        raise BillyError(
            "not_acceptable", "The answer is JSON, which Accept leaves out.", next="Send Accept: application/json, or no Accept."
        )


def routed(headers: Mapping[str, str], message: Mapping[str, Any]) -> dict[str, str]:
    """The headers for the protocol library, which chooses the generation by them. Raises `ProtocolRefusal`."""
    method, params = message["method"], message.get("params", {})
    version = _once(headers.get("mcp-protocol-version"))
    told = params.get("_meta", {}).get(VERSION) if isinstance(params.get("_meta", {}), dict) else None
    named, name = NAMED.get(method), headers.get("mcp-name")
    if "mcp-method" in headers and headers["mcp-method"].strip() != method:
        raise _mismatch("Mcp-Method", "the method of the body")
    if named is not None and name is not None and _decoded(name.strip()) != params.get(named):
        raise _mismatch("Mcp-Name", f"the parameter {named} of the body")
    kept = {each: headers[each].strip() for each in ("mcp-method", "mcp-name") if each in headers}
    kept |= {"accept": JSON, "content-type": "application/json"}
    if told is not None and method != "initialize":
        if not isinstance(told, str) or told in HANDSHAKE:
            if version is not None and version != told:
                raise _mismatch("MCP-Protocol-Version", "the version in _meta")
        elif (
            version is None or version in HANDSHAKE
        ):  # an older header over a newer body: the body is served, and so all of its headers are its
            return (
                {"mcp-method": method}
                | ({"mcp-name": _encoded(params[named])} if named in params else {})
                | kept
                | {"mcp-protocol-version": told}
            )
        elif version != told:
            raise _mismatch("MCP-Protocol-Version", "the version in _meta")
    return kept if version is None else kept | {"mcp-protocol-version": version}


def _once(version: str | None) -> str | None:
    """A header that came twice arrives with a comma; the same value twice is that value."""
    if version is None:
        return None
    values = {value.strip() for value in version.split(",")}
    if len(values) > 1:
        raise _mismatch("MCP-Protocol-Version", "itself: it came with several values")
    return values.pop()


def _mismatch(header: str, what: str) -> ProtocolRefusal:
    error = BillyError(
        "invalid_request",
        f"The header {header} contradicts {what}.",
        next=f"Send {header} once, as the body has it, or leave it out where the protocol lets you. No tool ran.",
    )
    return ProtocolRefusal(HEADER_MISMATCH, error)


def _decoded(value: str) -> str | None:
    """The text of a header, which travels in base64 where it is not plain ASCII; None where that cannot be read."""
    if not (value.startswith(_BASE64) and value.endswith(_END)):
        return value
    payload = value[len(_BASE64) : -len(_END)]
    try:
        raw = base64.b64decode(payload, validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _encoded(value: Any) -> str:
    return f"{_BASE64}{base64.b64encode(str(value).encode()).decode()}{_END}"


def _weights(accept: str) -> dict[str, float]:
    """Media types, and how much each is wanted: 0 to 1, and 1 where nothing readable is said."""
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *more = (each.strip() for each in part.split(";"))
        quality = next((each[2:] for each in more if each.startswith("q=")), "1")
        try:
            found[kind] = float(quality)
        except ValueError:
            found[kind] = 1.0
    return found

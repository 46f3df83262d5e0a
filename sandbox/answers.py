"""What leaves the sandbox: an answer as it is, or what the faults of its request make of it."""

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.errors import StripeError
from sandbox.faults import PAGE, Fault


class Cut(Response):
    """Promises the whole body, sends it up to a byte, and ends the connection."""

    def __init__(self, payload: bytes, status: int, headers: dict[str, str], *, at: int) -> None:
        super().__init__(payload, status, headers)
        self._at = at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: self._at], "more_body": True})
        scope["sandbox.transport"].close()
        # The server complains of an unfinished answer, unless the connection is gone when this returns.
        while (await receive())["type"] != "http.disconnect":
            pass


def document(error: StripeError, headers: dict[str, str]) -> bytes:
    """The body of an error; the error's own headers join those of the answer."""
    headers |= error.headers
    body = error.body()
    body["error"]["request_log_url"] = f"https://dashboard.stripe.com/test/workbench/logs?object={headers['Request-Id']}"
    return orjson.dumps(body)


def leaving(hit: dict[str, Fault], status: int, payload: bytes, headers: dict[str, str]) -> Response:
    """The answer to send: `status` and `payload`, unless a fault of the request spoils them."""
    kind = "application/json"
    if (fault := hit.get("status")) and fault.after:
        status, payload = fault.status, document(fault.error(headers.get("Idempotency-Key")), headers)
        if not fault.remembered:  # whoever answers so does not know that the request was executed
            headers.pop("Original-Request", None)
    if fault := hit.get("malformed"):
        status, payload = fault.status, fault.body.encode()
        kind = "text/html; charset=utf-8" if fault.body == PAGE else kind
        headers = headers | fault.headers
        if not fault.request_id:
            for name in ("Request-Id", "Original-Request"):
                headers.pop(name, None)
    headers = {"Content-Type": kind} | headers
    if fault := hit.get("cut"):
        at = len(payload) // 2 if fault.at < 0 else fault.at
        if at < len(payload):  # a shorter answer passes whole, as it does where a large page is cut on its way
            return Cut(payload, status, headers, at=at)
    return Response(payload, status, headers)

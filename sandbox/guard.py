"""Who may call: a process of this machine, and no web page; and for the control routes, who holds the sandbox's token.

A page of any site can send requests to loopback, and by rebinding its own name even read the answers. A browser tells on it: by the
Host, the Origin, and Sec-Fetch-Site.
"""

import hmac
import os
import secrets
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.errors import StripeError

CONTROL = "/_sandbox/"
OPEN = CONTROL + "health"  # says that the sandbox is there, to whoever waits for it
TOKEN_FILE = "control.token"  # noqa: S105 — the name of the file
TOKEN_HEADER = "sandbox-token"  # noqa: S105 — the name of the header, for a caller whose Authorization holds a key of Stripe's


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine itself, whatever a name server says."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def token_of(home: Path) -> str:
    """The token of the control routes, made at the first start; only the owner of the folder can read it."""
    file = home / TOKEN_FILE
    if not file.exists():
        fresh = file.with_suffix(".unfinished")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(32))
        fresh.replace(file)
    return file.read_text().strip()


class Guard:
    """Stands before every route. What it refuses changes nothing and is not in the list of requests."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refused := _stranger(headers) or self._uncontrolled(scope, headers):
            await _refusal(scope["path"], *refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _uncontrolled(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if scope["path"] == OPEN or not scope["path"].startswith(CONTROL):
            return None
        scheme, _, value = headers.get("authorization", "").partition(" ")
        given = headers.get(TOKEN_HEADER) or (value.strip() if scheme.lower() == "bearer" else "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return 401, f"The control routes want the sandbox's token: sandbox_token in run.json, or {TOKEN_FILE} in the sandbox's folder."
        if scope["method"] not in ("GET", "DELETE") and headers.get("content-type", "").partition(";")[0].strip().lower() != (
            "application/json"
        ):
            return 415, "The control routes take application/json."
        return None


def _stranger(headers: Headers) -> tuple[int, str] | None:
    """Why a request cannot be from a program of this machine."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or "@" in hosts[0] or not is_loopback(f"http://{hosts[0]}"):
        return 403, "This sandbox answers under its own address alone: the Host is not one of loopback."
    if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in headers.getlist("origin")):
        return 403, "This sandbox answers no web page: the Origin is foreign."
    if any(site.lower() not in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
        return 403, "This sandbox answers no web page: Sec-Fetch-Site says that another site asks."
    return None


def _refusal(path: str, status: int, words: str) -> Response:
    body = {"error": words} if path.startswith(CONTROL) else StripeError(status, words).body()
    return Response(orjson.dumps(body), status, media_type="application/json")

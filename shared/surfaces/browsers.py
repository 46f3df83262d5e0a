"""Who may call from where: the name of this server, the pages whose scripts may call, and what a browser is told of both.

A program sends neither Origin nor Sec-Fetch-Site; a browser sends them for every page, and no page can change them.
"""

import re
from collections.abc import Mapping

from shared.errors import BillyError
from shared.settings import Settings

ASKED = (
    "authorization, content-type, idempotency-key, mcp-protocol-version, mcp-method, mcp-name, traceparent"  # headers of our own surfaces
)
SHOWN = "www-authenticate, retry-after, x-correlation-id, allow, ratelimit-limit, ratelimit-remaining, ratelimit-reset"
KEPT = "600"  # seconds that a browser may keep the answer to a preflight

_PORT = re.compile(r":\d{1,5}$")


def check_caller(headers: Mapping[str, str], settings: Settings, *, named: bool = True) -> None:
    """Raises `not_allowed` unless the request names this server and comes from a program, from its own pages or from a listed one.

    `named`: one without a Host header is refused too, which no browser sends.
    """
    host, origin = headers.get("host"), headers.get("origin")
    if named or host is not None:
        _check_host(host, settings)
    _check_origin(origin, host, settings)
    if origin is None and headers.get("sec-fetch-site", "").strip().lower() in ("cross-site", "same-site"):
        raise _foreign()


def is_listed(origin: str | None, settings: Settings) -> bool:
    """Whether the operator named this web origin."""
    return origin is not None and origin in settings.allowed_origins


def is_preflight(method: str, headers: Mapping[str, str], settings: Settings) -> bool:
    """Whether a browser asks, before it sends anything, if a listed page may call."""
    return method == "OPTIONS" and "access-control-request-method" in headers and is_listed(headers.get("origin"), settings)


def preflight_headers(verbs: str) -> dict[str, str]:
    """What a browser is told before it sends the request itself. No credentials: keys travel in Authorization alone."""
    return {"Access-Control-Allow-Methods": verbs, "Access-Control-Allow-Headers": ASKED, "Access-Control-Max-Age": KEPT}


def answer_headers(headers: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What every answer carries, so that a listed page may read it, and no cache gives it to another."""
    if not settings.allowed_origins:
        return {}
    varying = {"Vary": "Origin"}
    origin = headers.get("origin")
    if origin is None or not is_listed(origin, settings):
        return varying
    return varying | {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": SHOWN}


def _check_host(host: str | None, settings: Settings) -> None:
    """The port does not matter."""
    name = _PORT.sub("", host or "").rstrip(".").lower()
    if name not in settings.allowed_hosts:
        raise BillyError(
            "not_allowed",
            "The Host header does not name this server.",
            next="Use the address the operator gave; the setting BILLY_ALLOWED_HOSTS lists the names.",
        )


def _check_origin(origin: str | None, host: str | None, settings: Settings) -> None:
    """`host` is the Host header, checked before: so a page that calls itself by this server's name is this server's."""
    own = (f"https://{host}", f"http://{host}") if host else ()
    if origin is not None and origin not in settings.allowed_origins and origin not in own:
        raise _foreign()


def _foreign() -> BillyError:
    return BillyError(
        "not_allowed",
        "Requests from this web origin are not accepted.",
        next="Call from a program, or ask the operator to add the origin to BILLY_ALLOWED_ORIGINS.",
    )

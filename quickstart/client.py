"""Small JSON calls to our own addresses on this machine."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any


class CallFailed(Exception):
    """The address answered with an error, or not at all; the text says which, and holds no secret."""


def call(method: str, url: str, *, key: str = "", body: Any = None, form: Mapping[str, str] | None = None, timeout: float = 120) -> Any:
    """The JSON answer of a call. Raises `CallFailed`."""
    data = json.dumps(body).encode() if body is not None else urllib.parse.urlencode(form).encode() if form is not None else None
    kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
    request = urllib.request.Request(  # noqa: S310
        url, data=data, method=method, headers={"content-type": kind, "accept": "application/json, text/event-stream"}
    )
    if key:
        request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise CallFailed(f"{method} {urllib.parse.urlsplit(url).path} answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise CallFailed(f"{method} {urllib.parse.urlsplit(url).path} got no answer ({type(error).__name__})") from None


def wait_for(url: str, seconds: float, alive: Callable[[], None]) -> Any:
    """The first good answer of an address. `alive` raises when waiting has become pointless."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call("GET", url, timeout=5)
        except CallFailed:
            alive()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

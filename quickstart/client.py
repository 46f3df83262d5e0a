"""Small JSON calls to our own addresses on this machine."""

import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment does not know this machine's ports


class CallFailed(Exception):
    """The address answered with an error, or not at all; the text says which, and holds no secret. `passing` where it may answer better later."""

    def __init__(self, text: str, passing: bool) -> None:
        super().__init__(text)
        self.passing = passing


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
        with _direct.open(request, timeout=timeout) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise CallFailed(f"{method} {urllib.parse.urlsplit(url).path} answered {error.code}", error.code in (502, 503, 504)) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CallFailed(f"{method} {urllib.parse.urlsplit(url).path} got no answer ({type(error).__name__})", True) from None


def wait_for[T](ask: Callable[[], T], seconds: float, tend: Callable[[], None]) -> T:
    """The first good answer, where it is worth waiting for one. `tend` is called all the while, and raises when that has become pointless.

    A call waits at the socket of a process that has ended, until it is there again: who waits must look after the processes meanwhile.
    """
    deadline = time.monotonic() + seconds
    while True:
        answers: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()
        threading.Thread(target=_ask, args=(ask, answers), daemon=True).start()
        value, error = _first(answers, tend)
        if error is None:
            return value  # pyright: ignore[reportReturnType]
        tend()
        if not isinstance(error, CallFailed) or not error.passing or time.monotonic() > deadline:
            raise error
        time.sleep(0.05)


def _ask[T](ask: Callable[[], T], answers: SimpleQueue[tuple[T | None, Exception | None]]) -> None:
    try:
        answers.put((ask(), None))
    except Exception as error:
        answers.put((None, error))


def _first[T](answers: SimpleQueue[T], tend: Callable[[], None]) -> T:
    while True:
        try:
            return answers.get(timeout=0.1)
        except Empty:
            tend()

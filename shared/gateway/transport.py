"""The SDK's asynchronous HTTP client with the gaps closed. Loaded with the SDK, on the first call to Stripe."""

import asyncio
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import stripe

from shared.context import Sending
from shared.gateway import failures
from shared.gateway.kinds import KINDS
from shared.gateway.pace import Pace
from shared.telemetry.measures import measure
from shared.telemetry.spans import span

TRY = 20.0  # seconds for one try, from connecting to the last byte
RETRIES = 2  # the SDK's client sends once unless it is told otherwise
SEGMENTS = {"", "v1", "account", "events", "webhook_endpoints", "search"} | {
    part for kind in KINDS.values() for part in kind.path.split("/")
}

_acting: ContextVar["Tries | None"] = ContextVar("billy_acting", default=None)

stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)  # at INFO it writes Stripe's sentences, and with them customers' data


@dataclass(slots=True)
class Tries:
    """What one act sends: the SDK tries several times inside one call, and each try asks first whether it may, and tells what became of it."""

    sending: Sending
    sent: int = 0
    noes: int = 0

    @property
    def nobody_knows(self) -> bool:
        """Whether some try may have had an effect."""
        return self.sent > self.noes

    def go(self) -> float:
        """Seconds that this try may take. Raises the SDK's error, not to be tried again, where none may be sent any more."""
        left = self.sending.left()
        if left <= 0:
            raise stripe.APIConnectionError("The time of this call is over.", should_retry=False)
        self.sending.sent()
        self.sent += 1
        return min(left, TRY)

    def hear(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        no = failures.told(status, headers, failures.document_of(body)) is failures.Told.NO
        self.noes += no
        self.sending.answered(no=no, replayed=failures.is_replayed(headers))


@contextmanager
def acting(sending: Sending) -> Generator[Tries]:
    """What is sent within belongs to an act."""
    tries = Tries(sending)
    token = _acting.set(tries)
    try:
        yield tries
    finally:
        _acting.reset(token)


class Transport(stripe.AIOHTTPClient):
    """One session for all calls. An answer that breaks off half-way is a lost connection, as the SDK's retries expect it."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        super().__init__(timeout=aiohttp.ClientTimeout(total=TRY))  # type: ignore[arg-type]

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One try, which is a span and a measure of its own."""
        tries = _acting.get()
        if tries is None:
            return await self._measured(method, url, headers, post_data)
        try:
            async with asyncio.timeout(tries.go()):
                body, status, answered = await self._measured(method, url, headers, post_data)
        except TimeoutError as late:
            raise stripe.APIConnectionError("No answer came in time.", should_retry=True) from late
        tries.hear(status, answered, body)
        return body, status, answered

    async def _measured(self, method: str, url: str, headers: Mapping[str, str], post_data: Any) -> tuple[bytes, int, Mapping[str, str]]:
        self._pace.sent()
        verb, path, asked = method.upper(), template(url), urlsplit(url)
        facts = {"http.request.method": verb, "url.template": path, "url.full": f"{asked.scheme}://{asked.netloc}{path}"}
        with span(f"{verb} {path}", "client", facts) as seen:
            try:
                body, status, answered = await self._send(method, url, headers, post_data)
            except stripe.APIConnectionError:
                measure("billy.stripe.requests", method=verb, path=path, status="none")
                raise
            told = failures.limits(status, answered)
            measure("billy.stripe.requests", method=verb, path=path, status=str(status))
            if told.limited_by is not None:
                measure("billy.stripe.limited", reason=told.limited_by)
            if told.remaining is not None:
                measure("billy.stripe.remaining", told.remaining)
            seen.set("http.response.status_code", status)
            seen.set("stripe.request_id", told.request_id)
            seen.set("stripe.limited_by", told.limited_by)
            return body, status, answered

    async def _send(self, method: str, url: str, headers: Mapping[str, str], post_data: Any) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            return await super().request_async(method, url, headers, post_data)  # pyright: ignore[reportUnknownMemberType]
        except stripe.APIConnectionError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as cut:
            raise stripe.APIConnectionError("The answer broke off.", should_retry=True) from cut

    async def get(self, url: str, headers: Mapping[str, str]) -> tuple[bytes, int, Mapping[str, str]]:
        """Body, status and headers, with the SDK's retries but without its objects."""
        return await self.request_with_retries_async("get", url, headers, max_network_retries=RETRIES)  # pyright: ignore[reportUnknownMemberType]


def template(url: str) -> str:
    """The path of a request with `{id}` for whatever names one object: `/v1/charges/{id}`."""
    return "/".join(part if part in SEGMENTS else "{id}" for part in urlsplit(url).path.split("/"))


def open_client(key: str, base: str, transport: Transport) -> stripe.StripeClient:
    """The SDK's client over the transport, for the API at `base`."""
    return stripe.StripeClient(key, base_addresses={"api": base}, http_client=transport, max_network_retries=RETRIES)


def headers(key: str) -> dict[str, str]:
    """What the SDK would send with a GET."""
    return {
        "Authorization": f"Bearer {key}",
        "Stripe-Version": stripe.api_version,
        "User-Agent": f"Stripe/v1 PythonBindings/{stripe.VERSION}",
    }

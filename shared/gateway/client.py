"""The calls that Billy makes of Stripe. The SDK is loaded with the first of them."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

from shared.context import Context, Fetched, Sending
from shared.errors import BillyError
from shared.gateway import failures
from shared.gateway.keys import check_key
from shared.gateway.kinds import API_VERSION, KINDS, Kind, is_id, write_from_object
from shared.gateway.pace import Pace
from shared.settings import Settings
from shared.stores.protocols import Write

if TYPE_CHECKING:
    import stripe

    from shared.gateway.transport import Transport

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list: `values` newest first, each with an id; the second of Stripe's clock at or after which all of it was true.

    `odd` counts entries that are no objects with an id: they are left out, and what they stand for is not known.
    """

    values: list[dict[str, Any]]
    has_more: bool
    stamp: int
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint just made. Its secret is told this once."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Endpoint({self.id})"


class StripeGateway:
    """`context.Stripe` and what synchronisation needs besides, over one connection pool. Close it.

    Every request is counted in `pace`; work that nobody waits for asks through it.
    """

    def __init__(self, key: str, settings: Settings) -> None:
        """Raises `unavailable` for a key that Billy does not take."""
        self.livemode = check_key(key, settings) == "live"
        self.account_id: str | None = None  # None where nobody has told it yet, or the key may not read it
        self._key = key
        self._base = settings.stripe_api_base.rstrip("/")
        self.pace = Pace(settings.sync_requests_per_second)
        self._transport: Transport | None = None
        self._client: stripe.StripeClient | None = None

    def __repr__(self) -> str:
        return f"StripeGateway({'live' if self.livemode else 'test'} mode)"

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.close_async()
            self._transport = self._client = None

    async def retrieve(self, kind: str, id: str) -> Fetched:
        value, stamp = await self._call("get", f"{KINDS[kind].path}/{_checked(id, kind)}")
        if value.get("object") != kind or value.get("id") != id:
            raise failures.unreadable(200, wrote=False)
        return self._fetched(kind, value, stamp)

    async def create_refund(self, params: Mapping[str, Any], sending: Sending) -> Fetched:
        return self._fetched("refund", *await self._send("refund", KINDS["refund"].path, params, sending))

    async def of_charge(self, kind: str, charge: str) -> list[Fetched]:
        params: dict[str, str | int] = {"charge": _checked(charge), "limit": 100}
        found: list[Fetched] = []
        while True:
            page = await self.list_page(kind, params)
            found += [Fetched(value, write_from_object(kind, value, page.stamp)) for value in page.values]
            if not page.has_more:
                return found
            cursor = str(page.values[-1]["id"]) if page.values else ""
            if not cursor or cursor == params.get("starting_after"):  # a list that does not move on has no end
                raise failures.unreadable(200, wrote=False)
            params["starting_after"] = cursor

    async def balance_transaction(self, id: str) -> dict[str, Any]:
        value, _ = await self._call("get", f"/v1/balance_transactions/{_checked(id)}")
        return value

    async def list_page(self, kind: str, params: Params) -> ListPage:
        """A page of one kind, without the SDK's objects, whose making would cost more than all the rest."""
        facts = KINDS[kind]
        return await self._page(facts.path, {**dict(facts.params), **params})

    async def list_events(self, params: Params) -> ListPage:
        """A page of the events of the last thirty days, whole."""
        return await self._page("/v1/events", params)

    async def retrieve_event(self, id: str) -> dict[str, Any]:
        value, _ = await self._call("get", f"/v1/events/{_checked(id)}")
        return value

    async def account(self) -> dict[str, Any]:
        value, _ = await self._call("get", "/v1/account")
        return value

    async def create_webhook_endpoint(self, url: str, events: Sequence[str], idempotency_key: str) -> Endpoint:
        """A snapshot endpoint pinned to the SDK's API version, so that events come in the shape that the mirror keeps."""
        params = {"url": url, "enabled_events": list(events), "api_version": API_VERSION}
        value, _ = await self._call("post", "/v1/webhook_endpoints", params, idempotency_key)
        return Endpoint(str(value["id"]), str(value["secret"]))

    def _open(self) -> "tuple[stripe.StripeClient, Transport]":
        if self._client is None or self._transport is None:
            from shared.gateway.transport import Transport, open_client

            self._transport = Transport(self.pace)
            self._client = open_client(self._key, self._base, self._transport)
        return self._client, self._transport

    async def _send(self, kind: str, path: str, params: Mapping[str, Any], sending: Sending) -> tuple[dict[str, Any], int]:
        """An act: what it sent and what was answered is told to `sending`, try by try. Raises with `outcome_unknown` unless all of it was a no."""
        from shared.gateway.transport import acting

        self._open()
        await sending.begin()
        with acting(sending) as tries:
            try:
                value, stamp = await self._call("post", path, params, sending.key)
            except BillyError as error:
                error.outcome_unknown = tries.nobody_knows
                raise
        if value.get("object") != kind or not isinstance(value.get("id"), str):
            raise failures.unreadable(200, wrote=True)
        return value, stamp

    async def _call(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, idempotency_key: str | None = None
    ) -> tuple[dict[str, Any], int]:
        """The answer and its stamp. Raises `BillyError`."""
        client, _ = self._open()
        from stripe import StripeError

        wrote = method != "get"
        options: dict[str, Any] = {"idempotency_key": idempotency_key} if idempotency_key else {}
        begun = time.monotonic()
        try:
            answer = await client.raw_request_async(method, path, **dict(params or {}), **options)  # pyright: ignore[reportUnknownMemberType]
        except StripeError as error:
            raise failures.from_sdk(error, wrote=wrote) from None
        except asyncio.CancelledError:
            raise
        except Exception:  # of the transport; what it says may quote the request
            raise failures.lost(wrote=wrote) from None
        value = failures.document_of(answer.body.encode())
        if not isinstance(value, dict):
            raise failures.unreadable(answer.code, wrote=wrote)
        return value, _stamp(answer.headers, begun)  # pyright: ignore[reportUnknownVariableType]

    async def _page(self, path: str, params: Params) -> ListPage:
        _, transport = self._open()
        from stripe import APIConnectionError

        from shared.gateway.transport import headers

        url = f"{self._base}{path}?{urlencode(params)}"
        begun = time.monotonic()
        try:
            body, status, answered = await transport.get(url, headers(self._key))
        except APIConnectionError:
            raise failures.lost(wrote=False) from None
        document: Any = failures.document_of(body)
        if status >= 300:
            raise failures.refusal(status, document, answered, wrote=False)
        page = _page_of(document, _stamp(answered, begun))
        if page is None:
            raise failures.unreadable(status, wrote=False)
        return page

    @staticmethod
    def _fetched(kind: str, value: dict[str, Any], stamp: int) -> Fetched:
        return Fetched(value, write_from_object(kind, value, stamp))


async def gateway(context: Context) -> StripeGateway:
    """The context's door to Stripe with all its calls, not only those that operations may make. Raises TypeError for another door."""
    found = await context.stripe()
    if not isinstance(found, StripeGateway):
        raise TypeError(f"{type(found).__name__} cannot synchronise.")
    return found


def _page_of(document: Any, stamp: int) -> ListPage | None:
    """The page that a list's JSON tells; None where it is none."""
    try:
        data, has_more = document["data"], document["has_more"]
    except (KeyError, TypeError):
        return None
    if not isinstance(data, list) or not isinstance(has_more, bool):
        return None
    entries: list[Any] = data  # pyright: ignore[reportUnknownVariableType]
    values = [each for each in entries if each.__class__ is dict and each.get("id").__class__ is str]
    return ListPage(values, has_more, stamp, len(entries) - len(values))


def writes_from_page(kind: Kind, page: ListPage) -> list[Write]:
    """The mirror writes of a page of one kind."""
    dumps, stamp, name = orjson.dumps, page.stamp, kind.name
    return [write_from_object(name, value, stamp, dumps(value)) for value in page.values]


def _checked(id: str, kind: str | None = None) -> str:
    """The id, fit for a path: an empty one would ask for the list, and a slash or dots for something else."""
    if not is_id(id, kind):
        raise BillyError("not_found", "Stripe has no such object.", next="Check the id.")
    return quote(id, safe="")


def _stamp(headers: Mapping[str, str], begun: float) -> int:
    """A second of Stripe's clock that is certainly not later than the moment at which the answer's content was read.

    0 where Stripe did not tell its clock: such a content takes no place from anything that is there.
    """
    told = failures.stripe_second(headers)
    return 0 if told is None else told - math.ceil(time.monotonic() - begun)

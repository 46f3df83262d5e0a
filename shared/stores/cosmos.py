"""The door to one Cosmos DB account: point operations and queries, throttling waited out, request units counted."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from math import ceil
from typing import Any, cast

from shared.errors import BillyError
from shared.stores.cosmos_consistency import Consistency
from shared.stores.cosmos_layout import CONSISTENCY, DATABASE, KEY_PATH, layout
from shared.telemetry.measures import measure
from shared.telemetry.spans import span

type Document = dict[str, Any]

PATIENCE = 8.0  # seconds that one operation waits, all in all, while the account says it has too much to do
LONGEST = 200  # characters of an id as it is; a longer one is a hash, since the engine takes 1,023 bytes
_PLAIN = re.compile(rb"[A-Za-z0-9_:-]")
_NO_CONTAINER = 1003  # says of a 404 that the container is missing, not the document
_PASSING = (408, 410, 429, 449, 500, 502, 503, 504)


class RequestUnits:
    """What the account charged in this process, by container and operation; operations are counted beside it."""

    def __init__(self) -> None:
        self.charged: Counter[tuple[str, str]] = Counter()
        self.operations: Counter[tuple[str, str]] = Counter()
        self.throttled = 0

    def note(self, container: str, operation: str, headers: Mapping[str, Any]) -> float:
        """Takes the charge from an answer's headers, and tells it."""
        charge = float(next((value for name, value in headers.items() if name.lower() == "x-ms-request-charge"), 0))
        self.charged[container, operation] += charge  # type: ignore[assignment]
        self.operations[container, operation] += 1
        measure("billy.cosmos.request_units", charge, container=container, operation=operation)
        return charge

    def note_throttled(self, container: str) -> None:
        self.throttled += 1
        measure("billy.cosmos.throttled", container=container)

    @property
    def total(self) -> float:
        return float(sum(self.charged.values()))


class CosmosAccount:
    """The account at `endpoint`, opened on first use; mirror and records share one. `credential` is a managed identity
    (an asynchronous token credential), or a key as text where an emulator runs. A plain `http` endpoint is an emulator."""

    def __init__(self, endpoint: str, credential: Any, *, database: str = DATABASE, patience: float = PATIENCE) -> None:
        self.units = RequestUnits()
        self._endpoint = endpoint
        self._credential = credential
        self._database = database
        self._patience = patience
        self._client: Any = None
        self._closed = False
        self._opening = asyncio.Lock()
        self.consistency = Consistency(self._default_consistency)

    def __repr__(self) -> str:
        return "CosmosAccount(…)"

    def container(self, name: str) -> "Container":
        return Container(self, name, self._patience)

    async def create_missing(self) -> None:
        """Makes the database and the containers that are not there: for an emulator. In Azure they are deployed."""
        from azure.cosmos import PartitionKey

        client = await self.client()
        database = await client.create_database_if_not_exists(self._database)
        for each in layout()["containers"]:
            await database.create_container_if_not_exists(
                each["name"],
                PartitionKey(KEY_PATH),
                indexing_policy=each["indexingPolicy"],
                default_ttl=each["defaultTtl"],
            )

    async def client(self) -> Any:
        if self._client is not None:
            return self._client
        async with self._opening:
            if self._closed:
                raise RuntimeError("The store is closed.")
            if self._client is None:
                from azure.core.pipeline.transport import AioHttpTransport
                from azure.cosmos.aio import CosmosClient
                from azure.cosmos.documents import ConnectionPolicy

                from shared.stores.identity import identified

                policy = ConnectionPolicy()
                # Throttling is waited out here, where it is counted and has an end, and not a second time below.
                policy.RetryOptions = type(policy.RetryOptions)(max_retry_attempt_count=0)
                emulator = self._endpoint.startswith("http://")
                policy.EnableEndpointDiscovery = not emulator
                # Proxies of the environment would be looked up for each request, which costs a third of the client's processor time.
                transport = AioHttpTransport(use_env_settings=False)
                credential = self._credential if isinstance(self._credential, str) else identified(self._credential)
                opened = CosmosClient(self._endpoint, credential, connection_policy=policy, transport=transport)
                try:
                    await opened.__aenter__()
                except BaseException as error:
                    await opened.close()
                    raise _ours(error) from None
                self._client = opened
            return self._client

    async def _default_consistency(self) -> str | None:
        from azure.core.exceptions import AzureError

        client = await self.client()
        try:
            account = await client._get_database_account()
        except AzureError as error:
            raise _ours(error) from None
        policy: Mapping[str, Any] = account.ConsistencyPolicy or {}
        level = policy.get("defaultConsistencyLevel")
        if level == CONSISTENCY:
            # A client that was opened while the account was weaker goes on asking for that.
            client.client_connection.default_headers.pop("x-ms-consistency-level", None)
        return level

    async def proxy(self, container: str) -> Any:
        return (await self.client()).get_database_client(self._database).get_container_client(container)

    async def close(self) -> None:
        """Closes the connections. May be called twice; the credential stays its owner's."""
        opened, self._client, self._closed = self._client, None, True
        if opened is not None:
            await opened.close()


class Container:
    """Documents of one container. Every document carries `id` and `pk`; an answer carries its `_etag`.

    Raises `unavailable` where the account cannot be reached, or throttles for longer than the account's patience; and for a
    write where the account's consistency is too weak.
    """

    def __init__(self, account: CosmosAccount, name: str, patience: float) -> None:
        self._account = account
        self._name = name
        self._patience = patience

    async def read(self, pk: str, id: str) -> Document | None:
        """A point read."""
        return await self._call("read", (404,), lambda proxy, hook: proxy.read_item(id, pk, response_hook=hook))

    async def create(self, document: Document) -> Document | None:
        """The document as it is stored, or None where one of its id is there."""
        await self._account.consistency.require()
        return await self._call("create", (409,), lambda proxy, hook: proxy.create_item(document, response_hook=hook))

    async def replace(self, document: Document, etag: str) -> Document | None:
        """The document as it is stored, or None where what is there is not what `etag` names any more."""
        from azure.core import MatchConditions

        await self._account.consistency.require()
        return await self._call(
            "replace",
            (404, 412),
            lambda proxy, hook: proxy.replace_item(
                document["id"], document, etag=etag, match_condition=MatchConditions.IfNotModified, response_hook=hook
            ),
        )

    async def query(self, text: str, values: Mapping[str, Any], pk: str | None = None) -> list[Any]:
        """All that the query answers, so it says how many. With `pk` it stays within a partition, and must say so itself too."""
        parameters = [{"name": f"@{name}", "value": value} for name, value in values.items()]

        async def ask(proxy: Any, hook: Callable[..., None]) -> list[Any]:
            where: dict[str, Any] = {} if pk is None else {"partition_key": pk}
            return [each async for each in proxy.query_items(text, parameters=parameters, response_hook=hook, **where)]

        return await self._call("query" if pk else "query across", (), ask)

    async def _call(self, operation: str, expected: tuple[int, ...], ask: Callable[[Any, Callable[..., None]], Awaitable[Any]]) -> Any:
        facts = {"db.system.name": "azure.cosmosdb", "db.collection.name": self._name, "db.operation.name": operation.replace(" ", "_")}
        with span(f"cosmos {operation} {self._name}", "client", facts) as seen:
            return await self._tried(operation, expected, ask, seen)

    async def _tried(
        self, operation: str, expected: tuple[int, ...], ask: Callable[[Any, Callable[..., None]], Awaitable[Any]], seen: span
    ) -> Any:
        from azure.core.exceptions import AzureError
        from azure.cosmos.exceptions import CosmosHttpResponseError

        units, waited, charged = self._account.units, 0.0, 0.0

        def hook(headers: Mapping[str, Any], *_: Any) -> None:
            nonlocal charged
            charged += units.note(self._name, operation, headers)
            seen.set("azure.cosmosdb.operation.request_charge", charged)

        while True:
            try:
                return await ask(await self._account.proxy(self._name), hook)
            except CosmosHttpResponseError as error:
                hook(error.headers or {})  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
                if error.status_code in expected and getattr(error, "sub_status", None) != _NO_CONTAINER:
                    return None
                pause = _pause(error)
                if error.status_code != 429 or waited + pause > self._patience:
                    raise _ours(error) from None
                units.note_throttled(self._name)
                waited += pause
                await asyncio.sleep(pause)
            except AzureError as error:
                raise _ours(error) from None


async def together[T](steps: Iterable[Awaitable[T]]) -> list[T]:
    """What the steps answer, side by side. Raises what the first one that failed raised, when all have ended: nothing goes
    on behind the caller's back."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast(list[T], results)


def name(*parts: str) -> str:
    """An id that the engine takes, whatever characters the parts hold; different parts have different names."""
    plain = ".".join(_escaped(part) for part in parts)
    return plain if len(plain) <= LONGEST else f"=sha256={sha256(plain.encode()).hexdigest()}"


def _escaped(part: str) -> str:
    raw = part.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if _PLAIN.match(bytes((byte,))) else f"={byte:02x}" for byte in raw)


def _pause(error: Any) -> float:
    """Seconds that a throttled answer asks to wait."""
    headers: Mapping[str, Any] = getattr(error, "headers", None) or {}
    try:
        return max(float(headers.get("x-ms-retry-after-ms", 1_000)), 1.0) / 1_000
    except ValueError:
        return 1.0


def _ours(error: BaseException) -> BaseException:
    """What passes becomes `unavailable`, without the engine's words, which may show a document; the rest stays what it is."""
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    from shared.stores.causes import COSMOS, refusal

    if (refused := refusal(error, COSMOS)) is not None:
        return refused
    if isinstance(error, HttpResponseError):
        if error.status_code == 429:
            return BillyError(
                "unavailable", "The store has more to do than it may.", next="Try again in a while.", retry_after=ceil(_pause(error))
            )
        if error.status_code in _PASSING:
            return BillyError("unavailable", f"The store answered {error.status_code}.", next="Try again in a while.", retry_after=5)
        if error.status_code is not None:
            return RuntimeError(f"The store refused an operation with {error.status_code}.")
    if isinstance(error, (ServiceRequestError, ServiceResponseError, HttpResponseError)):
        return BillyError("unavailable", "The store cannot be reached.", next="Try again in a while.", retry_after=5)
    return error

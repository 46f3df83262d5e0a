"""How much waits in Azure Storage Queues. Loaded by the timer that measures it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError

from shared.entered import is_loopback
from shared.errors import BillyError
from shared.stores.causes import QUEUES, refusal
from shared.stores.identity import identified


class StorageQueues:
    """`Queues` over one account. Open it once in a process, and close it."""

    def __init__(self, endpoint: str, credential: Any) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._service: Any = None  # the client's methods take keywords without types

    @classmethod
    def open(cls, endpoint: str, credential: AsyncTokenCredential | str) -> "StorageQueues":
        """Over the queues at `endpoint`. A text is an emulator's key: raises ValueError for one that would leave this machine."""
        if isinstance(credential, str) and not is_loopback(endpoint):
            raise ValueError("A key is for an emulator on this machine; Azure takes the managed identity.")
        account = urlsplit(endpoint).path.strip("/")
        return cls(endpoint, AzureNamedKeyCredential(account, credential) if isinstance(credential, str) else identified(credential))

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()

    async def depths(self) -> Mapping[str, int]:
        try:
            names: list[str] = [queue.name async for queue in self._client().list_queues()]
            return {name: await self._depth(name) for name in names}
        except AzureError as failure:
            away = BillyError("unavailable", "The queues cannot be reached.", next="Try again later.", retry_after=5)
            raise refusal(failure, QUEUES) or away from None

    async def _depth(self, name: str) -> int:
        async with self._client().get_queue_client(name) as queue:
            return int((await queue.get_queue_properties()).approximate_message_count or 0)

    def _client(self) -> Any:
        if self._service is None:
            from azure.storage.queue.aio import QueueServiceClient

            patience: dict[str, Any] = {
                "retry_total": 1,
                "initial_backoff": 1,
                "increment_base": 1,
                "connection_timeout": 5,
                "read_timeout": 10,
            }
            # As for the other stores, no proxy of the environment is asked: none leads to an emulator on this machine.
            self._service = QueueServiceClient(self._endpoint, credential=self._credential, use_env_settings=False, **patience)
        return self._service

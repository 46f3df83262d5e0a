"""Azure Storage Queues behind the host's queue protocol (Azurite locally)."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from devhost.queues.protocol import Arrivals, Message

LOOPBACK = ("//127.0.0.1:", "//localhost:", "//[::1]:")
CONCURRENT_SENDS = 16
"""The service takes one message per request."""


class StorageQueues:
    def __init__(self, connection_string: str) -> None:
        # A second between tries: whoever waits for a message to be kept, as Stripe does, is told soon that it cannot be, and repeats it.
        patience: dict[str, Any] = {"retry_total": 3, "initial_backoff": 0, "increment_base": 1, "random_jitter_range": 0}
        # A proxy of the environment does not lead to Azurite on this machine.
        proxied = not any(here in connection_string for here in (*LOOPBACK, "UseDevelopmentStorage=true"))
        self._service = QueueServiceClient.from_connection_string(connection_string, use_env_settings=proxied, **patience)
        self._clients: dict[str, QueueClient] = {}
        self._arrivals = Arrivals()
        self._sends = asyncio.Semaphore(CONCURRENT_SENDS)

    async def open(self) -> None:
        """Fails when the service cannot be reached."""
        await self._service.get_service_properties(retry_total=1)

    async def put(self, queue: str, bodies: Sequence[str]) -> None:
        client = await self._client(queue)
        await asyncio.gather(*(self._send(client, body) for body in bodies))
        self._arrivals.announce(queue)

    async def _send(self, client: QueueClient, body: str) -> None:
        async with self._sends:
            await client.send_message(body)

    async def receive(self, queue: str, count: int, lease: float) -> list[Message]:
        client = await self._client(queue)
        pages = client.receive_messages(messages_per_page=count, max_messages=count, visibility_timeout=max(1, int(lease)))
        return [_message(raw) async for raw in pages]

    async def delete(self, queue: str, message: Message) -> bool:
        client = await self._client(queue)
        try:
            await client.delete_message(message.id, message.pop_receipt)
        except HttpResponseError as error:
            return _lease_lost(error)
        return True

    async def release(self, queue: str, message: Message, delay: float) -> bool:
        client = await self._client(queue)
        try:
            await client.update_message(message.id, message.pop_receipt, visibility_timeout=int(delay))
        except HttpResponseError as error:
            return _lease_lost(error)
        self._arrivals.announce(queue, delay)
        return True

    async def extend(self, queue: str, message: Message, lease: float) -> Message | None:
        client = await self._client(queue)
        try:
            updated = await client.update_message(message.id, message.pop_receipt, visibility_timeout=max(1, int(lease)))
        except HttpResponseError as error:
            _lease_lost(error)
            return None
        return Message(
            message.id,
            message.body,
            message.dequeue_count,
            message.inserted,
            message.expires,
            _seconds(updated.next_visible_on),
            updated.pop_receipt or "",
        )

    async def move(self, queue: str, message: Message, target: str) -> None:
        await self.put(target, [message.body])
        await self.delete(queue, message)

    async def length(self, queue: str) -> int:
        """Approximate, as the service's own count is."""
        properties = await (await self._client(queue)).get_queue_properties()
        return properties.approximate_message_count or 0

    def arrival(self, queue: str) -> asyncio.Event:
        return self._arrivals.of(queue)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        await self._service.close()

    async def _client(self, queue: str) -> QueueClient:
        client = self._clients.get(queue)
        if client is None:
            client = self._service.get_queue_client(queue)
            try:
                await client.get_queue_properties()
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):  # somebody else was quicker
                    await client.create_queue()
            self._clients.setdefault(queue, client)
        return client


def _message(raw: Any) -> Message:
    return Message(
        raw.id,
        raw.content,
        raw.dequeue_count,
        _seconds(raw.inserted_on),
        _seconds(raw.expires_on),
        _seconds(raw.next_visible_on),
        raw.pop_receipt,
    )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0


def _lease_lost(error: HttpResponseError) -> bool:
    """False for the two answers that mean "not yours any more"; any other error goes on."""
    if error.status_code == 404 or getattr(error, "error_code", None) == "PopReceiptMismatch":
        return False
    raise error

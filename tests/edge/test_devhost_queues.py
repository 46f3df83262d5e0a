"""One contract for the host's queues, on the embedded queue and on Azure Storage Queues."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devhost.queues.embedded import EmbeddedQueues
from devhost.queues.embedded_sql import open_database, queue_lengths
from devhost.queues.protocol import Message, Queues
from devhost.queues.storage import StorageQueues
from tests.edge.conftest import Storage


@pytest.fixture
async def queues(storage: Storage, tmp_path: Path) -> AsyncIterator[Queues]:
    kept: Queues = StorageQueues(storage.connection_string) if storage.connection_string else EmbeddedQueues(tmp_path / "queue.sqlite")
    await kept.open()
    yield kept
    await kept.close()


async def one(queues: Queues, queue: str, lease: float = 60.0) -> Message:
    (message,) = await queues.receive(queue, 1, lease)
    return message


async def visible_again(queues: Queues, queue: str) -> Message:
    async with asyncio.timeout(20):
        while not (messages := await queues.receive(queue, 1, 60)):  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.05)
    return messages[0]


async def test_a_message_comes_out_as_it_went_in(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["ä <text> & 'quotes'"])
    message = await one(queues, storage.queue)
    assert message.body == "ä <text> & 'quotes'"
    assert message.dequeue_count == 1
    assert message.id
    assert message.inserted <= message.next_visible <= message.expires


async def test_messages_come_in_the_order_they_were_put(queues: Queues, storage: Storage) -> None:
    for number in range(5):
        await queues.put(storage.queue, [str(number)])
    assert [message.body for message in await queues.receive(storage.queue, 32, 60)] == ["0", "1", "2", "3", "4"]


async def test_a_leased_message_is_not_given_to_another(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    await one(queues, storage.queue)
    assert await queues.receive(storage.queue, 1, 60) == []
    assert await queues.length(storage.queue) == 1


async def test_a_lease_that_ends_gives_the_message_again_and_the_old_receipt_is_worth_nothing(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    first = await one(queues, storage.queue, lease=1)
    second = await visible_again(queues, storage.queue)
    assert second.dequeue_count == 2
    assert not await queues.delete(storage.queue, first)
    assert await queues.extend(storage.queue, first, 60) is None
    assert await queues.delete(storage.queue, second)
    assert await queues.length(storage.queue) == 0


async def test_a_prolonged_lease_holds_longer_than_the_first(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    message = await one(queues, storage.queue, lease=1)
    renewed = await queues.extend(storage.queue, message, 60)
    assert renewed is not None
    await asyncio.sleep(1.2)
    assert await queues.receive(storage.queue, 1, 60) == []
    assert await queues.delete(storage.queue, renewed)


async def test_a_released_message_is_visible_at_once_or_after_its_delay(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    assert await queues.release(storage.queue, await one(queues, storage.queue), 0)
    assert await queues.release(storage.queue, await one(queues, storage.queue), 1)
    assert await queues.receive(storage.queue, 1, 60) == []
    assert (await visible_again(queues, storage.queue)).dequeue_count == 3


async def test_a_deleted_message_is_gone_and_cannot_be_deleted_twice(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    message = await one(queues, storage.queue)
    assert await queues.delete(storage.queue, message)
    assert not await queues.delete(storage.queue, message)
    assert await queues.length(storage.queue) == 0


async def test_a_moved_message_lies_in_the_other_queue_only_and_counts_anew(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["a"])
    await queues.move(storage.queue, await one(queues, storage.queue), f"{storage.queue}-poison")
    assert await queues.length(storage.queue) == 0
    moved = await one(queues, f"{storage.queue}-poison")
    assert (moved.body, moved.dequeue_count) == ("a", 1)


async def test_a_message_over_64_kib_is_refused_and_one_of_64_kib_is_kept(queues: Queues, storage: Storage) -> None:
    await queues.put(storage.queue, ["x" * 65536])
    with pytest.raises(Exception, match=r"(?i)larger|too ?large|exceeds|RequestBodyTooLarge"):
        await queues.put(storage.queue, ["x" * 65537])
    assert await queues.length(storage.queue) == 1


async def test_an_arrival_is_announced_when_a_message_becomes_visible(queues: Queues, storage: Storage) -> None:
    arrival = queues.arrival(storage.queue)
    assert not arrival.is_set()
    await queues.put(storage.queue, ["a"])
    assert arrival.is_set()
    message = await one(queues, storage.queue)
    arrival.clear()
    await queues.release(storage.queue, message, 1)
    assert not arrival.is_set()
    async with asyncio.timeout(10):
        await arrival.wait()


async def test_many_callers_at_once_lose_and_double_nothing(queues: Queues, storage: Storage) -> None:
    bodies = [str(number) for number in range(200)]
    await asyncio.gather(*(queues.put(storage.queue, [body]) for body in bodies))
    taken: list[Message] = []
    while batch := await asyncio.gather(*(queues.receive(storage.queue, 32, 60) for _ in range(3))):
        if not any(batch):
            break
        taken += [message for part in batch for message in part]
    assert sorted(message.body for message in taken) == sorted(bodies)
    assert all(await asyncio.gather(*(queues.delete(storage.queue, message) for message in taken)))
    assert await queues.length(storage.queue) == 0


async def test_an_embedded_message_outlives_the_process_and_its_lease_does_not(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    first = EmbeddedQueues(path)
    await first.open()
    await first.put("work", ["a", "b"])
    await one(first, "work", lease=600)
    await first.close()
    assert queue_lengths(path) == {"work": 2}
    second = EmbeddedQueues(path)
    await second.open()
    assert sorted((message.body, message.dequeue_count) for message in await second.receive("work", 32, 60)) == [("a", 2), ("b", 1)]
    await second.close()


async def test_an_embedded_queue_whose_disk_fails_tells_every_caller_and_works_again_later(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    queues = EmbeddedQueues(path)
    await queues.open()
    thief = sqlite3.connect(path)
    thief.execute("ALTER TABLE messages RENAME TO stolen")
    failed = await asyncio.gather(*(queues.put("work", [str(number)]) for number in range(3)), return_exceptions=True)
    assert all(isinstance(answer, sqlite3.Error) for answer in failed)
    thief.execute("ALTER TABLE stolen RENAME TO messages")
    thief.close()
    await queues.put("work", ["kept"])
    assert [message.body for message in await queues.receive("work", 32, 60)] == ["kept"]
    await queues.close()


def test_the_queue_file_is_flushed_to_disk_before_a_put_is_answered(tmp_path: Path) -> None:
    """A weaker setting would pass every other test: only a power cut shows it."""
    database = open_database(tmp_path / "queue.sqlite", 0)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()

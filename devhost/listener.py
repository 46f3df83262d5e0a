"""A queue trigger's loop: lease messages, invoke, delete; retry what failed and bury what failed too often."""

import asyncio
import logging
from datetime import UTC, datetime

from devhost.functions import Function, QueueTrigger
from devhost.outputs import OutputFailed, Outputs
from devhost.queues.protocol import Message, Queues
from devhost.settings import QueueOptions
from devhost.worker import Datum, invoke, new_id

log = logging.getLogger("devhost")

SHORTEST_POLL = 0.1
"""Seconds between two looks at an empty queue, doubled up to maxPollingInterval."""


class QueueListener:
    """Feeds one function from one queue, with at most batchSize + newBatchThreshold messages at work."""

    def __init__(self, function: Function, queues: Queues, outputs: Outputs, options: QueueOptions, lease: float) -> None:
        assert isinstance(function.trigger, QueueTrigger)
        self._function = function
        self._queue = function.trigger.queue
        self._queues = queues
        self._outputs = outputs
        self._options = options
        self._lease = lease
        self._at_work: dict[asyncio.Task[None], Message] = {}
        self._stopping = False

    async def run(self) -> None:
        """Ends after `stop`, when every message it took is done or given back."""
        arrival = self._queues.arrival(self._queue)
        pause = SHORTEST_POLL
        renewal = asyncio.create_task(self._renew())
        while not self._stopping:
            if len(self._at_work) > self._options.new_batch_threshold:
                await asyncio.wait(self._at_work, return_when=asyncio.FIRST_COMPLETED)
                continue
            arrival.clear()
            try:
                messages = await self._queues.receive(self._queue, self._options.batch_size, self._lease)
            except Exception as error:
                log.error("the queue %s cannot be read: %s", self._queue, error)
                messages = []
            if self._stopping:
                await asyncio.gather(*(self._queues.release(self._queue, message, 0) for message in messages))
            elif messages:
                pause = SHORTEST_POLL
                for message in messages:
                    task = asyncio.create_task(self._work(message))
                    self._at_work[task] = message
                    task.add_done_callback(self._at_work.pop)
            else:
                try:
                    await asyncio.wait_for(arrival.wait(), pause)
                    pause = SHORTEST_POLL
                except TimeoutError:
                    pause = min(pause * 2, self._options.max_polling_interval)
        if self._at_work:
            await asyncio.wait(self._at_work)
        renewal.cancel()

    def stop(self) -> None:
        self._stopping = True
        self._queues.arrival(self._queue).set()

    async def abandon(self) -> None:
        """Gives the messages still at work back to the queue, for the next start."""
        left = dict(self._at_work)
        for task in left:
            task.cancel()
        await asyncio.gather(*(self._queues.release(self._queue, message, 0) for message in left.values()))

    async def _work(self, message: Message) -> None:
        try:
            if message.dequeue_count > self._options.max_dequeue_count:
                await self._bury(message)
            elif await self._invoke(message):
                if not await self._queues.delete(self._queue, self._latest(message)):
                    log.warning("a message of %s was done after its lease had ended: it will come again", self._queue)
            elif message.dequeue_count >= self._options.max_dequeue_count:
                await self._bury(self._latest(message))
            else:
                await self._queues.release(self._queue, self._latest(message), self._options.visibility_timeout)
        except Exception as error:
            log.error("a message of %s could not be settled: %s", self._queue, error)

    async def _invoke(self, message: Message) -> bool:
        try:
            content = self._outputs.decode(message.body)
        except ValueError:
            log.error("a message of %s is not base64: it goes to the poison queue", self._queue)
            await self._bury(message)
            return False
        payload = Datum(content, "string" if isinstance(content, str) else "bytes")
        invocation_id = new_id()
        done = await invoke(self._function, invocation_id, payload, trigger_metadata(message, payload))
        if not done.succeeded:
            return False
        try:
            await self._outputs.write(self._function, done)
        except OutputFailed:
            return False
        return True

    async def _bury(self, message: Message) -> None:
        poison = f"{self._queue}-poison"
        await self._queues.move(self._queue, message, poison)
        log.error("a message of %s failed %d times and lies in %s now", self._queue, message.dequeue_count, poison)

    def _latest(self, message: Message) -> Message:
        """The message with the receipt of its last renewal."""
        task = asyncio.current_task()
        return self._at_work.get(task, message) if task is not None else message

    async def _renew(self) -> None:
        """Prolongs the leases of long invocations, so that nobody else takes their messages meanwhile."""
        while True:
            await asyncio.sleep(self._lease / 2)
            for task, message in list(self._at_work.items()):
                try:
                    renewed = await self._queues.extend(self._queue, message, self._lease)
                except Exception as error:
                    log.error("a lease of %s could not be prolonged: %s", self._queue, error)
                    continue
                if renewed is not None and task in self._at_work:
                    self._at_work[task] = renewed


def trigger_metadata(message: Message, payload: Datum) -> dict[str, Datum]:
    return {
        "QueueTrigger": payload,
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "InsertionTime": Datum(_timestamp(message.inserted), "string"),
        "ExpirationTime": Datum(_timestamp(message.expires), "string"),
        "NextVisibleTime": Datum(_timestamp(message.next_visible), "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
    }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()

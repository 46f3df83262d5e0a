"""What applying Stripe's events asks of Cosmos DB and of the processor: counted at the server of the tests, whose own time is not looked at.

Processor time of the client is what decides how many instances a rate of events needs. The number of operations, by container, is what a bill is made of.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.cold_start import emulated
from bench.table import Row, ms
from shared.gateway.apply import apply_event
from shared.gateway.kinds import API_VERSION, write_from_object
from shared.settings import Settings
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.protocols import Write
from shared.wiring import close_context, make_context

if TYPE_CHECKING:
    from pathlib import Path

    from bench.run import Run
    from shared.context import Context

EVENTS = 1_000  # of each sort
AT_ONCE = 32  # what an instance works on at once: host.json's batch
WRITERS = 8
PAGES = 6  # writes of what a backfill reads while another one is written
PAGE = 500
CREATED = 1_790_000_000


def measure(run: Run) -> list[Row]:
    home = run.folder("cosmos")
    with emulated(home) as settings:
        rows = asyncio.run(_events(home, settings, run.sized(EVENTS, 60)))
        rows.append(asyncio.run(_pages(settings, run.sized(PAGES, 1))))
        for lanes in (WRITERS, 1):
            rows.append(asyncio.run(_writers(settings, lanes, run.sized(EVENTS, 60))))
    return rows


async def _events(home: Path, settings: dict[str, str], count: int) -> list[Row]:
    context = await make_context(
        Settings(
            store="azure",
            home=home,
            stripe_api_key="rk_test_bench0000000000",
            cosmos_endpoint=settings["BILLY_COSMOS_ENDPOINT"],
            cosmos_key=settings["BILLY_COSMOS_KEY"],
            tables_endpoint=settings["BILLY_TABLES_ENDPOINT"],
            tables_key=settings["BILLY_TABLES_KEY"],
        )
    )
    await apply_event(context, _event(count, "pending", 1))  # opens what is opened once
    sorts = {"of a new object": ("pending", 2), "of a changed status": ("succeeded", 100), "older than what is there": ("pending", 50)}
    rows = [await _applied(context, name, [_event(n, *facts) for n in range(count)]) for name, facts in sorts.items()]
    await close_context(context)
    return rows


async def _applied(context: Context, name: str, events: Sequence[dict[str, Any]]) -> Row:
    units: Any = context.mirror._account.units  # type: ignore[attr-defined]
    units.operations.clear()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(event: dict[str, Any]) -> None:
        async with slots:
            await apply_event(context, event)

    began = time.process_time()
    await asyncio.gather(*map(one, events))
    spent = (time.process_time() - began) / len(events)
    return _row(f"Cosmos: an event {name}, {AT_ONCE} at once", spent, units.operations, len(events))


async def _pages(settings: dict[str, str], count: int) -> Row:
    """As a backfill writes them: all new, of one process."""
    account = CosmosAccount(settings["BILLY_COSMOS_ENDPOINT"], settings["BILLY_COSMOS_KEY"], database="pages")
    await account.create_missing()
    mirror = CosmosMirror(account)
    events = [_event(n, "succeeded", 1) for n in range((count + 1) * PAGE)]
    writes = [write_from_object("charge", each["data"]["object"], CREATED) for each in events]
    await mirror.apply(writes[:PAGE])
    account.units.operations.clear()
    began = time.process_time()
    for start in range(PAGE, len(writes), PAGE):
        await mirror.apply(writes[start : start + PAGE])
    spent = (time.process_time() - began) / (count * PAGE)
    await account.close()
    return _row(f"Cosmos: a new object within {PAGE} of a backfill", spent, account.units.operations, count * PAGE)


async def _writers(settings: dict[str, str], lanes: int, count: int) -> Row:
    """Writers of one process each in Azure; here side by side, with a client each."""
    database = f"lanes{lanes}"
    accounts = [CosmosAccount(settings["BILLY_COSMOS_ENDPOINT"], settings["BILLY_COSMOS_KEY"], database=database) for _ in range(WRITERS)]
    await accounts[0].create_missing()
    mirrors = [CosmosMirror(account, lane=n % lanes) for n, account in enumerate(accounts)]
    await mirrors[0].apply([_write(count)])
    for account in accounts:
        account.units.operations.clear()
    slots = [asyncio.Semaphore(AT_ONCE) for _ in mirrors]

    async def one(n: int) -> None:
        async with slots[n % WRITERS]:
            await mirrors[n % WRITERS].apply([_write(n)])

    began = time.process_time()
    await asyncio.gather(*map(one, range(count)))
    spent = (time.process_time() - began) / count
    operations: Counter[tuple[str, str]] = Counter()
    for account in accounts:
        operations.update(account.units.operations)
        await account.close()
    where = "in a lane each" if lanes == WRITERS else "in one lane"
    return _row(f"Cosmos: a new object, {WRITERS} writers {where}", spent, operations, count)


def _row(measure: str, spent: float, operations: Counter[tuple[str, str]], count: int) -> Row:
    each = ", ".join(
        f"{container} {does} {number / count:.2f}" for (container, does), number in sorted(operations.items()) if number / count >= 0.01
    )
    return Row(measure, f"{sum(operations.values()) / count:.1f} operations, {ms(spent)} ms processor", each)


def _event(n: int, status: str, after: int) -> dict[str, Any]:
    charge = {
        "id": f"ch_{n:018d}",
        "object": "charge",
        "created": CREATED + n,
        "amount": 1000 + n,
        "amount_captured": 1000 + n,
        "currency": "usd",
        "status": status,
        "customer": f"cus_{n % 500:06d}",
        "description": f"Order {n}",
        "billing_details": {"name": f"Person {n}", "email": f"person{n}@example.com"},
        "metadata": {"order": f"B{n}"},
        "statement": "".join(chr(97 + n * at % 26) for at in range(2_500)),
    }
    return {
        "id": f"evt_{n}_{after}",
        "object": "event",
        "api_version": API_VERSION,
        "created": CREATED + after,
        "livemode": False,
        "type": "charge.updated",
        "data": {"object": charge},
    }


def _write(n: int) -> Write:
    return Write(
        "charge", f"ch_{n}", CREATED + n, CREATED, b'{"id":"ch_%d"}' % n, "succeeded", f"cus_{n % 50}", "usd", 100 + n, 0, f"word{n}"
    )

"""What the Cosmos mirror does where a transaction would have helped: crashes between its steps, and many writers at once."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from shared.errors import BillyError
from shared.stores import cosmos_totals
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_layout import ENTRIES, OBJECTS, TOTALS
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.cosmos_totals import LOOKED_INTO, MOST_TOKENS, Change
from shared.stores.protocols import NEAR, Applied, Query, Total, Write
from tests.peers.cosmos import KEY
from tests.stores.adapters import COSMOS, cosmos_account
from tests.stores.cosmos_front import Front

pytestmark = list(COSMOS)

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
ROOT = Path(__file__).parents[2]


def charge(n: int, stamp: int = NOON, *, status: str = "succeeded", customer: str = "cus_a", amount: int = 100) -> Write:
    body = f'{{"id":"ch_{n}","status":"{status}","amount":{amount},"customer":"{customer}","at":{stamp}}}'.encode()
    return Write("charge", f"ch_{n}", NOON + n, stamp, body, status, customer, "usd", amount, 0, f"word{n}")


@pytest.fixture
async def failing(front: Front, cosmos_endpoint: str, tmp_path: Path, account: CosmosAccount) -> AsyncIterator[CosmosMirror]:
    """A mirror over the same documents, whose requests go through the front."""
    opened = await cosmos_account(front.url, tmp_path, patience=0.05)
    yield CosmosMirror(opened, lane=1)
    await opened.close()


async def agrees(account: CosmosAccount, mirror: CosmosMirror) -> int:
    """Lists and totals say what the documents say, and nothing is left over. Answers how many objects there are."""
    documents = await account.container(OBJECTS).query("SELECT * FROM c", {})
    assert [each["id"] for each in documents if each["pending"] or "unsettled" in each] == []
    alive = [each for each in documents if not each["deleted"]]
    cells: Counter[tuple[int, str, str]] = Counter()
    sums: Counter[tuple[int, str, str]] = Counter()
    for each in alive:
        for day in (0, each["created"] // DAY):
            cells[day, each["status"], each["currency"]] += 1
            sums[day, each["status"], each["currency"]] += each["amount"]
    told = [*await mirror.totals("charge"), *await mirror.totals("charge", 1)]
    assert {(each.day, each.status, each.currency): (each.count, each.amount) for each in told} == {
        cell: (cells[cell], sums[cell]) for cell in cells
    }
    for field, values in (("status", {each["status"] for each in documents}), ("customer", {each["customer"] for each in documents})):
        for value in values - {None}:
            matching = sorted((each["oid"] for each in alive if each[field] == value), key=lambda id: -int(id[3:]))
            page = await mirror.list(Query("charge", limit=1_000, **{field: value}))
            assert ([body.split(b'"')[3].decode() for body in page.bodies], page.total) == (matching, len(matching))
    return len(documents)


# Crashes


@pytest.mark.parametrize(
    ("container", "does"), [(ENTRIES, "create"), (TOTALS, "read"), (TOTALS, "create"), (OBJECTS, "replace"), (OBJECTS, "create")]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_what_a_crash_between_two_steps_leaves_is_ended_by_whoever_comes_next(
    account: CosmosAccount, front: Front, failing: CosmosMirror, container: str, does: str, after: bool
) -> None:
    front.fails(container, does, 503, after=after)
    with pytest.raises(BillyError, match="unavailable"):
        await failing.apply([charge(n) for n in range(3)])
    other = CosmosMirror(account, lane=2)
    await other.repair()
    written = await agrees(account, other)
    assert written == (0 if (container, does, after) == (OBJECTS, "create", False) else 3)
    assert await other.repair() == 0
    front.heals()
    assert set(await failing.apply([charge(n) for n in range(3)])) == {Applied.DUPLICATE if written else Applied.APPLIED}
    assert await agrees(account, other) == 3


async def test_a_repeated_delivery_ends_what_the_first_one_left(account: CosmosAccount, front: Front, failing: CosmosMirror) -> None:
    front.fails(TOTALS, "create", 503)
    with pytest.raises(BillyError):
        await failing.apply([charge(1)])
    front.heals()
    assert await failing.apply([charge(1)]) == [Applied.DUPLICATE]
    assert await agrees(account, CosmosMirror(account)) == 1


async def test_changes_that_pile_up_on_an_object_are_each_counted_once(account: CosmosAccount, front: Front, failing: CosmosMirror) -> None:
    await failing.apply([charge(1)])
    front.fails(ENTRIES, "read", 503)
    for n, status in enumerate(["failed", "succeeded", "disputed"], start=1):
        with pytest.raises(BillyError):
            await failing.apply([charge(1, NOON + 2 * NEAR * n, status=status, customer=f"cus_{n}", amount=100 + n)])
    other = CosmosMirror(account, lane=2)
    assert await other.repair() == 1
    assert await agrees(account, other) == 1
    assert await other.totals("charge") == [Total(0, "disputed", "usd", 1, 103, 0)]


async def test_an_answer_lost_on_the_way_back_counts_nothing_twice(account: CosmosAccount, front: Front, failing: CosmosMirror) -> None:
    await failing.apply([charge(1)])
    front.fails(TOTALS, "replace", 0, after=True)
    with pytest.raises(BillyError):
        await failing.apply([charge(1, NOON + 1, amount=7), charge(2)])
    front.heals()
    await failing.apply([charge(1, NOON + 1, amount=7), charge(2), charge(3)])
    assert await agrees(account, CosmosMirror(account)) == 3


async def test_a_deletion_that_crashed_half_way_shows_in_no_list(account: CosmosAccount, front: Front, failing: CosmosMirror) -> None:
    await failing.apply([charge(1), charge(2)])
    front.fails(ENTRIES, "replace", 503)
    with pytest.raises(BillyError):
        await failing.apply([Write("charge", "ch_1", 0, NOON + 1, b"{}", deleted=True)])
    other = CosmosMirror(account)
    assert len((await other.list(Query("charge"))).bodies) == 1, "the entry is still there, but the object tells"
    assert await other.search("word1", ["charge"], 5) == []
    await other.repair()
    assert await agrees(account, other) == 2


WRITER = """
import asyncio, sys
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_mirror import CosmosMirror
from tests.peers.cosmos import KEY
from tests.stores.test_cosmos_steps import NOON, charge

async def main(endpoint, database, start):
    mirror = CosmosMirror(CosmosAccount(endpoint, KEY, database=database), lane=3)
    for round in range(1000):
        stamp = NOON + int(start) * 1000 + round
        state = ["succeeded", "failed"][round % 2]
        await mirror.apply([charge(n, stamp, status=state, amount=stamp % 97 + n, customer=f"cus_{(n + round) % 3}") for n in range(8)])
        print(round, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_is_killed_while_writing_leaves_nothing_wrong(account: CosmosAccount, cosmos_endpoint: str) -> None:
    mirror = CosmosMirror(account)
    met = 0
    for start in range(3):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, cosmos_endpoint, account._database, str(start), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        for _ in range(1 + start):
            assert await writer.stdout.readline()
        while not await account.container(OBJECTS).query("SELECT TOP 1 c.id FROM c WHERE c.unsettled = true", {}):
            pass
        writer.kill()
        await writer.wait()
        met += await mirror.repair()
        assert await agrees(account, mirror) == 8
    assert met > 0, "no kill came between two steps: this test saw nothing"


# Many writers


async def test_writers_in_one_lane_and_in_others_and_a_repair_beside_them_count_everything_once(
    account: CosmosAccount, cosmos_endpoint: str, tmp_path: Path
) -> None:
    dice = Random(7)
    accounts = [await cosmos_account(cosmos_endpoint, tmp_path) for _ in range(3)]
    mirrors = [CosmosMirror(each, lane=lane) for each, lane in zip(accounts, (1, 1, 2), strict=True)]
    sweeper = CosmosMirror(account, lane=1)
    writing = True

    async def write(mirror: CosmosMirror, seed: int) -> None:
        own = Random(seed)
        for step in range(12):
            some = own.sample(range(6), 3)
            statuses = [own.choice(["succeeded", "failed"]) for _ in some]
            await mirror.apply(
                [
                    charge(
                        n, NOON + step * 10 + own.randrange(10), status=status, amount=own.randrange(99), customer=f"cus_{own.randrange(2)}"
                    )
                    for n, status in zip(some, statuses, strict=True)
                ]
            )

    async def sweep() -> None:
        while writing:
            await sweeper.repair(3)

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(write(mirror, dice.randrange(10**6)) for mirror in mirrors))
    writing = False
    await sweeping
    await sweeper.repair()
    assert await agrees(account, mirrors[0]) == 6
    for each in accounts:
        await each.close()


async def test_a_slow_writer_counts_nothing_that_others_have_counted_and_forgotten(
    account: CosmosAccount, front: Front, failing: CosmosMirror
) -> None:
    other = CosmosMirror(account, lane=1)
    await other.apply([charge(9)])
    hold = front.holds(TOTALS, "read")
    slow = asyncio.create_task(failing.apply([charge(1)]))
    async with asyncio.timeout(20):
        for _ in range(2):  # it has written the object, and is about to look at both counters
            await hold.arrived.get()
    assert await other.repair() == 1
    await other.apply([charge(2)])  # which drops the token of what was ended
    counters = await account.container(TOTALS).query("SELECT * FROM c", {})
    assert not any(token.startswith("charge.ch_1@") for counter in counters for token in counter["counted"])
    hold.released.set()
    assert await slow == [Applied.APPLIED]
    assert await agrees(account, other) == 3


@pytest.mark.parametrize("remembered", [0, 4_096], ids=["remembering nothing", "remembering"])
async def test_a_change_that_its_own_process_counted_and_forgot_is_not_counted_again(
    account: CosmosAccount, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    """As when a repair and the writer itself end the same change, and one of the two is slow."""
    monkeypatch.setattr(cosmos_totals, "MOST_FORGOTTEN", remembered)
    mirror = CosmosMirror(account, lane=1)
    await mirror.apply([charge(9)])
    counters = mirror._counters
    facts = ["succeeded", "cus_a", "usd", 100, 0]
    change = Change("charge", 1, "charge.ch_1", NOON, "charge.ch_1@1", None, facts, counters.moment())
    await counters.add([change])
    counters.settled(change)
    await mirror.apply([charge(2)])
    (counter,) = await account.container(TOTALS).query("SELECT * FROM c WHERE c.day = -1", {})
    assert change.token not in counter["counted"], "it is forgotten there, or this test proves nothing"
    await counters.add([change])
    assert await mirror.totals("charge") == [Total(0, "succeeded", "usd", 3, 300, 0)]


async def test_changes_that_come_at_once_in_one_process_look_at_no_object_twice(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account, lane=1)
    await mirror.apply([charge(99)])
    account.units.operations.clear()
    await asyncio.gather(*(mirror.apply([charge(n)]) for n in range(40)))
    assert account.units.operations[OBJECTS, "read"] == 40
    assert account.units.operations[TOTALS, "replace"] < 80, "and they share the writes of the counters"
    assert await agrees(account, mirror) == 41


async def test_a_page_of_many_objects_of_one_day_is_counted_with_one_write_for_the_day_and_one_for_all_days(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account)
    await mirror.apply([charge(n) for n in range(100)])
    units = account.units.operations
    assert units[TOTALS, "create"] + units[TOTALS, "replace"] == 2


async def test_tokens_that_ended_processes_left_in_a_counter_are_dropped_in_the_end(account: CosmosAccount) -> None:
    for n in range(0, MOST_TOKENS + LOOKED_INTO, 40):  # every call from a process that ends after it
        await CosmosMirror(account, lane=1).apply([charge(each) for each in range(n, n + 40)])
    (counter,) = await account.container(TOTALS).query("SELECT * FROM c WHERE c.day = -1", {})
    assert len(counter["counted"]) <= MOST_TOKENS + 40
    assert await agrees(account, CosmosMirror(account)) == MOST_TOKENS + LOOKED_INTO


async def test_a_mirror_forgets_the_tokens_of_what_it_ended(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account)
    for step in range(20):
        await mirror.apply([charge(1, NOON + step, amount=step)])
    (counter,) = await account.container(TOTALS).query("SELECT * FROM c WHERE c.day = -1", {})
    assert len(counter["counted"]) == 1


async def test_a_change_that_lists_and_totals_need_not_follow_is_one_write(account: CosmosAccount) -> None:
    mirror = CosmosMirror(account)
    await mirror.apply([charge(1)])
    before = account.units.operations.total()
    assert await mirror.apply([replace(charge(1), stamp=NOON + 2 * NEAR, body=b'{"id":"ch_1","metadata":{}}')]) == [Applied.APPLIED]
    assert account.units.operations.total() - before == 2, "a read and a conditional write"


async def test_a_closed_account_is_not_opened_again(cosmos_endpoint: str) -> None:
    account = CosmosAccount(cosmos_endpoint, KEY)
    mirror = CosmosMirror(account)
    await mirror.close()
    await mirror.close()
    with pytest.raises(RuntimeError, match="closed"):
        await mirror.get("charge", "ch_1")

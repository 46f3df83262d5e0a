"""Virtual time jumps, threads are waited for, and the same seed gives the same order."""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.stores.protocols import Changed, Exists
from shared.stores.sqlite import Database
from shared.stores.sqlite_records import SqliteRecords
from tests.road.process import Process
from tests.road.stores import open_stores
from tests.road.virtual import EPOCH, Clock, Stuck, run


def test_a_sleep_of_eleven_days_is_over_at_once() -> None:
    async def main(clock: Clock) -> tuple[float, float, float]:
        before = time.monotonic()
        await asyncio.sleep(1e6)
        return clock.elapsed, clock.now(), time.monotonic() - before

    begun = time.perf_counter()
    assert run(main) == (1e6, EPOCH + 1e6, 1e6)
    assert time.perf_counter() - begun < 1


def test_timers_go_off_in_the_order_of_their_times_each_at_its_own() -> None:
    async def main(clock: Clock) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def one(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            seen.append((name, clock.elapsed))

        await asyncio.gather(one("c", 86_400 * 3), one("a", 0.001), one("b", 20))
        return seen

    assert run(main) == [("a", 0.001), ("b", 20), ("c", 86_400 * 3)]


def test_no_timer_goes_off_a_moment_before_its_time() -> None:
    async def main(clock: Clock) -> int:
        loop, chance, early = asyncio.get_running_loop(), random.Random(1), 0

        async def one() -> None:
            nonlocal early
            for _ in range(50):
                deadline = loop.time() + chance.random() * 10 ** chance.randrange(-9, 8)
                await asyncio.sleep(deadline - loop.time())
                early += loop.time() < deadline - math.ulp(deadline)

        await asyncio.gather(*(one() for _ in range(20)))
        return early

    assert run(main) == 0


def test_a_timeout_is_virtual_too() -> None:
    async def main(clock: Clock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await asyncio.get_running_loop().create_future()
        return clock.elapsed

    assert run(main) == 20


def test_time_stands_still_while_a_thread_works() -> None:
    def slow() -> int:
        time.sleep(0.05)
        return threading.get_ident()

    async def main(clock: Clock) -> tuple[int, float]:
        passed: list[float] = []
        ticking = asyncio.create_task(_tick(clock, passed))
        thread = await asyncio.to_thread(slow)
        ticking.cancel()
        return thread, clock.elapsed

    thread, elapsed = run(main)
    assert thread != threading.get_ident()
    assert elapsed == 0


async def _tick(clock: Clock, passed: list[float], every: float = 1) -> None:
    while True:
        await asyncio.sleep(every)
        passed.append(clock.elapsed)


def test_what_a_thread_raises_is_raised_where_it_was_asked_for() -> None:
    def refuse() -> None:
        raise ValueError("no")

    async def main(_: Clock) -> None:
        with pytest.raises(ValueError, match="no"):
            await asyncio.to_thread(refuse)

    run(main)


def test_a_write_of_sqlite_is_done_before_time_goes_on(tmp_path: Path) -> None:
    async def main(clock: Clock) -> float:
        records = SqliteRecords.open(tmp_path, clock.now)
        ticking = asyncio.create_task(_tick(clock, []))
        for number in range(20):
            await records.insert("attempts", f"a{number}", {"state": "started"})
        with pytest.raises(Exists):
            await records.insert("attempts", "a1", {})
        elapsed = clock.elapsed
        ticking.cancel()
        await records.close()
        return elapsed

    assert run(main) == 0


def test_a_write_that_was_submitted_is_seen_by_whoever_reads_next(home: Path) -> None:
    async def main(clock: Clock) -> list[str]:
        records = open_stores("sqlite", home, clock).records
        seen: list[str] = []

        async def write() -> None:
            await records.insert("attempts", "a", {})
            seen.append("written")

        async def read() -> None:
            seen.append("there" if await records.get("attempts", "a") else "missing")

        await asyncio.gather(read(), write(), read())
        return seen

    assert run(main) == ["missing", "there", "written"]


def test_of_two_writes_at_once_the_first_that_was_submitted_wins(home: Path) -> None:
    async def main(clock: Clock) -> list[object]:
        records = open_stores("sqlite", home, clock).records
        record = await records.insert("attempts", "a", {"by": "nobody"})
        answers = await asyncio.gather(*(records.replace("attempts", record, {"by": name}) for name in "xyz"), return_exceptions=True)
        found = await records.get("attempts", "a")
        assert found is not None and found.document == {"by": "x"}
        return [type(each) for each in answers[1:]]

    assert [run(main) for _ in range(20)] == [[Changed, Changed]] * 20


def test_two_files_are_written_in_the_order_of_submission(tmp_path: Path) -> None:
    async def main(clock: Clock) -> list[str]:
        ours, theirs = SqliteRecords.open(tmp_path, clock.now), SqliteRecords.open(tmp_path, clock.now)
        won: list[str] = []

        async def insert(records: SqliteRecords, name: str, id: str) -> None:
            try:
                await records.insert("claims", id, {"by": name})
                won.append(f"{id} {name}")
            except Exists:
                won.append(f"{id} not {name}")

        both = ((insert(ours, "a", f"c{n}"), insert(theirs, "b", f"c{n}")) for n in range(10))
        await asyncio.gather(*(each for pair in both for each in pair))
        await ours.close()
        await theirs.close()
        return won

    assert run(main) == [f"c{n} {who}" for n in range(10) for who in ("a", "not b")]


def test_the_same_seed_gives_the_same_order_and_another_gives_another(home: Path) -> None:
    def history(seed: int) -> list[str]:
        async def main(clock: Clock) -> list[str]:
            records, seam, order = open_stores("sqlite", home, clock).records, clock.seam("a"), list[str]()

            async def one(name: int) -> None:
                id = seam.id("att")
                await asyncio.sleep(random.random())
                await records.insert("attempts", id, {"n": name})
                await asyncio.to_thread(order.append, f"{name} {id}")
                await asyncio.sleep(random.random())
                order.append(f"{name} {clock.elapsed}")

            await asyncio.gather(*map(one, range(8)))
            return order

        return run(main, seed=seed)

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_each_instance_has_chance_and_a_clock_of_its_own() -> None:
    async def main(clock: Clock) -> tuple[str, str, str, float]:
        a, b = clock.seam("a"), clock.seam("b", skew=-3)
        return a.id("att"), b.id("att"), clock.seam("a").id("att"), a.now() - b.now()

    first, second, again, apart = run(main, seed=5)
    assert first == again != second
    assert apart == 3


def test_the_dice_of_everybody_else_are_as_they_were_before() -> None:
    async def main(_: Clock) -> float:
        return random.random()

    random.seed("others")
    before = random.getstate()
    assert run(main, seed=3) == run(main, seed=3)
    assert random.getstate() == before


def test_where_nothing_can_happen_any_more_a_run_says_so() -> None:
    async def waits(_: Clock) -> None:
        await asyncio.get_running_loop().create_future()

    async def waits_beside_a_timer(clock: Clock) -> None:
        ticking = asyncio.create_task(_tick(clock, [], 30 * 86_400))
        await asyncio.get_running_loop().create_future()
        ticking.cancel()

    for main, words in ((waits, "nothing is left"), (waits_beside_a_timer, "run away")):
        with pytest.raises(Stuck, match=words):
            run(main)


def test_a_thread_that_nobody_told_of_is_heard_all_the_same() -> None:
    async def main(_: Clock) -> str:
        loop, told = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(told.set_result, "heard")).start()
        return await told

    assert run(main) == "heard"


def test_outside_of_a_run_everything_is_as_it_was(tmp_path: Path) -> None:
    before: list[Callable[..., object]] = [time.monotonic, Database.write]

    async def main(clock: Clock) -> None:
        await asyncio.sleep(1)

    run(main)
    assert before == [time.monotonic, Database.write]
    assert time.monotonic() > 0

    async def really() -> None:
        records = SqliteRecords.open(tmp_path, time.time)
        await records.insert("attempts", "a", {})
        await records.close()

    asyncio.run(really())


def test_tasks_that_still_run_at_the_end_are_cancelled_and_may_clean_up(home: Path) -> None:
    cleaned: list[str] = []

    async def main(clock: Clock) -> None:
        records = open_stores("sqlite", home, clock).records

        async def lease() -> None:
            try:
                await asyncio.sleep(1e5)
            finally:
                await records.insert("sync", "released", {})
                cleaned.append("released")

        task = Process("a").start(lease())
        await asyncio.sleep(1)
        assert not task.done()

    run(main)
    assert cleaned == ["released"]

"""Random histories of the road over both stores: nothing moves twice, and everything says the same of what moved.

`make test` runs 2,000 of them and finds every planted fault; `make soak` runs 100,000. One that fails names its seed:
`BILLY_SEED=1234 pytest tests/road/test_search.py -k replay`.
"""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.road.checks import faults_of
from tests.road.histories import happen
from tests.road.planted import PLANTED
from tests.road.stores import KINDS, Kind
from tests.road.virtual import run

CHUNKS, SIZE = 10, 100  # seeds, each over both stores
SOON = 500  # histories within which a planted fault is found
SOAK = 100_000


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the road says of its troubles fills no log of a test's."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def wrong_with(seed: int, kind: Kind, home: Path) -> list[str]:
    """What is wrong with one history, in sentences."""
    history = happen(seed, kind, home)

    async def check(clock: object) -> list[str]:
        return await faults_of(history)

    return run(check)


@pytest.mark.slow
@pytest.mark.requirement("SC-71", "SC-98", "SC-99", "SC-100", "SC-104")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_in_no_random_history_does_money_move_twice_or_a_record_say_something_else(chunk: int, kind: Kind, home: Path) -> None:
    for seed in range(chunk * SIZE, (chunk + 1) * SIZE):
        assert wrong_with(seed, kind, home) == [], f"seed {seed} over {kind}"


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_that_is_planted_into_the_road_is_found_soon(name: str, home: Path) -> None:
    with PLANTED[name]():
        assert any(wrong_with(seed, KINDS[seed % 2], home) for seed in range(SOON)), f"not within {SOON} histories"


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("BILLY_SOAK") != "1", reason="a soak: make soak")
def test_a_hundred_thousand_histories(home: Path) -> None:
    began, wrong = time.perf_counter(), list[str]()
    for number in range(SOAK):
        seed, kind = 10_000 + number // 2, KINDS[number % 2]
        wrong += [f"seed {seed} over {kind}: {each}" for each in wrong_with(seed, kind, home)]
        if number % 1_000 == 999:
            print(f"| {number + 1:,} histories | {time.perf_counter() - began:,.0f} s | {len(wrong)} wrong |", flush=True)
    assert wrong == []


@pytest.mark.skipif("BILLY_SEED" not in os.environ, reason="for the seed of a history that failed")
@pytest.mark.parametrize("kind", KINDS)
def test_replay(kind: Kind, home: Path) -> None:
    assert wrong_with(int(os.environ["BILLY_SEED"]), kind, home) == []

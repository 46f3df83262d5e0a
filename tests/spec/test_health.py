"""Anybody may ask whether Billy works, as often as they like: the stores are asked once in two seconds."""

import asyncio
from typing import Any

import pytest

from shared.surfaces import health
from shared.surfaces.health import REMEMBERED, remembered_health
from tests.spec.conftest import Billy

READS = ("get", "find")  # how records are asked


@pytest.fixture
def asked(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions to the stores, counted."""
    kept: list[str] = []
    records = type(billy.context.records)

    def counting(name: str) -> None:
        real = getattr(records, name)

        async def counted(*arguments: Any, **keywords: Any) -> Any:
            kept.append(name)
            await asyncio.sleep(0)
            return await real(*arguments, **keywords)

        monkeypatch.setattr(records, name, counted)

    for each in READS:
        counting(each)
    return kept


async def one_look(billy: Billy, asked: list[str]) -> int:
    """How many questions a look costs, once what is asked for a first time alone is known."""
    await remembered_health(billy.context)
    billy.clock.offset += REMEMBERED
    asked.clear()
    await remembered_health(billy.context)
    return len(asked)


@pytest.mark.requirement("SC-105")
async def test_a_thousand_strangers_at_once_cost_one_look(billy: Billy, asked: list[str]) -> None:
    once = await one_look(billy, asked)
    answers = await asyncio.gather(*(remembered_health(billy.context) for _ in range(1000)))
    assert len(asked) == once > 0
    billy.clock.offset += REMEMBERED
    later = await asyncio.gather(*(remembered_health(billy.context) for _ in range(1000)))
    assert len(asked) == 2 * once
    assert {status for _, status in (*answers, *later)} == {200}


async def test_a_store_that_is_away_is_told_after_two_seconds_and_that_it_is_back_after_two_more(
    billy: Billy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise OSError

    assert (await remembered_health(billy.context))[1] == 200
    with monkeypatch.context() as broken:
        for each in READS:
            broken.setattr(type(billy.context.records), each, away)
        assert (await remembered_health(billy.context))[1] == 200
        billy.clock.offset += REMEMBERED
        assert (await remembered_health(billy.context))[1] == 503
    assert (await remembered_health(billy.context))[1] == 503
    billy.clock.offset += REMEMBERED
    assert (await remembered_health(billy.context))[1] == 200


async def test_a_clock_that_was_set_back_is_no_reason_to_remember_for_ever(billy: Billy, asked: list[str]) -> None:
    once = await one_look(billy, asked)
    billy.clock.offset -= 3600
    await remembered_health(billy.context)
    assert len(asked) == 2 * once


async def test_strangers_who_ask_while_the_stores_are_slow_share_one_look(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that takes longer than it is remembered for is no reason for the next one."""
    looks = 0

    async def slow(context: Any) -> tuple[dict[str, Any], int]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        billy.clock.offset += 2 * REMEMBERED
        return {}, 200

    monkeypatch.setattr(health, "health", slow)
    await asyncio.gather(*(remembered_health(billy.context) for _ in range(50)))
    assert looks == 1

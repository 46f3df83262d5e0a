"""Whatever comes in whatever order: the newest state stays, and roll-up and index agree with a recount."""

import asyncio
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from shared.stores.protocols import Applied, Mirror, Query, Write
from tests.stores.adapters import MIRRORS, each, endpoint_of

DAY = 86_400
STATUSES = ["succeeded", "failed", None]
WORDS = ["anna", "ann", "bob", "bobby", "order_17", "zoë"]
IDS = ["ch_1", "ch_2", "ch_3"]
EXAMPLES = {"sqlite": 60, "cosmos": 25}  # each story on Cosmos is some hundred requests


@dataclass
class Account:
    """Stripe, as far as it matters: objects with a history, and a clock in whole seconds. Chosen ids are given again."""

    chosen: bool = False
    clock: int = 20_000 * DAY
    now: dict[str, Write] = field(default_factory=dict)
    events: list[Write] = field(default_factory=list)

    def change(self, id: str, wait: int, status: str | None, word: str, amount: int) -> None:
        self.clock += wait
        before = self.now.get(id)
        if before is not None and before.deleted and not self.chosen:
            return
        created = before.created if before and not before.deleted else self.clock
        body = f'{{"n":{len(self.events)}}}'.encode()
        facts = (status, "cus_a", "usd", amount, amount // 2, word)
        self._say(Write("charge", id, created, self.clock, body, *facts, chosen_id=self.chosen))

    def delete(self, id: str, wait: int) -> None:
        self.clock += wait
        if id in self.now:
            self._say(Write("charge", id, 0, self.clock, b'{"deleted":true}', deleted=True, chosen_id=self.chosen))

    def _say(self, state: Write) -> None:
        self.now[state.id] = state
        self.events.append(state)


async def fetch(mirror: Mirror, account: Account, id: str) -> None:
    """What a reader of Stripe does: note the version, fetch, write, and again if somebody was faster."""
    while True:
        stored = await mirror.get("charge", id)
        write = replace(account.now[id], stamp=account.clock, expects=stored.version if stored else 0)
        (answer,) = await mirror.apply([write])
        if answer is not Applied.CONFLICT:
            return


async def deliver(mirror: Mirror, account: Account, event: Write) -> None:
    (answer,) = await mirror.apply([event])
    if answer is Applied.TIE:
        await fetch(mirror, account, event.id)


changes = st.tuples(
    st.just("change"),
    st.sampled_from(IDS),
    st.sampled_from([0, 0, 1, 40_000]),
    st.sampled_from(STATUSES),
    st.sampled_from(WORDS),
    st.integers(-5, 99),
)
deletions = st.tuples(st.just("delete"), st.sampled_from(IDS), st.sampled_from([0, 1, 70_000]))
readings = st.tuples(st.just("fetch"), st.sampled_from(IDS))


@pytest.mark.parametrize("adapter", each(MIRRORS))
def test_the_newest_state_stays_and_totals_and_search_agree_with_a_recount(adapter: str, request: pytest.FixtureRequest) -> None:
    endpoint = endpoint_of(adapter, request)

    @settings(max_examples=EXAMPLES[adapter], deadline=None)
    @given(story=st.lists(st.one_of(changes, changes, changes, readings, deletions), max_size=25), chosen=st.booleans(), data=st.data())
    def any_story(story: list[tuple], chosen: bool, data: st.DataObject) -> None:
        asyncio.run(play(adapter, endpoint, story, chosen, data))

    any_story()


async def play(adapter: str, endpoint: str, story: list[tuple], chosen: bool, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mirror = await MIRRORS[adapter](Path(folder), endpoint)
        try:
            account = Account(chosen)
            for step, *facts in story:
                if step == "change":
                    account.change(*facts)
                elif step == "delete":
                    account.delete(*facts)
                elif facts[0] in account.now:
                    await fetch(mirror, account, facts[0])
            late = data.draw(st.permutations(account.events))
            again = data.draw(st.lists(st.sampled_from(account.events), max_size=5)) if account.events else []
            await asyncio.gather(*(deliver(mirror, account, event) for event in late))
            for event in again:
                await deliver(mirror, account, event)
            await check(mirror, account)
        finally:
            await mirror.close()


async def check(mirror: Mirror, account: Account) -> None:
    alive = {id: state for id, state in account.now.items() if not state.deleted}
    for id, state in account.now.items():
        stored = await mirror.get("charge", id)
        assert stored is not None and (stored.body, stored.deleted) == (state.body, state.deleted)
    cells: Counter[tuple[int, str]] = Counter()
    for state in alive.values():
        cells[state.created // DAY, state.status or ""] += state.amount or 0
    told = await mirror.totals("charge", 0)
    assert {(cell.day, cell.status): cell.amount for cell in told} == dict(cells)
    assert sum(cell.count for cell in told) == sum(cell.count for cell in await mirror.totals("charge")) == len(alive)
    assert sum(cell.refunded for cell in told) == sum((state.refunded or 0) for state in alive.values())
    for status in ("succeeded", "failed"):
        page = await mirror.list(Query("charge", status=status, limit=10))
        assert page.total == len(page.bodies) == sum(1 for state in alive.values() if state.status == status)
    for text in ("ann", "anna", "bob", "order", "17", "zoe"):
        expected = {
            id for id, state in alive.items() if any(run.startswith(text) for run in re.split("[ _]", state.words.replace("ë", "e")))
        }
        assert {each.id for each in await mirror.search(text, ["charge"], 10)} == expected

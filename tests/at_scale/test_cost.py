"""`docs/cost.md` counts what is done: its tables are read, the things are done, and the arithmetic is done again."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from functions import alarms, attempts, first_key, repair, sync
from shared import wiring
from shared.gateway import feed, progress
from shared.gateway.apply import is_recorded
from shared.gateway.backfill import Slice, run_slice
from shared.gateway.feed import catch_up
from shared.gateway.webhook import apply_message
from shared.operations.sync import request_run
from shared.people import last_use
from shared.road import settling
from shared.stores.cosmos_documents import SHIFT
from shared.stores.cosmos_layout import layout
from shared.stores.cosmos_totals import QUARTER
from shared.stores.protocols import Write
from shared.telemetry.correlation import new_trace
from shared.telemetry.invocation import began
from shared.telemetry.spans import use
from tests.spec.conftest import Billy, invocation_of
from tests.spec.test_webhooks import event

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cosmos")]

ROOT = Path(__file__).parents[2]
COST = (ROOT / "docs" / "cost.md").read_text()
PAGE = 100
OPERATION = re.compile(r"`([a-z]+ [a-z]+(?: across)?)`(?: × ([0-9.]+))?")

type Do = Callable[[], Awaitable[Any]]


def rows(heading: str) -> list[list[str]]:
    """The table below a heading, without its head."""
    text = COST.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def operations(cell: str) -> dict[str, float]:
    return {what: float(times or 1) for what, times in OPERATION.findall(cell)}


PRICES = {what: float(cells[1]) for cells in rows("The prices used") for what in operations(cells[0])}
THINGS = {cells[0]: cells[1:] for cells in rows("What each thing costs")}


class Spans:
    """Counts what telemetry would send."""

    started = 0

    def start(self, name: str, kind: str, parent: Any) -> Any:
        self.started += 1
        return self

    def get_span_context(self) -> Any:
        return self

    span_id = 1

    def set_attribute(self, *_: object) -> None: ...

    def end(self) -> None: ...

    def fail(self, span: Any) -> None: ...


class NothingToWake:
    def set(self, _: object) -> None:
        raise AssertionError("nothing was to be woken")


async def a_minute() -> None:
    """What the timers do that run every minute, but for the alarms."""
    for part in (attempts, repair, first_key, sync):
        for each in part.blueprint._function_builders:
            function = each._function
            if function.get_function_name() not in ("run_sync", "sync_timer"):
                outputs = [NothingToWake()] if part is sync else []
                await function.get_user_function()(None, invocation_of(function.get_function_name()), *outputs)


async def made_good(billy: Billy) -> None:
    """What the timer still owes two refunds, a minute and ten minutes after them."""
    for seconds in (61, 600):
        billy.clock.offset += seconds
        due = await billy.context.records.find("attempts", {"due": "yes"})
        assert len(due) == 2
        for record in due:
            await settling._made_good(billy.context, record)


async def minutes_alarms() -> None:
    await alarms.raise_alarms._function.get_user_function()(None, invocation_of("raise_alarms"))


@pytest.fixture(autouse=True)
def recorded() -> Iterator[Spans]:
    """Before the context is made, so that its stores are seen as they are where telemetry has somewhere to go."""
    made = Spans()
    use(made)
    yield made
    use(None)


@pytest.fixture
async def doing(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Do]:
    """Each thing of the table, on a mirror in which it was done before, so that no counter and no connection is made for it."""

    async def context() -> Any:
        return billy.context

    monkeypatch.setattr(wiring, "context", context)
    monkeypatch.setattr(progress, "PULSE_EVERY", 10**6)  # every five seconds the pulse is written, and every minute a key's last use
    monkeypatch.setattr(last_use, "PRECISION", 10**6)
    monkeypatch.setattr(feed, "OVERLAP", 0)  # events of the last minute are looked at twice, and here there were some
    mirror = billy.context.mirror
    await request_run(billy.context, "system")
    assert await run_slice(billy.context, 120) is Slice.DONE
    # All lie in the quarter that lasts now, so that a list finds its page in one partition.
    began = int(time.time()) >> QUARTER - SHIFT << QUARTER - SHIFT

    def told(n: int, at: int = 0, **more: Any) -> Do:
        """An event about a charge, so many seconds after the quarter began."""
        found = event(f"evt_{n}_{at}", id=f"ch_{n}", customer="cus_1", **{"created": began, **more}) | {"created": began + at}
        return lambda: apply_message(billy.context, {"event": found})

    def of_page(n: int) -> Write:
        return Write("charge", f"ch_page{n}", began + n, began, b'{"id":"ch_page%d"}' % n, "succeeded", "cus_1", "usd", 1, 0, f"Ann{n}")

    def read(operation: str, **arguments: Any) -> Do:
        return lambda: billy.rest("owner", operation, **arguments)

    page = [of_page(n + PAGE) for n in range(PAGE)]
    charge = billy.stripe.charge(5_000)
    await billy.know("charge", charge["id"])
    first_page = [of_page(n) for n in range(PAGE)]
    refund = read("create_refund", charge=charge["id"], amount=100)
    for warm in (told(0), lambda: mirror.apply(first_page), refund, lambda: catch_up(billy.context)):
        await warm()
    return {
        "an event of a new object": told(1),
        "an event of a changed status": told(1, 120, status="failed"),
        "an event of another change": told(1, 240, status="failed", description="anew"),
        "an event that tells nothing new": told(1, 60, status="pending"),
        "an event of Stripe's list that was applied before": lambda: is_recorded(billy.context, "evt_1_0"),
        "a new object within a page of 100": lambda: mirror.apply(page),
        "an object within a page that is there already": lambda: mirror.apply(page),
        "get by id": read("get_charge", id="ch_1"),
        "a list of 10": read("list_charges", limit=10),
        "a list of 100": read("list_charges", limit=100),
        "the month's statistics": read("get_stats"),
        "a search that finds 10": read("search", q="ann1", limit=10),
        "a refund": read("create_refund", charge=charge["id"], amount=101),
        "a minute in which nothing happens": a_minute,
        "the alarms, every minute": minutes_alarms,
        "what the timer does after a refund": lambda: made_good(billy),
    }


async def test_the_table_counts_what_is_done_and_adds_it_up(
    billy: Billy, doing: dict[str, Do], monkeypatch: pytest.MonkeyPatch, recorded: Spans
) -> None:
    units = billy.context.mirror._account.units.operations  # type: ignore[attr-defined]
    await billy.rest("owner", "get_stats")  # notes the key's last use, at most once a minute
    await minutes_alarms()  # which tells the audit log once what version 0.1.0 told the records alone
    counted: dict[str, list[str]] = {}
    for name, do in doing.items():
        if name == "a minute in which nothing happens":
            billy.stripe.referenced()  # the refunds' last events
            await asyncio.sleep(2.1)  # what was made in a second of Stripe's clock that still runs is looked at again
            await catch_up(billy.context)
        rows_before, spans_before = len(await billy.audit()), recorded.started
        units.clear()
        with began(name, new_trace(billy.context.seam.bits), billy.context.seam):
            answered = await do()
        assert getattr(answered, "error", None) is None, (name, answered)
        share = PAGE if "within a page" in name else 2 if name == "what the timer does after a refund" else 1
        did = Counter({f"{container} {does}": number / share for (container, does), number in units.items()})
        told = ", ".join(f"`{what}` × {number:g}" for what, number in sorted(did.items()))
        total = f"{sum(PRICES[what] * number for what, number in did.items()):.0f}"
        spans = f"{(recorded.started - spans_before) / share:.0f}"
        counted[name] = [told, total, str(len(await billy.audit()) - rows_before), spans]
    assert await billy.context.records.find("attempts", {"due": "yes"}) == [], "nothing is owed any more"
    assert counted == THINGS, "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in counted.items())


def test_a_million_of_each_is_the_table_added_up() -> None:
    """Each line of arithmetic names the things of the table with their share, `0.33 × an event of a new object`."""
    units = {name: float(cells[1]) for name, cells in THINGS.items()}
    shares = re.compile(r"([0-9.]+) × ([^+=(]+?)(?= \+ | =|$)")
    lines = rows("Cosmos DB, one million of each")
    assert len(lines) >= 4
    for what, arithmetic, million, dollars in lines:
        parts = [(float(share), name.strip()) for share, name in shares.findall(arithmetic)]
        assert parts and {name for _, name in parts} <= set(units), (what, parts)
        one = sum(share * units[name] for share, name in parts)
        count = float(re.search(r"([0-9.]+) million", what)[1])  # type: ignore[index]
        assert float(million) == pytest.approx(one * count, rel=0.02), what
        assert float(dollars) == pytest.approx(float(million) * PRICE_OF_A_MILLION, rel=0.02, abs=0.05), what


PRICE_OF_A_MILLION = 0.25  # USD for a million RU, as the document says


def test_the_rates_of_the_page_on_scale_follow_from_the_table_and_the_ceilings() -> None:
    page = (ROOT / "docs" / "at-scale.md").read_text()
    mix = ("an event of a new object", "an event of a changed status", "an event that tells nothing new")
    each: Counter[str] = Counter()
    for thing in mix:
        for what, times in operations(THINGS[thing][0]).items():
            each[what.split()[0]] += times * PRICES[what] / len(mix)  # type: ignore[assignment]
    ceilings = {container["name"]: container["autoscaleMaxThroughput"] for container in layout()["containers"]}
    units = re.search(r"(\d+) RU each: (\d+) in objects, (\d+) in entries, (\d+) in totals, (\d+) in records", page)
    rates = re.search(r"totals take (\d+) a second, records (\d+), objects (\d+)\*\*, entries (\d+)", page)
    assert units and rates
    order = ("objects", "entries", "totals", "records")
    assert [int(units[n]) for n in range(1, 6)] == [round(sum(each.values())), *(round(each[name]) for name in order)]
    told = dict(zip(("totals", "records", "objects", "entries"), map(int, rates.groups()), strict=True))
    assert told == {name: pytest.approx(ceilings[name] / each[name], rel=0.02) for name in order}
    needed = re.search(r"need ([\d,]+) RU a second for objects, ([\d,]+) for entries, ([\d,]+) for totals, ([\d,]+) for records", page)
    assert needed
    for name, number in zip(order, needed.groups(), strict=True):
        assert int(number.replace(",", "")) == pytest.approx(1_700 * each[name], rel=0.03), name

"""A flood of calls without a key costs the audit log a bounded number of rows, and every one of them is counted all the same."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
import pytest_asyncio

from shared import wiring
from shared.actor import Actor, Origin
from shared.context import Seam
from shared.errors import BillyError
from shared.people.keys import make_key
from shared.road import floods, trail
from shared.road.catalogue import OPERATIONS
from shared.surfaces import mcp, rest
from shared.telemetry.correlation import following, new_trace
from tests.surfaces.company import Company, open_company

NOBODY = BillyError("unauthenticated", "No key.")


class Clock:
    def __init__(self) -> None:
        self.time = 1_793_500_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def company(tmp_path: Path, clock: Clock) -> AsyncIterator[Company]:
    async with open_company(tmp_path / "billy") as opened:
        opened.context = replace(
            opened.context, seam=Seam(now=clock.now), settings=replace(opened.context.settings, trusted_proxies=("azure",))
        )
        yield opened


async def over_rest(company: Company, address: str, operation: int = 0, **headers: str) -> int:
    asked = OPERATIONS[operation % len(OPERATIONS)]
    sent = {"x-forwarded-for": address} | headers
    request = func.HttpRequest(method=asked.verb, url=f"http://localhost{asked.path}", headers=sent, route_params={"id": "x"}, body=b"")
    return (await rest.answer(asked, request, company.context)).response.status_code


async def over_mcp(company: Company, address: str, method: str = "POST", **headers: str) -> int:
    asked = mcp.Request(Origin("mcp", address), method, {"host": "localhost"} | headers, {}, b"{}")
    return (await mcp.answer(asked, company.context)).status


async def told(company: Company) -> list[dict[str, Any]]:
    return [row for row in await company.audit() if row["decision"] == "refused"]


def calls(rows: list[dict[str, Any]]) -> int:
    return sum(row.get("count", 1) for row in rows)


@pytest.mark.requirement("SC-77", "SC-48")
@pytest.mark.parametrize("surface", ["rest", "mcp", "mcp GET", "mcp without a name"])
async def test_after_the_first_few_of_a_minute_there_is_one_row_with_the_number_of_the_others(
    company: Company, clock: Clock, surface: str
) -> None:
    ask = {
        "rest": lambda: over_rest(company, "203.0.113.9"),
        "mcp": lambda: over_mcp(company, "203.0.113.9"),
        "mcp GET": lambda: over_mcp(company, "203.0.113.9", "GET"),
        "mcp without a name": lambda: over_mcp(company, "203.0.113.9", host="evil.example"),
    }[surface]
    statuses = {await ask() for _ in range(500)}
    assert len(statuses) == 1 and statuses <= {401, 403, 405}, "the answer stays the same, whether it has a row or not"
    assert len(await told(company)) == floods.FEW
    clock.time += floods.WINDOW
    await ask()
    rows = await told(company)
    (sum_row,) = (row for row in rows if "count" in row)
    assert (sum_row["count"], sum_row["address"], sum_row["code"]) == (500 - floods.FEW, "203.0.113.9", rows[0]["code"])
    assert sum_row["since"] == "2026-11-01T02:26:40Z"
    assert calls(rows) == 501


@pytest.mark.requirement("SC-77")
async def test_whatever_is_written_next_brings_the_sum_along(company: Company, clock: Clock) -> None:
    for _ in range(50):
        await over_rest(company, "203.0.113.9")
    clock.time += floods.WINDOW
    assert (
        await over_rest(company, "198.51.100.1", authorization=f"Bearer {company.keys['read_only']}", operation=_index("get_stats")) == 200
    )
    assert calls(await told(company)) == 50


@pytest.mark.requirement("SC-77")
async def test_nothing_of_somebody_known_is_ever_summed(company: Company) -> None:
    for _ in range(50):
        assert await over_rest(company, "203.0.113.9")
    key = f"Bearer {company.keys['read_only']}"
    for _ in range(50):
        assert await over_rest(company, "203.0.113.9", operation=_index("list_audit"), authorization=key) == 403
        assert await over_mcp(company, "203.0.113.9", authorization=key) == 400
    actor = Actor("key_" + "0" * 26, "one", "owner", "key", Origin("rest"))
    for _ in range(50):
        await trail.refused(company.context, actor.origin, NOBODY, None, actor)
    rows = await company.audit()
    assert len([row for row in rows if row["actor"] != "unknown"]) == 150
    assert not any("count" in row for row in rows)


@pytest.mark.requirement("SC-77")
async def test_a_flood_with_a_key_that_has_expired_is_summed_under_its_name(company: Company, clock: Clock) -> None:
    made = await make_key(company.context, "gone", "billing_clerk", int(clock.time) + 60, "system")
    clock.time += 61
    for _ in range(50):
        assert await over_rest(company, "203.0.113.9", authorization=f"Bearer {made['key']}") == 401
        await over_rest(company, "203.0.113.9")
    clock.time += floods.WINDOW
    await trail.write_sums(company.context)
    assert Counter((row["actor"], row.get("key_state"), row.get("count")) for row in await told(company)) == {
        (made["id"], "expired", None): floods.FEW,
        (made["id"], "expired", 50 - floods.FEW): 1,
        ("unknown", None, None): floods.FEW,
        ("unknown", None, 50 - floods.FEW): 1,
    }


@pytest.mark.requirement("SC-77")
async def test_a_flood_of_one_kind_hides_nothing_of_another(company: Company) -> None:
    for _ in range(100):
        await over_rest(company, "203.0.113.9")
    await over_rest(company, "203.0.113.10")
    await over_mcp(company, "203.0.113.9")
    await over_mcp(company, "203.0.113.9", host="evil.example")
    assert Counter((row["address"], row["surface"], row["code"]) for row in await told(company)) == {
        ("203.0.113.9", "rest", "unauthenticated"): floods.FEW,
        ("203.0.113.10", "rest", "unauthenticated"): 1,
        ("203.0.113.9", "mcp", "unauthenticated"): 1,
        ("203.0.113.9", "mcp", "not_allowed"): 1,
    }


@pytest.mark.requirement("SC-77")
async def test_very_many_addresses_cost_no_more_rows_than_is_bounded(company: Company, clock: Clock) -> None:
    count = 3000
    for number in range(count):
        await over_rest(company, f"198.{number // 250}.{number % 250}.7", operation=number)
    assert len(await told(company)) <= floods.SINGLE
    assert len(company.context.counted) <= floods.ADDRESSES + 5
    clock.time += floods.WINDOW
    await trail.write_sums(company.context)
    rows = await told(company)
    assert calls(rows) == count
    assert len(rows) <= floods.SINGLE + floods.ADDRESSES + 5
    assert company.context.counted == {}


async def test_one_network_of_a_caller_is_one_address(company: Company) -> None:
    for number in range(50):
        await over_rest(company, f"[2001:db8:1:2::{number:x}]:443")
    assert len(await told(company)) == floods.FEW
    await over_rest(company, "2001:db8:1:3::1")
    assert len(await told(company)) == floods.FEW + 1


async def test_a_caller_without_a_known_address_is_counted_too(company: Company) -> None:
    company.context = replace(company.context, settings=replace(company.context.settings, trusted_proxies=()))
    for number in range(50):
        await over_rest(company, f"203.0.113.{number}")
    rows = await told(company)
    assert len(rows) == floods.FEW and not any("address" in row for row in rows), "who writes another address each time is one caller"


async def test_what_cannot_be_written_now_is_counted_on(company: Company, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(50):
        await over_rest(company, "203.0.113.9")
    clock.time += floods.WINDOW

    async def away(row: Any) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(type(company.context.audit), "append", lambda self, row: away(row))
        await trail.write_sums(company.context)
    assert len(await told(company)) == floods.FEW
    await trail.write_sums(company.context)
    assert calls(await told(company)) == 50


async def test_a_process_that_ends_writes_what_it_counted(tmp_path: Path) -> None:
    async with open_company(tmp_path / "billy") as company:
        for _ in range(50):
            await over_rest(company, "")
    again = await wiring.make_context(company.context.settings)
    try:
        assert sum(row.get("count", 1) for row in await again.audit.list(limit=100)) == 50
    finally:
        await wiring.close_context(again)


def _index(name: str) -> int:
    return next(index for index, each in enumerate(OPERATIONS) if each.name == name)


async def test_a_sum_stands_under_a_correlation_id_of_its_own(company: Company, clock: Clock) -> None:
    """Not under that of whoever comes by when it is written."""
    for _ in range(floods.FEW + 5):
        await trail.refused(company.context, Origin("rest", "203.0.113.7"), NOBODY, "list_charges")
    clock.time += floods.WINDOW + 1
    passing = new_trace(company.context.seam.bits)
    with following(passing):
        await trail.append(company.context, trail.Row("get_stats", Origin("rest"), trail.Decided.ALLOWED))
    rows = await company.context.audit.list(limit=100)
    (summed,) = [row for row in rows if row.get("count")]
    assert [row["operation"] for row in rows if row.get("correlation_id") == passing.id] == ["get_stats"]
    assert summed["correlation_id"] != passing.id and summed.get("parent") != passing.id

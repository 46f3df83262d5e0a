"""What is kept beside a call never decides it: the note of a key's last use, spans and measures."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.errors import BillyError
from shared.people import last_use
from shared.people.keys import COLLECTION
from shared.stores.protocols import Changed, Record, Records
from shared.telemetry import lines, measures, spans
from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow

HANGS = 8  # seconds that a store waits while its account throttles


def throttled() -> Exception:
    return BillyError("unavailable", "The store has more to do than it may.", retry_after=2)


FAULTS = {
    "429": throttled,
    "449": Changed,  # somebody else was there first, which is nothing to tell
    "503": lambda: BillyError("unavailable", "The store answered 503.", retry_after=5),
    "cut": lambda: ConnectionResetError("canary4711"),
    "disk full": lambda: sqlite3.OperationalError("database or disk is full: canary4711"),
    "read-only": lambda: sqlite3.OperationalError("attempt to write a readonly database: canary4711"),
    "refused": lambda: RuntimeError("The store refused an operation with 400."),
}


class Unwilling:
    """Records that replace no key; every other call goes through. `tried` counts."""

    def __init__(self, records: Records, fault: str | None) -> None:
        self._records = records
        self._fault = fault
        self.tried = 0
        self.done = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def replace(self, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
        if collection != COLLECTION:
            return await self._records.replace(collection, record, document)
        self.tried += 1
        if self._fault == "hangs":
            await asyncio.sleep(HANGS)
        if self._fault in FAULTS:
            raise FAULTS[self._fault]()
        replaced = await self._records.replace(collection, record, document)
        self.done += 1
        return replaced


def over(billy: Billy, fault: str | None) -> tuple[Billy, Unwilling]:
    unwilling: Any = Unwilling(billy.context.records, fault)
    return replace(billy, context=replace(billy.context, records=unwilling)), unwilling


async def unlike(one: Billy, other: Billy, charge: str) -> list[str]:
    """The calls that two instances answer differently."""
    calls: list[tuple[str, Any]] = [
        ("stats", lambda billy: billy.rest("read_only", "get_stats")),
        ("customers", lambda billy: billy.mcp("read_only", "list_customers")),
        ("refund", lambda billy: billy.call("billing_clerk", "create_refund", charge=charge, amount=100, dry_run=True)),
    ]
    return [name for name, call in calls if (await call(one)).error is not None or (await call(other)).error is not None]


@pytest.mark.parametrize("fault", [*FAULTS, "hangs"])
async def test_a_last_use_that_cannot_be_noted_changes_no_answer(billy: Billy, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    charge = billy.stripe.charge(2_000)["id"]
    await billy.know("charge", charge)
    for role in ("read_only", "billing_clerk"):
        assert (await billy.rest(role, "get_stats")).error is None
    billy.clock.offset = 120  # so that the note is due
    unwilling, records = over(billy, fault)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "billy"):
        assert await unlike(unwilling, unwilling, charge) == []
    assert records.tried >= 2, "the note was due"
    assert time.monotonic() - began < HANGS, "and held nobody up"
    said = [record for record in caplog.records if "billy.last_use_not_noted" in record.getMessage()]
    assert len(said) == (fault != "449") and "canary4711" not in caplog.text, "one line in a minute, with nothing of what the store said"
    assert last_use.LONGEST < 0.2


async def test_while_notes_fail_a_key_tries_it_once_a_minute_and_the_log_tells_it_once_a_minute(
    billy: Billy, caplog: pytest.LogCaptureFixture
) -> None:
    unwilling, records = over(billy, "503")
    with caplog.at_level(logging.WARNING, "billy"):
        for minute in range(1, 4):
            billy.clock.offset = 120.0 * minute
            for _ in range(5):
                assert (await unwilling.rest("read_only", "get_stats")).error is None
                assert (await unwilling.rest("owner", "get_stats")).error is None
            assert len([record for record in caplog.records if "last_use" in record.getMessage()]) == minute
    assert records.tried == 6, "each of the two keys once a minute"


async def test_a_revocation_holds_at_once_while_no_note_can_be_kept(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="leaving", role="read_only")).body["result"]
    unwilling, _ = over(billy, "503")
    assert (await unwilling.rest(made["key"], "get_stats")).error is None
    assert (await billy.rest("owner", "revoke_key", id=made["id"])).error is None
    assert (await unwilling.rest(made["key"], "get_stats")).error == "unauthenticated"


async def test_many_first_calls_of_a_key_at_once_write_one_note_a_minute(billy: Billy) -> None:
    """On two instances, each with twenty calls."""
    for minute in (1, 2):
        billy.clock.offset = 120.0 * minute
        instances = [over(billy, None) for _ in range(2)]
        calls = [each.rest("read_only", "get_stats") for each, _ in instances for _ in range(20)]
        assert {answer.error for answer in await asyncio.gather(*calls)} == {None}
        while last_use._writing:
            await asyncio.wait(last_use._writing)
        assert sum(records.done for _, records in instances) == 1
    listed = (await billy.rest("owner", "list_keys")).body["data"]
    assert next(each["last_used"] for each in listed if each["name"] == "the read_only") >= int(billy.clock.now()) - 60


# Telemetry


@dataclass
class Broken:
    """A recorder that fails in every way it can, once it is `told` to."""

    at: str

    def start(self, name: str, kind: str, parent: Any) -> Any:
        if self.at == "start":
            raise RuntimeError("canary4711")
        return self

    def get_span_context(self) -> Any:
        if self.at == "ids":
            raise RuntimeError("canary4711")
        return type("Ids", (), {"span_id": 7})

    def set_attribute(self, name: str, value: Any) -> None:
        if self.at == "set":
            raise RuntimeError("canary4711")

    def fail(self, span: Any) -> None:
        if self.at == "fail":
            raise RuntimeError("canary4711")

    def end(self) -> None:
        if self.at == "end":
            raise RuntimeError("canary4711")

    def keep(self, parent: Any) -> None:
        if self.at == "keep":
            raise RuntimeError("canary4711")

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        if self.at == "record":
            raise RuntimeError("canary4711")


@pytest.fixture(params=["start", "ids", "set", "fail", "end", "keep", "record"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(lines, "_lost", None)
    recorder = Broken(request.param)
    spans.use(recorder)
    measures.use(recorder)
    yield request.param
    spans.use(None)
    measures.use(None)


async def test_telemetry_that_fails_changes_no_answer_and_says_so_once(broken: str, billy: Billy, caplog: pytest.LogCaptureFixture) -> None:
    charge = billy.stripe.charge(2_000)["id"]
    await billy.know("charge", charge)
    lines._lost = None
    caplog.clear()
    with caplog.at_level(logging.WARNING, "billy"), spans.span("outside"):
        assert (await billy.rest("read_only", "get_stats")).error is None
        assert (await billy.call("billing_clerk", "create_refund", charge=charge, amount=100)).body["status"] == "succeeded"
        assert (await billy.rest("read_only", "get_charge", id="ch_none")).error == "not_found"
        assert (await billy.rest("read_only", "create_refund", charge=charge)).error == "not_allowed"
    said = [record.getMessage() for record in caplog.records if "billy.telemetry_lost" in record.getMessage()]
    assert len(said) <= 1 and "canary4711" not in caplog.text
    if broken in ("start", "ids", "set", "end", "record"):
        assert len(said) == 1

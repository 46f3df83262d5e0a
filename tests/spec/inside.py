"""A Billy without a surface, on the virtual clock: the road over Stripe's stand-in, and stores that can be in trouble."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from shared.actor import Actor, Origin
from shared.context import Context, Seam
from shared.errors import BillyError
from shared.gateway.client import StripeGateway
from shared.people.keys import COLLECTION as KEYS
from shared.people.keys import find_record, key_digest, make_key
from shared.policy.roles import ROLES
from shared.road.catalogue import BY_NAME
from shared.road.execute import execute
from shared.road.operation import Operation
from shared.road.settling import settle_attempts
from shared.road.shown import hold_against
from shared.settings import Settings
from shared.stores.changes import change
from shared.wiring import _witness
from tests.road.faults import FINE, Fault
from tests.road.faulty import Faulty, Trouble
from tests.road.script import Script
from tests.road.standin import Standin, installed
from tests.road.stores import Kind, Stores, open_stores
from tests.road.virtual import Clock, run

REFUNDS = "POST /v1/refunds"
LOOKS = "GET /v1/refunds"
USUAL = Trouble(before=0.002, after=0.001)  # so that no two rows have the same moment
CHARGE = "ch_1"  # of 5,000 usd, which is there from the beginning


@dataclass(frozen=True, slots=True)
class Told:
    """What a call was told: a body, or an error."""

    body: dict[str, Any] = field(default_factory=dict[str, Any])
    error: BillyError | None = None

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None

    @property
    def attempt(self) -> str:
        found = self.error.attempt if self.error else self.body.get("attempt")
        assert found is not None, "this answer speaks of an attempt"
        return str(found)

    @property
    def words(self) -> str:
        return f"{self.error.detail} {self.error.next}" if self.error else str(self.body.get("next", ""))


class _Secrets:
    async def get(self, name: str) -> str | None:
        return None

    async def set(self, name: str, value: str) -> None:
        raise NotImplementedError


@dataclass(slots=True)
class Inside:
    """`wire` says what happens to which request to Stripe, `trouble` what to which call of a store (`records.insert attempts`)."""

    clock: Clock
    standin: Standin
    wire: Script[Fault]
    trouble: Script[Trouble]
    stores: Stores
    context: Context
    people: dict[str, Actor] = field(default_factory=dict[str, Actor])
    way: Callable[[], Trouble] = lambda: USUAL  # what every other call of a store meets

    def instance(self, name: str, *, skew: float = 0.0, **parts: Any) -> Context:
        """Another process over the same stores, with a clock and chance of its own."""
        return replace(self.context, seam=self.clock.seam(name, skew), **parts)

    async def call(self, operation: str | Operation, /, by: str = "owner", over: Context | None = None, **arguments: Any) -> Told:
        found = BY_NAME[operation] if isinstance(operation, str) else operation
        try:
            return Told((await execute(found, arguments, self.people[by], over or self.context)).body)
        except BillyError as error:
            return Told(error=error)

    async def refund(self, /, amount: int | None = 1_000, by: str = "owner", over: Context | None = None, **arguments: Any) -> Told:
        if amount is not None:
            arguments["amount"] = amount
        return await self.call("create_refund", by, over, **{"charge": CHARGE, **arguments})

    async def wait(self, seconds: float) -> None:
        """So much time passes."""
        await asyncio.sleep(seconds)

    async def timer(self, operations: Mapping[str, Operation] = BY_NAME, over: Context | None = None) -> dict[str, int]:
        return await settle_attempts(over or self.context, operations)

    async def shown(self, kind: str, value: Mapping[str, Any], operations: Mapping[str, Operation] = BY_NAME) -> None:
        """Stripe shows an object."""
        await hold_against(self.context, kind, [value], operations)

    async def document(self, attempt: str) -> dict[str, Any]:
        record = await self.stores.records.get("attempts", attempt)
        assert record is not None, "the attempt is recorded"
        return record.document

    async def state(self, attempt: str) -> str:
        return str((await self.document(attempt))["state"])

    async def write(self, collection: str, id: str, **facts: Any) -> None:
        """Changes a document as no code of ours would."""
        await change(self.stores.records, collection, id, lambda document: document | facts)

    async def restore(self, *collections: str) -> None:
        """What the collections hold is lost, as where a backup of before is put back."""
        account, file = self.stores.account, getattr(self.stores.records, "_file", None)
        for each in collections:
            if account is not None:
                account.data.pop(each, None)
            if file is not None:
                await file.write(lambda connection, each=each: connection.execute("DELETE FROM records WHERE collection = ?", (each,)))

    async def person(self, name: str, role: str = "owner", *, lineage: str | None = None, surface: str = "rest") -> Actor:
        """A key, and who shows it."""
        made = await make_key(self.context, name, role, None, "system", lineage=lineage)
        found = Actor(made["id"], name, role, "key", Origin(surface, None, "spec/1"), made["lineage"], key_digest(made["key"]))
        self.people[name] = found
        return found

    async def change_key(self, name: str, **facts: Any) -> None:
        """The record of somebody's key becomes another one: revoked, or of another role."""
        record = await find_record(replace(self.context, records=self.stores.records), self.people[name].id)
        assert record is not None
        await self.write(KEYS, record.id, **facts)

    async def rows(self, **where: str) -> list[dict[str, Any]]:
        """The audit's rows, the oldest first."""
        return list(await self.stores.audit.list(limit=1_000, where=where))[::-1]

    async def told(self, attempt: str) -> list[tuple[Any, ...]]:
        """What the rows of an attempt say of it: decision, state and outcome, the oldest first."""
        return [(row["decision"], row.get("state"), row.get("outcome")) for row in await self.rows(attempt=attempt)]

    async def rest(self, operations: Mapping[str, Operation] = BY_NAME, *, heal: bool = True) -> None:
        """An hour in which no store fails, nor Stripe unless `heal` is false."""
        if heal:
            self.wire.clear()
        self.trouble.clear()
        self.way = lambda: USUAL
        await self.standin.quiet()
        for seconds in (61, 130, 300, 700, 4_000):
            await self.wait(seconds)
            await self.timer(operations)

    async def at_rest(self) -> None:
        """After that records, rows and Stripe say the same of every refund that was asked for."""
        await self.rest()
        made = [each.metadata["billy_attempt"] for each in self.standin.movements]
        assert len(made) == len(set(made)), "no attempt moved twice"
        for record in await self.stores.records.find("attempts", {"operation": "create_refund"}):
            state = record.document["state"]
            assert state == ("succeeded" if record.id in made else "failed"), record.document["steps"]
            outcomes = [each for each in await self.told(record.id) if each[0] == "outcome"]
            assert ("outcome", state, record.document["outcome"]) in outcomes, "a row tells of the end that the record has"

    @property
    def refunds(self) -> int:
        """How many times money went back."""
        return len(self.standin.movements)


@asynccontextmanager
async def opened(home: Path, clock: Clock, kind: Kind = "sqlite", **facts: Any):
    """An `Inside` with a charge of 5,000 usd and a key of each role."""
    wire, trouble = Script(FINE), Script(lambda: inside.way())
    standin = Standin(clock.now, wire, **facts)
    standin.books.charge(5_000, id=CHARGE, payment_intent="pi_1")
    stores = open_stores(kind, home, clock)
    door = StripeGateway("rk_test_specification000000000000", Settings())

    async def stripe() -> StripeGateway:
        return door

    context = Context(
        settings=Settings(),
        mirror=Faulty(stores.mirror, trouble, name="mirror"),
        records=Faulty(stores.records, trouble, name="records"),
        audit=Faulty(stores.audit, trouble, name="audit"),
        secrets=_Secrets(),
        stripe=stripe,
        shown=_witness,
        seam=cast(Seam, clock.seam("first")),
    )
    inside = Inside(clock, standin, wire, trouble, stores, context)
    for role in ROLES:
        await inside.person(role, role)
    with installed(standin):
        yield inside
    await door.close()


def within(home: Path, main: Callable[[Inside], Awaitable[None]], kind: Kind = "sqlite", **facts: Any) -> None:
    """Runs `main` with an `Inside` of its own on the virtual clock."""

    async def whole(clock: Clock) -> None:
        async with opened(home, clock, kind, **facts) as inside:
            await main(inside)

    run(whole)


def on_virtual_time(test: Callable[..., Awaitable[None]]) -> Any:
    """Runs a test of an `Inside`, its first argument, on the virtual clock. `kind` among its other arguments chooses the records' store."""
    signature = inspect.signature(test)
    first, *others = signature.parameters.values()

    def whole(home: Path, **given: Any) -> None:
        within(home, lambda inside: test(inside, **given), given.get("kind", "sqlite"))

    functools.update_wrapper(whole, test)
    del whole.__wrapped__
    whole.__signature__ = signature.replace(parameters=[first.replace(name="home"), *others], return_annotation=None)  # type: ignore[attr-defined]
    return whole


@pytest.fixture(name="stores")
def embedded() -> dict[str, Any]:
    """For files of tests of which it does not matter on which stores they run: imported there, it stands before the one that runs on both."""
    return {}

"""Random histories of the road: what many callers, timers, events, crashes and faults do to it within virtual days, from one seed.

A history ends with all faults healed and everything at rest; `checks.faults_of` then holds Stripe, records, audit log and answers against
each other. The same seed is the same history.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.actor import Actor, Origin
from shared.context import Context
from shared.errors import BillyError
from shared.gateway.client import StripeGateway
from shared.people.keys import find_key, key_digest, lineage_of, make_key
from shared.road.catalogue import BY_NAME
from shared.road.execute import execute
from shared.road.operation import Operation
from shared.road.settling import settle_attempts
from shared.road.shown import hold_against
from shared.settings import Settings
from tests.road.faults import FAULTS, FINE, Fault
from tests.road.faulty import FINE as WELL
from tests.road.faulty import Faulty, Trouble
from tests.road.process import Killed, Process
from tests.road.standin import Request, Standin, installed
from tests.road.stores import Kind, Stores, open_stores
from tests.road.versions import NEWER
from tests.road.virtual import Clock, run

AMOUNTS = (500, 700)
CHARGES = ("ch_1", "ch_2")
KEYS = (None, None, None, "ticket-1", "ticket-2")
PAUSES = (0.5, 2, 20, 70, 200, 200, 650, 650, 3_700, 90_000)  # virtual seconds between two bursts
READ_FAULTS = ("not arrived", "page 502 from the edge", "500 not stored", "429", "403", "never answers", "503 from the edge")
MOST_BURSTS = 7
# Where a process may stand still for long. Between the fence and the socket it may not: for longer than the grace no fence helps.
BEFORE_THE_FENCE = ("records.insert attempts ◂", "audit.append ◂", "records.insert claims ◂")
LONG = (30, 70, 100, 185, 400, 900)
REST = 60  # rounds of the timer in which everything ends, once nothing fails any more


@dataclass(slots=True)
class Asked:
    """One call, and what it was answered: a body, an error, or nothing where its process died."""

    actor: Actor
    key: str | None
    arguments: dict[str, Any]
    began: float
    body: dict[str, Any] | None = None
    error: BillyError | None = None
    died: bool = False
    ended: float = 0.0


@dataclass(slots=True)
class History:
    """What happened, and where it can be looked at. `fine` is a context whose stores do not fail."""

    seed: int
    kind: Kind
    clock: Clock
    standin: Standin
    stores: Stores
    chance: random.Random
    fine: Context = field(init=False)
    actors: list[Actor] = field(default_factory=list[Actor])
    asked: list[Asked] = field(default_factory=list[Asked])
    doing: list["asyncio.Task[Any]"] = field(default_factory=list["asyncio.Task[Any]"])
    healed: bool = False
    stood_still: bool = False  # a process that did so draws a row's id long before it is inserted: nothing can see that

    def context(self, instance: str, process: Process) -> Context:
        """A context of one instance: its own clock, and stores that meet trouble."""
        skew = {"a": 0.0, "b": 2.0, "c": -2.0}[instance]
        records, audit, mirror = (
            Faulty(store, self._trouble, process, name)
            for store, name in ((self.stores.records, "records"), (self.stores.audit, "audit"), (self.stores.mirror, "mirror"))
        )
        return self._context(records, audit, mirror, self.clock.seam(f"{instance}{len(self.asked)}{process.name}", skew))

    def _context(self, records: Any, audit: Any, mirror: Any, seam: Any) -> Context:
        settings = Settings(stripe_api_key=KEY)
        gateway = StripeGateway(KEY, settings)

        async def stripe() -> Any:
            return gateway

        return Context(settings, mirror, records, audit, None, stripe, seam=seam)  # type: ignore[arg-type]

    def begin(self) -> None:
        self.fine = self._context(self.stores.records, self.stores.audit, self.stores.mirror, self.clock.seam("fine"))

    def behind(self) -> float:
        """Seconds by which a replica is behind that serves a read, now and then."""
        return 0.5 if not self.healed and self.chance.random() < 0.08 else 0.0

    def _trouble(self, what: str) -> Trouble:
        if self.healed:
            return WELL
        drawn = self.chance.random()
        pause = self.chance.random() * 0.02
        if drawn < 0.03:
            return Trouble(before=pause, away=True)
        if drawn < 0.06:
            return Trouble(before=pause, lost=True, lands=True)
        if drawn < 0.07:
            return Trouble(before=self.chance.choice((1, 12, 50)))
        return Trouble(before=pause, after=pause)

    def fault(self, request: Request) -> Fault:
        """What a request to Stripe meets."""
        if self.healed:
            return FINE
        if request.method == "POST":
            return FAULTS[self.chance.choice(sorted(FAULTS))] if self.chance.random() < 0.55 else FINE
        return FAULTS[self.chance.choice(READ_FAULTS)] if self.chance.random() < 0.15 else FINE


KEY = "rk_test_history0000000000000000"


def happen(seed: int, kind: Kind, home: Path, *, ready: Callable[[], Any] | None = None) -> History:
    """One history from its seed, to its end. `ready` is entered around it: a planted fault."""

    async def main(clock: Clock) -> History:
        chance = random.Random(f"{seed}/{kind}")
        standin = Standin(clock.now, pause=lambda: chance.random() * 0.3)
        history = History(seed, kind, clock, standin, open_stores(kind, home, clock), chance)
        standin.plan = history.fault
        standin.books.refund_status = lambda: chance.choice(("succeeded", "succeeded", "succeeded", "pending"))
        for id in CHARGES:
            standin.books.charge(3_000, id=id)
        history.begin()
        with installed(standin):
            await _people(history)
            if history.stores.account is not None:
                history.stores.account.lag = history.behind
            for _ in range(chance.randint(2, MOST_BURSTS)):
                _burst(history)
                await asyncio.sleep(3 + chance.choice(PAUSES))
            await _ended(history)
            await _rest(history)
        return history

    return run(main, seed=seed)


async def _people(history: History) -> None:
    """Two identities: an agent whose key was rotated, and somebody else."""
    first = await make_key(history.fine, "desk", "owner", None, "system")
    second = await make_key(history.fine, "desk, rotated", "owner", None, "system", lineage=first["lineage"])
    other = await make_key(history.fine, "somebody else", "owner", None, "system")
    for made in (first, second, other):
        document = await find_key(history.fine, made["key"])
        assert document is not None
        origin = Origin(history.chance.choice(("rest", "mcp")))
        history.actors.append(
            Actor(document["key_id"], document["name"], "owner", "key", origin, lineage_of(document), key_digest(made["key"]))
        )


def _burst(history: History) -> None:
    """A few things at once, each in a process of its own that may die or stand still on its way."""
    chance = history.chance
    for number in range(chance.randint(1, 4)):
        process = Process(
            f"p{len(history.asked)}.{number}",
            dies_at=chance.randint(1, 60) if chance.random() < 0.15 else None,
            freezes_at={chance.randint(1, 50): chance.choice((5, 30, 60))} if chance.random() < 0.1 else None,
            freezes_on={chance.choice(BEFORE_THE_FENCE): chance.choice(LONG)} if chance.random() < 0.18 else None,
        )
        history.stood_still |= bool(process.freezes_at or process.freezes_on)
        instance = chance.choice("abc")
        context = history.context(instance, process)
        draw = chance.random()
        work: Coroutine[Any, Any, Any]
        if draw < 0.68:
            work = _call(history, context)
        elif draw < 0.85:
            work = _timer(context, chance.choice((BY_NAME, NEWER)))
        else:
            work = _event(history, context)
        history.doing.append(process.start(_later(chance.random() * 3, work)))


async def _ended(history: History) -> None:
    for each in await asyncio.gather(*history.doing, return_exceptions=True):
        if isinstance(each, BaseException) and not isinstance(each, Killed | BillyError):
            raise each


async def _later(seconds: float, work: Coroutine[Any, Any, Any]) -> None:
    await asyncio.sleep(seconds)
    await work


async def _call(history: History, context: Context) -> None:
    chance = history.chance
    actor, key = chance.choice(history.actors), chance.choice(KEYS)
    arguments: dict[str, Any] = {"charge": chance.choice(CHARGES), "amount": chance.choice(AMOUNTS)}
    if key is not None:  # a key means one change: the same key with other arguments is a conflict, which is drawn too
        random_by_key = random.Random(f"{history.seed}{key}")
        arguments = {"charge": random_by_key.choice(CHARGES), "amount": random_by_key.choice(AMOUNTS)}
        arguments["amount"] = arguments["amount"] if chance.random() < 0.95 else 900
        arguments["idempotency_key"] = key
    if chance.random() < 0.12 and (earlier := [each.body["attempt"] for each in history.asked if each.body]):
        arguments["repeat_of"] = chance.choice(earlier)
    asked = Asked(actor, key, arguments, history.clock.now())
    history.asked.append(asked)
    catalogue: Mapping[str, Operation] = chance.choice((BY_NAME, BY_NAME, NEWER))
    try:
        asked.body = (await execute(catalogue["create_refund"], arguments, actor, context)).body
    except BillyError as error:
        asked.error = error
    except Killed:
        asked.died = True
        raise
    finally:
        asked.ended = history.clock.now()


async def _timer(context: Context, operations: Mapping[str, Operation]) -> None:
    await settle_attempts(context, operations)


async def _event(history: History, context: Context) -> None:
    """A refund as an event shows it, perhaps late."""
    refunds = history.standin.books.every("refund")
    if not refunds:
        return
    refund = history.chance.choice(refunds)
    if refund["status"] == "pending" and history.chance.random() < 0.5:
        history.standin.books.refund_becomes(refund["id"], "succeeded")
    elif history.chance.random() < 0.1:
        history.standin.books.refund_becomes(refund["id"], "failed")
    try:
        await hold_against(context, "refund", [refund], BY_NAME)
    except BillyError:
        return  # it is brought again


async def _rest(history: History) -> None:
    """Nothing fails any more: what is on its way arrives, events are brought, and the timer does its work until all has ended."""
    history.healed = True
    await history.standin.quiet()
    process = Process("rest")
    for round in range(REST):
        await asyncio.sleep(200 if round < 6 else 2_000)
        context = history.context("a", process)
        await settle_attempts(context, BY_NAME)
        if round == 4:
            for refund in history.standin.books.every("refund"):
                await hold_against(context, "refund", [refund], BY_NAME)
        if round > 8 and not await _open(history):
            return


async def _open(history: History) -> bool:
    states = [await history.fine.records.find("attempts", {"state": state}, limit=1) for state in ("started", "unknown")]
    return any(states) or bool(await history.fine.records.find("attempts", {"due": "yes"}, limit=1))

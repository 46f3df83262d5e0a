"""The matrix of a write: what goes wrong at Stripe, by where the host is killed, by how the call was made; and its table."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

TRIES = 3  # of one request by the SDK: as often a fault comes that is not healed within one call
LONGER = 1500  # milliseconds: more than a try may take, so Stripe does it after nobody waits for it any more
HELD = 300  # milliseconds that Stripe takes where the host is killed meanwhile

STATUS_409 = {"kind": "status", "status": 409, "code": "idempotency_key_in_use"}
STATUS_429 = {"kind": "status", "status": 429}
STATUS_500 = {"kind": "status", "status": 500}
NOT_SAVED = STATUS_500 | {"saved": False}
HTML_403 = {"kind": "malformed", "status": 403, "request_id": False}

# What the sandbox does with a request to make a refund. `after` and `malformed` spoil the answer to what was done.
FAULTS: dict[str, tuple[Mapping[str, object], ...]] = {
    "none": (),
    "dropped before": ({"kind": "drop_before"},),
    "dropped after": ({"kind": "drop_after"},),
    "cut": ({"kind": "cut"},),
    "409 in use": (STATUS_409,),
    "409 in use, done": (STATUS_409 | {"after": True},),
    "429": (STATUS_429,),
    "429, should retry": (STATUS_429 | {"headers": {"Stripe-Should-Retry": "true"}},),
    "429, should not retry": (STATUS_429 | {"headers": {"Stripe-Should-Retry": "false"}},),
    "500 not stored": (NOT_SAVED,),
    "500 not stored, done": (NOT_SAVED | {"after": True},),
    "500 stored": (STATUS_500,),
    "500 stored, done": (STATUS_500 | {"after": True},),
    "time-out": ({"kind": "delay", "ms": LONGER, "late": True},),
    "time-out, not done": ({"kind": "delay", "ms": LONGER, "late": True}, NOT_SAVED),
    "malformed 200": ({"kind": "malformed", "body": '{"object": "ref'},),
    "html 200": ({"kind": "malformed", "request_id": False},),
    "html 403": (HTML_403, NOT_SAVED),
    "html 403, done": (HTML_403,),
}
TIMES = {"once": 1, "each try": TRIES}

# Where the host is killed, each with the words for a column.
STEPS = {
    "never": "never",
    "claimed": "after the claim",
    "recorded": "the attempt's record",
    "allowed": "the row of being allowed",
    "fenced": "the fence",
    "in flight": "in flight",
    "answered": "after the answer",
    "ended": "after the end's record",
    "told": "after the end's row",
}
CALLS = ("refund with a key", "refund without a key", "key with a key", "key without a key")


@dataclass(frozen=True, slots=True)
class Cell:
    call: str
    fault: str
    times: str
    step: str

    def __str__(self) -> str:
        fault = self.fault if self.fault == "none" else f"{self.fault} ({self.times})"
        return f"{self.call}, {fault}, killed {self.step}"

    @property
    def refunds(self) -> bool:
        return self.call.startswith("refund")

    @property
    def keyed(self) -> bool:
        return self.call.endswith("with a key")

    @property
    def faults(self) -> list[dict[str, object]]:
        found = [{"match": "POST /v1/refunds", "times": TIMES[self.times], **fault} for fault in FAULTS[self.fault]]
        if self.step == "in flight" and not any(fault["kind"] == "delay" for fault in found):
            found.append({"match": "POST /v1/refunds", "kind": "delay", "ms": HELD, "late": True})
        return found


def _cells() -> Iterable[Cell]:
    for call in CALLS:
        for fault in FAULTS if call.startswith("refund") else ("none",):  # no key is made at Stripe
            for times in TIMES if fault != "none" else ("once",):
                yield from (Cell(call, fault, times, step) for step in STEPS if call.startswith("refund") or step != "in flight")


CELLS = tuple(_cells())


def sample(each: int, seed: int) -> list[Cell]:
    """So many refunds for each step, and a cell of each way to make a key: the same ones with the same seed."""
    chance = random.Random(seed)
    refunds = [cell for step in STEPS for cell in chance.sample([cell for cell in CELLS if cell.refunds and cell.step == step], each)]
    return refunds + [chance.choice([cell for cell in CELLS if cell.call == call]) for call in CALLS if not call.startswith("refund")]


@dataclass(frozen=True, slots=True)
class Met:
    """What became of a cell: effects, the states of the attempts in their order, and what the client was told, call by call."""

    effects: int
    states: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def short(self) -> str:
        return f"{self.effects} · {', '.join(self.states) or 'not recorded'}"


def table(met: Mapping[Cell, Met]) -> str:
    """A table for each way to call, with equal rows and equal neighbouring columns in one."""
    return "\n\n".join(f"### {_title(call)}\n\n{_of_call(call, met)}" for call in CALLS if any(cell.call == call for cell in met))


def _title(call: str) -> str:
    what, _, how = call.partition(" with")
    return f"A {what}{" of Billy's" if what == 'key' else ''}, with{how.replace('a key', 'an idempotency key')}"


def _of_call(call: str, met: Mapping[Cell, Met]) -> str:
    rows: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for fault in FAULTS:
        for times in TIMES:
            cells = [met.get(Cell(call, fault, times, step)) for step in STEPS]
            if any(cells):
                rows.setdefault(tuple(_shown(each) for each in cells), []).append((fault, times))
    columns: dict[str, tuple[str, ...]] = {}
    for cells, some in groupby(zip(zip(*rows, strict=True), STEPS.values(), strict=True), lambda each: each[0]):
        if any(cells):
            columns[", ".join(words for _, words in some)] = cells
    body = [list(row) for row in zip(map(_faults, rows.values()), *columns.values(), strict=True)]
    lines = [["Stripe, killed:", *columns], ["---"] * (len(columns) + 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(each: Met | None) -> str:
    return f"{each.short}<br>{' '.join(answer.split()[0] for answer in each.answers)}" if each else ""


def _faults(who: list[tuple[str, str]]) -> str:
    """A fault's name alone says that it is the same whether it comes once or at each try."""
    said: list[str] = []
    for fault, ways in groupby(who, lambda each: each[0]):
        times = [each for _, each in ways]
        said.append(fault if fault == "none" or len(times) == len(TIMES) else f"{fault} ({times[0]})")
    return "; ".join(said)


STORES = {"embedded": "the embedded stores", "azure": "the emulators of Azure's stores"}
WORDS = """# The matrix of a write

Written by `BILLY_WRITE_SNAPSHOTS=1 make soak`; do not edit. {count} cells, each on {stores}.

A cell is a life of the real local host (`devhost`), forked from a process that has loaded everything, beside the sandbox and the stores. Stripe does to the request what the row says, `once` or at `each try`
of the SDK's, and the host ends with `kill -9` where the column says. Then it starts again, and the client goes on as a careful one does: with an
idempotency key it calls again at once, and once more when the lease is over; without one it calls again once. Then Stripe is well again, the clock
is moved beyond the grace, and the timer settles what is open. The times of a try and of the SDK's pauses are shortened, no
other. No event of Stripe's arrives: they could only help.

In a cell stands how many effects there are at Stripe (or keys that work) and how each attempt is recorded then; below, what the client was told, call by
call: – nothing, for the host was dead; 200 it is done; 409 `possible_duplicate`; 429 `rate_limited`; 502 `stripe_error`; 503 `unavailable`.

In every cell it was so:

- A charge was refunded once or not at all, however often it was asked for; no attempt had two effects.
- Each attempt had ended: as succeeded, and its effect was there; or as failed, and none was. The last row of its outcome said the same.
- No answer was wrong: what it said of an attempt was so at that moment and at the end, but for a failure that did nothing and was made again.
- A repeat with the key of what succeeded returned its result. The same refund once more without a key was `possible_duplicate` where the money had moved,
  and else was made.

A key of Billy's own is no movement: each call without an idempotency key that succeeds makes one. It is made here, so nothing is in flight.

{tables}
"""


def page(met: Mapping[str, Mapping[Cell, Met]]) -> str:
    """The whole page over the stores: the tables of the first, and in what another one differs."""
    (first, cells), *others = met.items()
    tables = table(cells)
    for store, theirs in others:
        differing = [
            f"| {cell} | {_shown(theirs.get(cell))} | {_shown(mine)} |" for cell, mine in cells.items() if theirs.get(cell) != mine
        ]
        if differing:
            tables += "\n".join([f"\n\n### Otherwise with {store}\n\n| Cell | {store} | {first} |", "| --- | --- | --- |", *differing])
    stores = " and on ".join(STORES[store] for store in met)
    return WORDS.format(count=max(len(each) for each in met.values()), stores=stores, tables=tables)

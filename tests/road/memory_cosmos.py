"""Cosmos DB in memory, as far as the records use it: point operations with ETags, and the one form of query that they ask."""

import asyncio
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.stores.cosmos import Document, RequestUnits
from shared.stores.cosmos_consistency import Consistency
from shared.stores.cosmos_layout import CONSISTENCY

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
QUERY = re.compile(r"SELECT TOP (\d+) \* FROM c(?: WHERE (.+?))?(?: ORDER BY (.+))?")
PATH = re.compile(r'c((?:\.[A-Za-z_]\w*|\["[A-Za-z_]\w*"\])+)')
STEP = re.compile(r'\.(\w+)|\["(\w+)"\]')
CONDITION = re.compile(rf"({PATH.pattern}) (=|!=|<=|>=|<|>) @(\w+)")
MISSING = object()  # a property that is not there: no comparison with it holds


class UnknownQuery(Exception):
    """The engine's stand-in does not know this form: teach it, or ask the emulator."""


@dataclass(slots=True)
class _Kept:
    """A document's versions, each with the second of its writing, the oldest first. `None` is where there was none."""

    versions: list[tuple[float, Document]] = field(default_factory=list[tuple[float, Document]])


class MemoryAccount:
    """Stands for `CosmosAccount`.

    `pause` draws the virtual seconds of each way; `lag` draws, for each read and query, how many seconds old the replica is that serves it
    (0: the newest). Creating and replacing are always judged by what is newest. `level` is the consistency that the account says it has,
    which only whoever writes asks for: to see what a weak account would do to code that trusts it, leave it as it is and give a `lag`.
    """

    def __init__(
        self,
        now: Callable[[], float] = lambda: 0.0,
        *,
        pause: Callable[[], float] = lambda: 0.0,
        lag: Callable[[], float] = lambda: 0.0,
        level: str | None = CONSISTENCY,
    ) -> None:
        self.units = RequestUnits()
        self.consistency = Consistency(self._tell_level)
        self.now = now
        self.pause = pause
        self.lag = lag
        self.level = level
        self.data: dict[str, dict[tuple[str, str], _Kept]] = {}
        self.etags = 0

    def __repr__(self) -> str:
        return "MemoryAccount(…)"

    def container(self, name: str) -> "MemoryContainer":
        return MemoryContainer(self, self.data.setdefault(name, {}))

    async def close(self) -> None:
        """There is nothing to close."""

    async def _tell_level(self) -> str | None:
        await asyncio.sleep(self.pause())
        return self.level


class MemoryContainer:
    """Stands for `Container`: the same answers, None where the engine says 404, 409 or 412."""

    def __init__(self, account: MemoryAccount, documents: dict[tuple[str, str], _Kept]) -> None:
        self._account = account
        self._documents = documents

    async def read(self, pk: str, id: str) -> Document | None:
        await self._way()
        found = _copy(self._at((pk, id), self._account.lag()))
        await self._way()
        return found

    async def create(self, document: Document) -> Document | None:
        await self._account.consistency.require()
        await self._way()
        made = None if self._at(_key(document)) else self._write(document)
        await self._way()
        return made

    async def replace(self, document: Document, etag: str) -> Document | None:
        await self._account.consistency.require()
        await self._way()
        there = self._at(_key(document))
        made = self._write(document) if there is not None and there["_etag"] == etag else None
        await self._way()
        return made

    async def query(self, text: str, values: Mapping[str, Any], pk: str | None = None) -> list[Any]:
        """Raises `UnknownQuery` for what it does not know."""
        asked = _Query.parse(text, values)
        await self._way()
        lag = self._account.lag()
        there = [self._at(key, lag) for key in self._documents if pk is None or key[0] == pk]
        found = [_copy(each) for each in asked.answer([each for each in there if each is not None])]
        await self._way()
        return found

    async def _way(self) -> None:
        await asyncio.sleep(self._account.pause())

    def _at(self, key: tuple[str, str], lag: float = 0.0) -> Document | None:
        """The document as a replica has it that is so far behind; one whose time to live is over is there for nobody."""
        kept, now = self._documents.get(key), self._account.now()
        for at, document in reversed(kept.versions if kept else []):
            if at <= now - lag or lag <= 0:
                ttl = document.get("ttl", -1)
                return None if ttl > 0 and now >= document["_ts"] + ttl else document
        return None

    def _write(self, document: Document) -> Document:
        account = self._account
        account.etags += 1
        now = account.now()
        stored = _copy(document) | {"_etag": f'"{account.etags:08x}"', "_ts": int(now)}
        self._documents.setdefault(_key(document), _Kept()).versions.append((now, stored))
        return _copy(stored)


@dataclass(frozen=True, slots=True)
class _Query:
    """The first `top` documents of which every condition holds, in the order of the paths, all descending."""

    top: int
    conditions: list[tuple[tuple[str, ...], Callable[[Any, Any], bool], Any]]
    order: list[tuple[str, ...]]

    @staticmethod
    def parse(text: str, values: Mapping[str, Any]) -> "_Query":
        whole = QUERY.fullmatch(text)
        if whole is None:
            raise UnknownQuery(text)
        conditions, used = [], set[str]()
        for each in whole[2].split(" AND ") if whole[2] else []:
            found = CONDITION.fullmatch(each)
            if found is None or found[4] not in values:
                raise UnknownQuery(each)
            conditions.append((_path(found[1]), OPERATORS[found[3]], values[found[4]]))
            used.add(found[4])
        if used != set(values):
            raise UnknownQuery(f"Values that no condition uses: {sorted(set(values) - used)}.")
        order = []
        for each in whole[3].split(", ") if whole[3] else []:
            if not each.endswith(" DESC"):
                raise UnknownQuery(each)
            order.append(_path(each.removesuffix(" DESC")))
        return _Query(int(whole[1]), conditions, order)

    def answer(self, documents: list[Document]) -> list[Document]:
        found = [each for each in documents if all(_holds(_of(each, path), test, value) for path, test, value in self.conditions)]
        for path in reversed(self.order):
            if any(not isinstance(_of(each, path), str) for each in found):
                raise UnknownQuery(f"An order by {path}, which not all have as text.")
            found.sort(key=lambda each: str(_of(each, path)), reverse=True)
        return found[: self.top]


def _path(text: str) -> tuple[str, ...]:
    found = PATH.fullmatch(text)
    if found is None:
        raise UnknownQuery(text)
    return tuple(plain or quoted for plain, quoted in STEP.findall(found[1]))


def _of(document: Document, path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def _holds(value: Any, test: Callable[[Any, Any], bool], wanted: Any) -> bool:
    """Values of different types are not comparable, and what is not comparable does not hold."""
    return type(value) is type(wanted) and test(value, wanted)


def _key(document: Document) -> tuple[str, str]:
    return document["pk"], document["id"]


def _copy[D: Document | None](document: D) -> D:
    return orjson.loads(orjson.dumps(document)) if document is not None else document  # type: ignore[return-value]

"""Stripe in the same process, below the SDK: doors, idempotency keys, effects that come late, and answers that get lost."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import orjson
import stripe
from multidict import CIMultiDict

from sandbox import form
from sandbox.errors import StripeError
from shared.gateway.kinds import API_VERSION
from shared.gateway.transport import Transport
from tests.road import answers
from tests.road.answers import Answer
from tests.road.books import CUSTOMER_TAKES, LISTS_TAKE, REFUND_TAKES, Books, Object, check
from tests.road.faults import FINE, Fault
from tests.road.process import Process, enter, leave, outside

PATIENCE = 20.0  # seconds after which a sender gives up that does not say when it does
KEPT = 86_400  # seconds for which a key is kept at least
LISTED = {"refunds": "refund", "charges": "charge", "disputes": "dispute", "customers": "customer", "events": "event"}
READ = {**LISTED, "balance_transactions": "balance_transaction"}

type Headers = CIMultiDict[str]
type Told = tuple[bytes, int, Headers]


@dataclass(slots=True)
class Request:
    """One request as its sender made it, and what became of it; times are epoch seconds of the virtual clock."""

    id: str
    at: float
    method: str
    path: str
    params: dict[str, Any]
    key: str | None
    process: str | None
    fault: Fault = FINE
    arrived: float | None = None
    status: int | None = None  # of what Stripe said, whether it got there or not
    replayed: bool = False
    effect: str | None = None  # the id of what it made
    told: str = "waiting"  # what its sender saw: a status, `lost`, `gave up`; `nobody` where it was dead by then

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that went back. `key` is the idempotency key of the request that moved it."""

    at: float
    refund: str
    charge: str
    amount: int
    metadata: dict[str, str]
    key: str | None
    request: str
    process: str | None


@dataclass(slots=True)
class _Kept:
    """What Stripe remembers under a key; without an answer it is in progress."""

    at: float
    asked: tuple[str, str, dict[str, Any]]
    request: str
    answer: Answer | None = None


@dataclass(slots=True)
class Standin:
    """`plan` chooses what happens to a request; `pause` draws the virtual seconds of each way and of each execution.

    Stripe keeps what an execution says from its beginning, also a 402, a 500, and (`keeps_refusals`) a 400 that the endpoint itself says.
    It keeps nothing of what stands before: 401, 403, 429, parameters that it does not take, a key in use.
    """

    now: Callable[[], float]
    plan: Callable[[Request], Fault] = lambda _: FINE
    pause: Callable[[], float] = lambda: 0.0
    keeps_refusals: bool = True
    books: Books = field(init=False)
    requests: list[Request] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    _keys: dict[str, _Kept] = field(default_factory=dict)
    _running: set["asyncio.Task[None]"] = field(default_factory=set)
    _events: int = 0

    def __post_init__(self) -> None:
        self.books = Books(self.now)

    # What a test asks and does.

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of that kind, in the order in which they were sent."""
        return [each for each in self.requests if (each.method, each.path) == (method, path)]

    def moved(self, charge: str) -> int:
        """How much of a charge's money went back in all, whatever became of it later."""
        return sum(each.amount for each in self.movements if each.charge == charge)

    def prune(self) -> None:
        """All keys are forgotten at once, but those in progress."""
        self._keys = {key: kept for key, kept in self._keys.items() if kept.answer is None}

    async def quiet(self) -> None:
        """Returns when nothing is on its way any more: every late request has arrived and had its effect."""
        while self._running:
            await asyncio.wait(self._running)

    def event(self, type: str, value: Object, *, created: int | None = None, request: Request | None = None, **facts: Any) -> Object:
        """A snapshot event of the object as it is now, as Stripe sends it."""
        self._events += 1
        return {
            "id": f"evt_{self._events:04}",
            "object": "event",
            "api_version": API_VERSION,
            "created": int(self.now()) if created is None else created,
            "data": {"object": orjson.loads(orjson.dumps(value))},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": request.id if request else None, "idempotency_key": request.key if request else None},
            "type": type,
        } | facts

    def event_of_refund(self, id: str, type: str = "refund.created", **facts: Any) -> Object:
        """`refund.created`, `refund.updated` or `refund.failed`; it names the request that made the refund, as Stripe's first event does."""
        maker = next((each for each in self.requests if each.effect == id), None)
        return self.event(type, self.books.get("refund", id), request=maker if type == "refund.created" else None, **facts)

    # The wire.

    async def send(self, method: str, url: str, headers: Any, post_data: Any, seconds: float = PATIENCE) -> Told:
        """What `Transport._send` answers: body, status and headers. Raises the SDK's `APIConnectionError`."""
        asked, process = urlsplit(url), Process.current()
        request = Request(
            id=f"req_{len(self.requests) + 1:06}",
            at=self.now(),
            method=method.upper(),
            path=asked.path,
            params=form.decode(asked.query if method.upper() != "POST" else _text(post_data)),
            key=CIMultiDict(headers).get("Idempotency-Key"),
            process=process.name if process else None,
        )
        later = leave(f"stripe.{request}", process)
        self.requests.append(request)
        fault = self.plan(request)
        request.fault = replace(fault, late=fault.late + later)
        told = await self._waited_for(request, seconds)
        if process is not None and process.dead:
            request.told = "nobody"
        await enter(f"stripe.{request}", process)
        if isinstance(told, Exception):
            raise told
        return told

    async def _waited_for(self, request: Request, seconds: float) -> Told | Exception:
        """The sender's side: an answer, a broken connection, or its own patience at an end. What is sent goes on without it."""
        told: asyncio.Future[Told | Exception] = asyncio.get_running_loop().create_future()
        self._go(self._travel(request, told))
        try:
            async with asyncio.timeout(seconds):
                answer = await told
        except TimeoutError:
            request.told = "gave up"
            return _broken()
        except asyncio.CancelledError:
            request.told = "gave up"
            raise
        request.told = "lost" if isinstance(answer, Exception) else str(answer[1])
        return answer

    def _go(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, context=outside())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _travel(self, request: Request, told: "asyncio.Future[Told | Exception]") -> None:
        """Stripe's side: the way there, the execution, and the way back."""
        fault = request.fault
        await asyncio.sleep(self.pause() + fault.late)
        if not fault.arrives:
            return _tell(told, _broken())
        if fault.again is not None:
            self._go(self._once_more(request, fault.again))
        answer, more = await self._arrive(request)
        await asyncio.sleep(self.pause() + fault.slow)
        if fault.answers:
            _tell(told, _broken() if fault.lost else self._on_the_wire(request, answer, more))

    async def _once_more(self, request: Request, later: float) -> None:
        await asyncio.sleep(later)
        await self._arrive(request)

    async def _arrive(self, request: Request) -> tuple[Answer, dict[str, str]]:
        """What Stripe says, and headers that only this answer has."""
        fault, more = request.fault, dict[str, str]()
        request.arrived = request.arrived or self.now()
        if fault.pruned:
            self.prune()
        if fault.door is not None:
            answer = fault.door
        elif request.method == "POST" and request.key is not None:
            answer, more = await self._under_its_key(request, request.key)
        else:
            await asyncio.sleep(self.pause() + fault.during)
            answer, _ = self._execute(request)
        request.status = answer.status
        request.replayed = request.replayed or "Idempotent-Replayed" in more
        return answer, more

    async def _under_its_key(self, request: Request, key: str) -> tuple[Answer, dict[str, str]]:
        self._keys = {each: kept for each, kept in self._keys.items() if kept.answer is None or kept.at > self.now() - KEPT}
        echo, asked = {"Idempotency-Key": key}, (request.method, request.path, request.params)
        kept = self._keys.get(key)
        if kept is not None and kept.answer is None:
            return answers.in_use(key), echo
        if kept is not None and kept.asked != asked:
            return _other_parameters(key), echo
        if kept is not None:
            assert kept.answer is not None
            return kept.answer, echo | {"Idempotent-Replayed": "true", "Original-Request": kept.request}
        if (refused := _refused_at_once(request)) is not None:
            return refused, echo
        mine = self._keys[key] = _Kept(self.now(), asked, request.id)
        await asyncio.sleep(self.pause() + request.fault.during)
        answer, keep = self._execute(request)
        if keep:
            mine.answer = answer
        else:
            del self._keys[key]
        return answer, echo

    def _execute(self, request: Request) -> tuple[Answer, bool]:
        """The effect, all at once; what is said of it; and whether a key keeps that."""
        fault, keep = request.fault, True
        answer: Answer | None = None
        if fault.acts:
            try:
                answer = Answer(200, orjson.dumps(self._handle(request)))
            except StripeError as error:
                answer, keep = answers.of_error(error), self.keeps_refusals and error.code not in UNREAD
        if fault.fails is not None:
            return fault.fails, fault.stored
        assert answer is not None, "A request that does not act fails with something."
        return answer, keep and fault.stored

    def _handle(self, request: Request) -> Object:
        """The endpoints."""
        params, books = request.params, self.books
        match request.method, request.path.strip("/").split("/")[1:]:
            case "GET", [kinds] if kinds in LISTED:
                check(LISTS_TAKE, params)
                return books.page(LISTED[kinds], request.path, params)
            case "GET", [kinds, id] if kinds in READ:
                return books.get(READ[kinds], id)
            case "GET", ["account"]:
                return {"id": "acct_1", "object": "account"}
            case "POST", ["refunds"]:
                check(REFUND_TAKES, params)
                return self._refund(request)
            case "POST", ["customers"]:
                check(CUSTOMER_TAKES, params)
                return self._noted(request, books.customer(params))
            case "POST", ["customers", id]:
                check(CUSTOMER_TAKES, params)
                return self._noted(request, books.change_customer(id, params))
            case _:
                raise _unknown(request)

    def _refund(self, request: Request) -> Object:
        made = self._noted(request, self.books.refund(request.params))
        facts = made["id"], made["charge"], made["amount"], dict(made["metadata"])
        self.movements.append(Movement(self.now(), *facts, request.key, request.id, request.process))
        return made

    @staticmethod
    def _noted(request: Request, made: Object) -> Object:
        request.effect = made["id"]
        return made

    def _on_the_wire(self, request: Request, answer: Answer, more: dict[str, str]) -> Told:
        """What arrives of an answer. Stripe's date is that of the answer, and a proxy has one too."""
        if request.fault.said is not None:
            answer = request.fault.said(answer)
        headers: Headers = CIMultiDict({"Date": formatdate(int(self.now()), usegmt=True), "Content-Type": "application/json"})
        if answer.stripes:
            headers.update({"Request-Id": request.id, "Stripe-Version": API_VERSION, **more})
        headers.update(answer.headers)
        return answer.body, answer.status, headers


UNREAD = {"parameter_unknown", "parameter_missing", "parameter_invalid_integer"}  # said before anything begins


@contextmanager
def installed(standin: Standin) -> Iterator[Standin]:
    """Every gateway of this process speaks with the stand-in; it gives up when the real one would."""
    send, close = Transport._send, Transport.close_async

    async def _send(self: Transport, method: str, url: str, headers: Any, post_data: Any = None) -> Told:
        return await standin.send(method, url, headers, post_data, getattr(self._timeout, "total", None) or PATIENCE)

    async def close_async(self: Transport) -> None:
        """The SDK would open a session to close it."""

    Transport._send, Transport.close_async = _send, close_async  # type: ignore[method-assign, assignment]
    try:
        yield standin
    finally:
        Transport._send, Transport.close_async = send, close  # type: ignore[method-assign]


def _text(post_data: Any) -> str:
    return post_data.decode() if isinstance(post_data, bytes) else post_data or ""


def _tell(told: "asyncio.Future[Told | Exception]", answer: Told | Exception) -> None:
    if not told.done():  # its sender has given up
        told.set_result(answer)


def _broken() -> stripe.APIConnectionError:
    return stripe.APIConnectionError("The connection broke.", should_retry=True)


def _refused_at_once(request: Request) -> Answer | None:
    takes = {"/v1/refunds": REFUND_TAKES}.get(request.path, CUSTOMER_TAKES)
    try:
        if request.path.split("/")[2:3] not in (["refunds"], ["customers"]):
            raise _unknown(request)
        check(takes, request.params)
    except StripeError as error:
        return answers.of_error(error)
    return None


def _unknown(request: Request) -> StripeError:
    return StripeError(404, f"Unrecognized request URL ({request}). Please see https://stripe.com/docs or we can help.")


def _other_parameters(key: str) -> Answer:
    return answers.refusal(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
        "idempotency_error",
    )

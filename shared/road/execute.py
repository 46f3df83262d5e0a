"""The road: permit, parse, settle, decide, record, act, record the outcome. There is no other way to Stripe."""

import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.actor import Actor
from shared.context import Context
from shared.errors import BillyError
from shared.policy.decide import Asked, Deny, decide
from shared.road import forms, refusals, trail, writing
from shared.road.about import facts
from shared.road.calls import Answer, Call
from shared.road.operation import Filtered, Input, Operation, Read, Write
from shared.road.trail import Decided, Row
from shared.telemetry.invocation import correlated, crashed
from shared.telemetry.measures import measure
from shared.telemetry.spans import span

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_NAMED = 10  # fields in one refusal
LONGEST_WORDS = 300  # characters of what is said of a field
LONGEST_NAME = 60  # characters of a name that are compared with those of an operation
UNKNOWN = "(unknown argument)"
BOUNDS = ("expected", "ge", "le", "min_length", "max_length", "pattern", "error")  # the schema's own facts in pydantic's errors


async def execute(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context) -> Answer:
    """Takes one call down the road and leaves its audit row.

    Raises `BillyError` and nothing else: a crash becomes `internal` with a reference, its text stays in no log and no answer.
    """
    began, code = time.monotonic(), "ok"
    surface = actor.origin.surface
    with correlated(context.seam), span(f"execute {operation.name}", attributes={"billy.role": actor.role, "billy.surface": surface}):
        try:
            return await _guarded(operation, arguments, actor, context)
        except BillyError as error:
            code = error.code
            raise
        finally:
            measure("billy.call.duration", time.monotonic() - began, operation=operation.name, surface=surface, code=code)


async def _guarded(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context) -> Answer:
    try:
        return await _travel(operation, arguments, actor, context)
    except BillyError:
        raise
    except Exception as crash:
        error = crashed(crash, operation.name, context.seam)
        decision = Decided.REFUSED if operation.writes else Decided.ALLOWED
        await trail.append(context, _unparsed(operation, arguments, actor, context, decision, error))
        raise error from None


async def _travel(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context) -> Answer:
    try:
        permitted = decide(Asked(actor.role, operation.permission))
        if isinstance(permitted, Deny):
            raise refusals.denied(permitted)
        call = Call(context, actor, parse(operation, arguments))
    except BillyError as error:
        await trail.append(context, _unparsed(operation, arguments, actor, context, trail.decided(error), error))
        raise
    match operation:
        case Write():
            return await writing.write(operation, call)
        case Read():
            return Answer(await _read(operation, call))
        case _:
            raise TypeError(f"{operation.name} neither reads nor writes.")


async def _read(operation: Read, call: Call) -> dict[str, Any]:
    asked = call.input.model_dump(exclude_none=True)
    try:
        body = await operation.handler(call)
    except BillyError as error:
        await trail.append(call.context, Row.of(call, operation.name, Decided.ALLOWED, arguments=asked, code=error.code))
        raise
    await trail.append(call.context, Row.of(call, operation.name, Decided.ALLOWED, arguments=asked))
    return {"asked": call.input.understood()} | body if issubclass(operation.output, Filtered) else body


def _unparsed(
    operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context, decision: Decided, error: BillyError
) -> Row:
    """The row of a call whose arguments no schema has passed: of them it holds what the operation knows by name and can be written in any case."""
    known = {name: value for name in operation.input.model_fields if trail.is_plain(value := arguments.get(name))}
    call = Call(context, actor, None)
    failed = {"code": error.code, "reference": error.reference, "attempt": error.attempt}
    return Row.of(call, operation.name, decision, arguments=known, **failed, **facts(operation, known, parsed=False))


def parse(operation: Operation, arguments: Mapping[str, Any]) -> Input:
    """The input model of the arguments, whatever their forms. Raises `invalid_request` naming the fields that the model has and what each takes,
    never a value and no name of the caller's own."""
    model = operation.input
    known = {name: arguments[name] for name in model.model_fields if name in arguments}
    if len(known) < len(arguments):
        raise _unknown(operation, arguments)
    given = forms.in_one_form(model, known)
    if empty := forms.placeholders(model, given):
        expected = "a placeholder is no value: leave it out, or give "
        raise _refused({"field": name, "problem": "placeholder", "expected": expected + forms.takes(model, name)} for name in empty)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refused(_field(model, each) for each in error.errors(include_url=False, include_input=False)[:MOST_NAMED]) from None


def _refused(fields: Iterable[dict[str, str]]) -> BillyError:
    return BillyError(
        "invalid_request",
        "Some arguments are not as this operation takes them.",
        next="Mend the fields named here and call again.",
        fields=tuple({name: text[:LONGEST_WORDS] for name, text in field.items()} for field in fields),
    )


def _unknown(operation: Operation, arguments: Mapping[str, Any]) -> BillyError:
    """The refusal of members that the operation does not have. Each is told by the one it may stand for; what it was called is not repeated."""
    from difflib import get_close_matches  # costs more to import than a call to answer

    taken = tuple(operation.input.model_fields)
    names = islice((name for name in arguments if name not in operation.input.model_fields), MOST_NAMED)
    alike = [get_close_matches(name[:LONGEST_NAME].lower(), taken, 1) for name in names]
    every = ", ".join(taken) or "no arguments"
    fields = tuple({"field": UNKNOWN, "problem": "not an argument of this operation", "expected": (each or [every])[0]} for each in alike)
    return BillyError(
        "invalid_request",
        "Some arguments are none of this operation's.",
        next=f"Leave them out and call again. It takes: {every}.",
        fields=fields,
    )


def _field(model: type[Input], error: "ErrorDetails") -> dict[str, str]:
    """Where and what is wrong, and what the schema would take there; never what was given, nor a name that the schema does not know."""
    context = error.get("ctx", {})
    bounds = " ".join(str(context[name]) for name in BOUNDS if name in context)
    where = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":  # within an argument; a name that the caller made up is text like any other
        where[-1:] = [UNKNOWN]
    words = forms.takes(model, where[0]) if where and where[0] in model.model_fields else ""
    expected = " – ".join(part for part in (bounds, words) if part)
    return {"field": ".".join(where)[:80], "problem": error["type"].replace("_", " ")} | ({"expected": expected} if expected else {})

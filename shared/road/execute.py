"""The road: permit, parse, settle, decide, record, act, record the outcome. There is no other way to Stripe."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.actor import Actor
from shared.context import Context
from shared.errors import BillyError
from shared.policy.decide import Asked, Deny, decide
from shared.road import refusals, trail, writing
from shared.road.calls import Answer, Call
from shared.road.operation import Input, Operation, Read, Write
from shared.road.trail import Decided, Row
from shared.telemetry.invocation import correlated, crashed
from shared.telemetry.measures import measure
from shared.telemetry.spans import span

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

UNKNOWN = "(unknown argument)"
BOUNDS = ("expected", "ge", "le", "min_length", "max_length", "pattern", "error")  # the schema's own facts in pydantic's errors


async def execute(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context, *, strings: bool = False) -> Answer:
    """Takes one call down the road and leaves its audit row. `strings` says that all values are text, as a query string gives them.

    Raises `BillyError` and nothing else: a crash becomes `internal` with a reference, its text stays in no log and no answer.
    """
    began, code = time.monotonic(), "ok"
    surface = actor.origin.surface
    with correlated(context.seam), span(f"execute {operation.name}", attributes={"billy.role": actor.role, "billy.surface": surface}):
        try:
            return await _guarded(operation, arguments, actor, context, strings)
        except BillyError as error:
            code = error.code
            raise
        finally:
            measure("billy.call.duration", time.monotonic() - began, operation=operation.name, surface=surface, code=code)


async def _guarded(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context, strings: bool) -> Answer:
    try:
        return await _travel(operation, arguments, actor, context, strings)
    except BillyError:
        raise
    except Exception as crash:
        error = crashed(crash, operation.name, context.seam)
        decision = Decided.REFUSED if operation.writes else Decided.ALLOWED
        call = Call(context, actor, None)
        row = Row.of(call, operation.name, decision, arguments=dict(arguments), code=error.code, reference=error.reference)
        await trail.append(context, row)
        raise error from None


async def _travel(operation: Operation, arguments: Mapping[str, Any], actor: Actor, context: Context, strings: bool) -> Answer:
    try:
        permitted = decide(Asked(actor.role, operation.permission))
        if isinstance(permitted, Deny):
            raise refusals.denied(permitted)
        call = Call(context, actor, parse(operation, arguments, strings))
    except BillyError as error:
        row = Row.of(Call(context, actor, None), operation.name, trail.decided(error), arguments=dict(arguments), code=error.code)
        await trail.append(context, row)
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
    return body


def parse(operation: Operation, arguments: Mapping[str, Any], strings: bool = False) -> Input:
    """The input model of the arguments. Raises `invalid_request` naming the fields, never their values."""
    try:
        if strings:
            return operation.input.model_validate_strings(dict(arguments))
        return operation.input.model_validate(dict(arguments))
    except ValidationError as error:
        fields = tuple(_field(each) for each in error.errors(include_url=False, include_input=False)[:10])
        raise BillyError(
            "invalid_request",
            "Some arguments are not as this operation takes them.",
            next="Mend the fields named here and call again.",
            fields=fields,
        ) from None


def _field(error: "ErrorDetails") -> dict[str, str]:
    """Where and what is wrong, and what the schema would take there; never what was given, nor a name that the schema does not know."""
    context = error.get("ctx", {})
    bounds = " ".join(str(context[name]) for name in BOUNDS if name in context)
    where = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":  # a name that the caller made up is text like any other
        where[-1:] = [UNKNOWN]
    return {"field": ".".join(where)[:80], "problem": error["type"].replace("_", " ")} | ({"expected": bounds[:300]} if bounds else {})

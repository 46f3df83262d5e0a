"""The next version of the catalogue, as it may run beside this one: its refund takes one argument more, and settles one fact more."""

from dataclasses import replace
from typing import Any

from pydantic import Field

from shared.operations.create_refund import create_refund
from shared.road.calls import Call, Settled
from shared.road.catalogue import BY_NAME
from shared.road.operation import Operation, Write


class NewerInput(create_refund.input):  # type: ignore[misc, name-defined]
    note_to_customer: bool = Field(False, description="What a later version may take besides.")


async def _settle(call: Call) -> Settled:
    settled = await create_refund.settle(call)
    return replace(settled, arguments=settled.arguments | {"channel": "original"})


newer_refund: Write = replace(create_refund, input=NewerInput, settle=_settle)
NEWER: dict[str, Operation | Any] = BY_NAME | {"create_refund": newer_refund}

"""Invoices."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, list_kind
from shared.operations.single import get_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class ListInvoicesInput(ListInput):
    status: Literal["draft", "open", "paid", "void", "uncollectible"] | None = Field(None, description="Only invoices of this status.")


class GetInvoiceInput(Input):
    id: str = Field(
        pattern=r"^in_[A-Za-z0-9_]{1,80}$", description="The invoice's id, which begins with in_. Search finds it by its number."
    )


class ShownInvoice(Shown):
    auto_advance: bool | None = Field(None, description="false: Stripe neither finalizes nor collects it by itself.")
    total: int | None = Field(None, description="In minor units; negative is credit for the customer.")
    starting_balance: int | None = Field(
        None,
        description="Only where it is not zero: the customer's balance when it was finalized. Negative is credit in the customer's favour, positive is owed.",
    )
    ending_balance: int | None = Field(None, description="The same after this invoice.")
    lines: list[Any] | None = Field(None, description="What it charges for, with amounts in minor units.")
    lines_has_more: bool | None = Field(None, description="true: there are more lines than are shown.")
    lines_total: int | None = Field(None, description="How many lines there are in all, where Stripe says so.")


@read("GET /api/invoices", permission="view_billing", tags=("core", "invoices"), input=ListInvoicesInput, output=Listing)
async def list_invoices(call: Call) -> dict[str, Any]:
    """List invoices, newest first. Filter by status, by customer id (cus_…) and by creation date. Amounts are integers in minor units; due_date_iso says
    when an open one is due."""
    return await list_kind(call, "invoice")


@read("GET /api/invoices/{id}", permission="view_billing", tags=("invoices",), input=GetInvoiceInput, output=ShownInvoice)
async def get_invoice(call: Call) -> dict[str, Any]:
    """Get one invoice by id (in_…). Shows its number, status, lines, what is due, paid and remaining in minor units, credit notes and the balance that
    were set off, and its dates. lines_has_more says that not all lines are shown."""
    return await get_kind(call, "invoice", call.input.id, "invoice")

"""Invoices."""

from typing import Any, Literal

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, ListInput, get_kind, list_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class ListInvoicesInput(ListInput):
    status: Literal["draft", "open", "paid", "void", "uncollectible"] | None = Field(None, description="Only invoices of this status.")


class GetInvoiceInput(Input):
    id: str = Field(
        pattern=r"^in_[A-Za-z0-9_]{1,80}$", description="The invoice's id, which begins with in_. Search finds it by its number."
    )


@read("GET /api/invoices", permission="view_billing", tags=("core", "invoices"), input=ListInvoicesInput, output=Listing)
async def list_invoices(call: Call) -> dict[str, Any]:
    """List invoices, newest first. Filter by status, by customer id (cus_…) and by creation date. Amounts are integers in minor units; due_date_iso says
    when an open one is due."""
    return await list_kind(call, "invoice")


@read("GET /api/invoices/{id}", permission="view_billing", tags=("invoices",), input=GetInvoiceInput, output=Shown)
async def get_invoice(call: Call) -> dict[str, Any]:
    """Get one invoice by id (in_…). Shows its number, status, what is due, paid and remaining in minor units, and its dates."""
    return await get_kind(call.context, "invoice", call.input.id, "invoice")

"""Customers."""

from typing import Any

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import CustomerId, Listing, PageInput, list_kind
from shared.operations.single import get_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class GetCustomerInput(Input):
    id: CustomerId


class ShownCustomer(Shown):
    balance: int | None = Field(
        None,
        description="In minor units: negative is credit in the customer's favour, positive is owed on the next invoice.",
    )
    balance_formatted: str | None = Field(None, description="The same in words, such as: credit: 15.00 EUR in the customer's favour.")
    currency: str | None = Field(None, description="Of the balance; null where Stripe names none: assume none.")


@read("GET /api/customers", permission="view_billing", tags=("core", "customers"), input=PageInput, output=Listing)
async def list_customers(call: Call) -> dict[str, Any]:
    """List customers, newest first, with their balance in minor units: negative is credit in the customer's favour, positive is owed. Credits and debts are never
    added up without the sign. To find one by name or email use search; its answer gives the customer's id (cus_…)
    that other operations take. Filter by creation date."""
    return await list_kind(call, "customer")


@read("GET /api/customers/{id}", permission="view_billing", tags=("core", "customers"), input=GetCustomerInput, output=ShownCustomer)
async def get_customer(call: Call) -> dict[str, Any]:
    """Get one customer by id (cus_…). An id that the company chose itself is given as it was chosen. Shows email, name, address, metadata and the balance
    in minor units: negative is credit in the customer's favour, positive is owed; balance_formatted says which in words."""
    return await get_kind(call, "customer", call.input.id, "customer")

"""Customers."""

from typing import Any

from pydantic import Field

from shared.operations.charges import Shown
from shared.operations.lists import Listing, PageInput, get_kind, list_kind
from shared.road.calls import Call
from shared.road.operation import Input, read


class GetCustomerInput(Input):
    id: str = Field(pattern=r"^cus_[A-Za-z0-9]{1,60}$", description="The customer's id, which begins with cus_.")


@read("GET /api/customers", permission="view_billing", tags=("core", "customers"), input=PageInput, output=Listing)
async def list_customers(call: Call) -> dict[str, Any]:
    """List customers, newest first, with their balance in minor units. To find one by name or email use search; its answer gives the customer's id (cus_…)
    that other operations take. Filter by creation date."""
    return await list_kind(call, "customer")


@read("GET /api/customers/{id}", permission="view_billing", tags=("core", "customers"), input=GetCustomerInput, output=Shown)
async def get_customer(call: Call) -> dict[str, Any]:
    """Get one customer by id (cus_…). Shows email, name, address, metadata and the balance in minor units."""
    return await get_kind(call.context, "customer", call.input.id, "customer")

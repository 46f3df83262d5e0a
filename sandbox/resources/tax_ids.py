"""Tax ids, a customer's own and the account's."""

import stripe

from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.route import Call, route
from sandbox.schema import words
from sandbox.world import Object, World

VERIFIED = {"000000000": "verified", "111111111": "unverified"}


def _country(type: str, value: str) -> str:
    if type == "eu_vat":
        return value[:2].upper()
    country = type.partition("_")[0].upper()
    return "GB" if country == "GB" else country


def made(world: World, type: str, value: str, *, customer: str | None) -> Object:
    """A new tax id of a customer, or of the account."""
    if type not in words(stripe.params.TaxIdCreateParams, "type"):
        raise invalid(f"Invalid type: {type} is not a tax ID type.", param="type")
    if not any(letter.isdigit() for letter in value):
        raise invalid(f"Invalid value for {type}.", param="value", code="tax_id_invalid")
    owner = {"type": "customer", "customer": customer} if customer else {"type": "self"}
    tax_id: Object = {
        "id": world.new_id("txi"),
        "object": "tax_id",
        "country": _country(type, value),
        "created": world.clock.now(),
        "customer": customer,
        "livemode": world.livemode,
        "owner": owner,
        "type": type,
        "value": value,
        "verification": {
            "status": next((state for ending, state in VERIFIED.items() if value.endswith(ending)), "pending"),
            "verified_address": None,
            "verified_name": None,
        }
        if type in ("eu_vat", "gb_vat", "au_abn")
        else {"status": "unavailable", "verified_address": None, "verified_name": None},
    }
    world.insert(tax_id)
    if customer:
        world.emit("customer.tax_id.created", tax_id)
    return tax_id


def _of(call: Call) -> Object:
    found = call.world.require("tax_id", call.path["id"])
    if "customer" in call.path and found["customer"] != call.path["customer"]:
        return call.world.require("tax_id", "")
    return found


@route("POST", "/v1/customers/{customer}/tax_ids", params=stripe.params.CustomerCreateTaxIdParams, permission="customer_write")
def create_for_customer(call: Call) -> Object:
    customer = call.world.require("customer", call.path["customer"])
    return made(call.world, call.params["type"], call.params["value"], customer=customer["id"])


@route(
    "GET", "/v1/customers/{customer}/tax_ids", params=stripe.params.CustomerListTaxIdsParams, permission="customer_read", list_of="tax_id"
)
def of_customer(call: Call) -> Object:
    call.world.require("customer", call.path["customer"])
    return page(call, "tax_id", where=[("customer = ?", [call.path["customer"]])])


@route("POST", "/v1/tax_ids", params=stripe.params.TaxIdCreateParams, permission="tax_id_write")
def create(call: Call) -> Object:
    owner = call.params.get("owner", {"type": "self"})
    customer = owner.get("customer")
    if owner["type"] == "customer":
        call.world.require("customer", customer or "", param="owner[customer]")
    return made(call.world, call.params["type"], call.params["value"], customer=customer)


@route("GET", "/v1/tax_ids", params=stripe.params.TaxIdListParams, permission="tax_id_read", list_of="tax_id")
def every(call: Call) -> Object:
    owner = call.params.get("owner", {"type": "self"})
    if owner["type"] == "customer":
        return page(call, "tax_id", where=[("customer = ?", [owner.get("customer")])])
    return page(call, "tax_id", where=[("customer IS NULL", [])])


@route("GET", "/v1/tax_ids/{id}", permission="tax_id_read")
@route("GET", "/v1/customers/{customer}/tax_ids/{id}", permission="customer_read")
def retrieve(call: Call) -> Object:
    return _of(call)


@route("DELETE", "/v1/tax_ids/{id}", permission="tax_id_write")
@route("DELETE", "/v1/customers/{customer}/tax_ids/{id}", permission="customer_write")
def delete(call: Call) -> Object:
    tax_id = _of(call)
    stub = call.world.delete("tax_id", tax_id["id"])
    if tax_id["customer"]:
        call.world.emit("customer.tax_id.deleted", tax_id)
    return stub

"""Customers."""

from collections.abc import Callable
from typing import Any

import stripe

from sandbox.expand import on_expand
from sandbox.listing import listed, page
from sandbox.metadata import merged
from sandbox.resources import payment_methods, tax_ids, test_clocks
from sandbox.route import Call, route
from sandbox.world import Object, World, shown

PLAIN = (
    "address",
    "balance",
    "business_name",
    "description",
    "email",
    "individual_name",
    "name",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)


def _change(world: World, customer: Object, params: dict[str, Any]) -> None:
    for name in PLAIN:
        if name in params:
            customer[name] = params[name] if params[name] != "" else ("none" if name == "tax_exempt" else None)
    if "metadata" in params:
        customer["metadata"] = merged(customer["metadata"], params["metadata"])
    settings = params.get("invoice_settings", {})
    for name in ("custom_fields", "default_payment_method", "footer", "rendering_options"):
        if name in settings:
            value = settings[name] or None
            if name == "default_payment_method" and value:
                world.require("payment_method", value, param="invoice_settings[default_payment_method]")
            customer["invoice_settings"][name] = value
    if "invoice_prefix" in params:
        customer["invoice_prefix"] = params["invoice_prefix"]
    if "next_invoice_sequence" in params:
        customer["next_invoice_sequence"] = params["next_invoice_sequence"]
    if "default_source" in params:
        customer["default_source"] = params["default_source"] or None


@route("POST", "/v1/customers", params=stripe.params.CustomerCreateParams, permission="customer_write", extra={"id": str})
def create(call: Call) -> Object:
    world, params = call.world, call.params
    id = world.chosen_id("customer", params.get("id")) or world.new_id("cus")
    customer: Object = {
        "id": id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": world.clock.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": world.ids.letters(8).upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None},
        "livemode": world.livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": world.require("test_helpers.test_clock", params["test_clock"], param="test_clock")["id"]
        if params.get("test_clock")
        else None,
    }
    settings = params.get("invoice_settings", {})
    wanted = settings.pop("default_payment_method", None)
    _change(world, customer, params)
    world.insert(customer)
    if "payment_method" in params:
        payment_methods.attached(world, payment_methods.usable(world, params["payment_method"], param="payment_method"), id)
    if "source" in params:
        method = payment_methods.from_source(world, params["source"], param="source")
        payment_methods.attached(world, method, id)
        customer["default_source"] = method["id"]
        world.save(customer)
    if wanted:
        customer["invoice_settings"]["default_payment_method"] = payment_methods.usable(
            world, wanted, param="invoice_settings[default_payment_method]"
        )["id"]
        world.save(customer)
    world.emit("customer.created", customer)
    for number in params.get("tax_id_data", []):
        tax_ids.made(world, number["type"], number["value"], customer=id)
    return customer


@route("GET", "/v1/customers", params=stripe.params.CustomerListParams, permission="customer_read", list_of="customer")
def every(call: Call) -> Object:
    return page(call, "customer", filters={"email": "email", "test_clock": "test_clock"}, default=test_clocks.hidden)


@route("GET", "/v1/customers/{customer}", permission="customer_read")
def retrieve(call: Call) -> Object:
    return call.world.require("customer", call.path["customer"], deleted=True)


@route("POST", "/v1/customers/{customer}", params=stripe.params.CustomerUpdateParams, permission="customer_write")
def update(call: Call) -> Object:

    world = call.world
    customer = world.require("customer", call.path["customer"])
    _change(world, customer, call.params)
    if "source" in call.params:
        method = payment_methods.from_source(world, call.params["source"], param="source")
        payment_methods.attached(world, method, customer["id"])
        customer["default_source"] = method["id"]
    world.save(customer)
    world.emit("customer.updated", customer)
    return customer


@route("DELETE", "/v1/customers/{customer}", permission="customer_write")
def delete(call: Call) -> Object:
    return removed(call.world, call.world.require("customer", call.path["customer"]))


def removed(world: World, customer: Object) -> Object:
    """The end of a customer, and of what ends with it; announced. Gives what is left of it."""
    for rule in BEFORE_DELETION:
        rule(world, customer)
    stub = world.delete("customer", customer["id"])
    world.emit("customer.deleted", customer)
    return stub


# What else ends with a customer; subscriptions register their cancellation here.
BEFORE_DELETION: list[Callable[[World, Object], None]] = []


def before_deletion(rule: Callable[[World, Object], None]) -> Callable[[World, Object], None]:
    """Register `rule(world, customer)`, called in the transaction that deletes a customer."""
    BEFORE_DELETION.append(rule)
    return rule


@on_expand("customer", "tax_ids")
def _tax_ids(world: World, customer: Object) -> Object:
    found = world.find("tax_id", customer=customer["id"])
    return listed(found[:10], f"/v1/customers/{customer['id']}/tax_ids", has_more=len(found) > 10)


@on_expand("customer", "subscriptions")
def _subscriptions(world: World, customer: Object) -> Object:
    live = [one for one in world.find("subscription", customer=customer["id"]) if one["status"] not in ("canceled", "incomplete_expired")]
    return listed([shown(one) for one in live[:10]], f"/v1/customers/{customer['id']}/subscriptions", has_more=len(live) > 10)


@on_expand("customer", "sources")
def _sources(world: World, customer: Object) -> Object:
    return listed([], f"/v1/customers/{customer['id']}/sources")

"""Products: what is sold."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.resources import prices
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route
from sandbox.world import World

_EDITABLE = ("active", "description", "images", "marketing_features", "metadata", "name", "package_dimensions", "shippable")
_EDITABLE += ("statement_descriptor", "tax_code", "unit_label", "url")


def build(world: World, params: dict) -> dict:
    now = world.clock.now()
    product = {
        "id": params.get("id") or world.new_id("prod"),
        "object": "product",
        "active": True,
        "created": now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": world.livemode,
        "marketing_features": [],
        "metadata": {},
        "name": params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": params.get("type", "service"),
        "unit_label": None,
        "updated": now,
        "url": None,
    }
    assign(product, params, *_EDITABLE)
    product["metadata"] = merged({}, params.get("metadata"))
    world.insert(product)
    world.emit("product.created", product)
    return product


@route("POST", "/v1/products", params=stripe.params.ProductCreateParams, permission="product_write")
def create(call: Call) -> dict:
    given = call.params
    if given.get("id") and call.world.get("product", given["id"]):
        raise invalid("Product already exists.", param="id", code="resource_already_exists")
    product = build(call.world, given)
    if "default_price_data" in given:
        price = prices.build(call.world, {**given["default_price_data"], "product": product["id"]})
        product["default_price"] = price["id"]
        product = update(call.world, product, "product.updated")
    return product


@route("GET", "/v1/products", params=stripe.params.ProductListParams, permission="product_read", list_of="product")
def list_products(call: Call) -> dict:
    return page(call, "product", filters={"active": "active", "ids": "id", "shippable": "shippable", "type": "type", "url": "url"})


@route("GET", "/v1/products/{id}", params=stripe.params.ProductRetrieveParams, permission="product_read")
def retrieve(call: Call) -> dict:
    return call.world.require("product", call.path["id"])


@route("POST", "/v1/products/{id}", params=stripe.params.ProductUpdateParams, permission="product_write")
def modify(call: Call) -> dict:
    product = call.world.require("product", call.path["id"])
    assign(product, call.params, *_EDITABLE, "default_price")
    if call.params.get("default_price"):
        call.world.require("price", call.params["default_price"], param="default_price")
    product["updated"] = call.world.clock.now()
    return update(call.world, product, "product.updated")


@route("DELETE", "/v1/products/{id}", params=stripe.params.ProductDeleteParams, permission="product_write")
def delete(call: Call) -> dict:
    product = call.world.require("product", call.path["id"])
    if call.world.find("price", product=product["id"]):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.", param="id")
    gone = call.world.delete("product", product["id"])
    call.world.emit("product.deleted", product)
    return gone

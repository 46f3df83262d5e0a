"""Payment links: a page that sells the same items again and again. Never deleted, only switched off."""

from __future__ import annotations

import stripe.params

from sandbox.errors import invalid
from sandbox.expand import on_expand
from sandbox.listing import listed, page
from sandbox.metadata import merged
from sandbox.resources import prices
from sandbox.resources.fields import assign, update
from sandbox.route import Call, route
from sandbox.world import World

_EDITABLE = ("active", "allow_promotion_codes", "billing_address_collection", "custom_fields", "customer_creation", "inactive_message")
_EDITABLE += ("metadata", "payment_method_collection", "payment_method_types", "restrictions", "shipping_address_collection", "submit_type")
_EDITABLE += ("phone_number_collection",)


def _item(world: World, given: dict, at: str) -> dict:
    if "price_data" in given:
        price = prices.from_data(world, given["price_data"])
    elif "price" in given:
        price = world.require("price", given["price"], param=f"{at}[price]")
        if not price["active"]:
            raise invalid("The price specified is inactive. This field only accepts active prices.", param=f"{at}[price]")
    else:
        raise invalid("You must specify either `price` or `price_data`.", param=f"{at}[price]")
    return {"id": world.new_id("li"), "price": price["id"], "quantity": given["quantity"], "adjustable": given.get("adjustable_quantity")}


def _shown(world: World, item: dict) -> dict:
    price = world.require("price", item["price"])
    product = world.get("product", price["product"]) or {}
    subtotal = prices.line_amount(world, price, item["quantity"])
    adjustable = item["adjustable"]
    return {
        "id": item["id"],
        "object": "item",
        "adjustable_quantity": {
            "enabled": adjustable["enabled"],
            "maximum": adjustable.get("maximum"),
            "minimum": adjustable.get("minimum"),
        }
        if adjustable
        else None,
        "amount_discount": 0,
        "amount_subtotal": subtotal,
        "amount_tax": 0,
        "amount_total": subtotal,
        "currency": price["currency"],
        "description": product.get("name"),
        "metadata": {},
        "price": price,
        "quantity": item["quantity"],
    }


@on_expand("payment_link", "line_items")
def line_items(world: World, link: dict) -> dict:
    items = world.private("payment_link", link["id"]).get("items", [])
    return listed([_shown(world, item) for item in items], f"/v1/payment_links/{link['id']}/line_items")


@route("POST", "/v1/payment_links", params=stripe.params.PaymentLinkCreateParams, permission="payment_links_write")
def create(call: Call) -> dict:
    world, given = call.world, call.params
    items = [_item(world, item, f"line_items[{position}]") for position, item in enumerate(given["line_items"])]
    kinds = [world.require("price", item["price"]) for item in items]
    if len({price["currency"] for price in kinds}) > 1:
        raise invalid("All prices on a payment link must have the same currency.", param="line_items")
    recurring = any(price["recurring"] for price in kinds)
    id = world.new_id("plink")
    link = {
        "id": id,
        "object": "payment_link",
        "active": True,
        "after_completion": _after_completion(given.get("after_completion")),
        "allow_promotion_codes": False,
        "application": None,
        "application_fee_amount": None,
        "application_fee_percent": None,
        "automatic_tax": {"enabled": given.get("automatic_tax", {}).get("enabled", False), "liability": None},
        "billing_address_collection": "auto",
        "consent_collection": None,
        "currency": kinds[0]["currency"],
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
        "customer_creation": "always" if recurring else "if_required",
        "inactive_message": None,
        "invoice_creation": None
        if recurring
        else {"enabled": given.get("invoice_creation", {}).get("enabled", False), "invoice_data": None},
        "livemode": world.livemode,
        "metadata": {},
        "on_behalf_of": None,
        "payment_intent_data": None,
        "payment_method_collection": "always",
        "payment_method_options": None,
        "payment_method_types": None,
        "phone_number_collection": {"enabled": False},
        "restrictions": None,
        "shipping_address_collection": None,
        "shipping_options": [],
        "submit_type": "auto",
        "subscription_data": {
            "description": given.get("subscription_data", {}).get("description"),
            "invoice_settings": {"issuer": {"type": "self"}},
            "metadata": merged({}, given.get("subscription_data", {}).get("metadata")),
            "trial_period_days": given.get("subscription_data", {}).get("trial_period_days"),
            "trial_settings": None,
        }
        if recurring
        else None,
        "tax_id_collection": {"enabled": False, "required": "never"},
        "transfer_data": None,
        "url": f"https://buy.stripe.com/{'' if world.livemode else 'test_'}{id.removeprefix('plink_')}",
    }
    assign(link, given, *_EDITABLE)
    link["metadata"] = merged({}, given.get("metadata"))
    world.insert(link, private={"items": items})
    world.emit("payment_link.created", link)
    return link


def _after_completion(given: dict | None) -> dict:
    given = given or {"type": "hosted_confirmation"}
    if given["type"] == "redirect":
        return {"redirect": given.get("redirect"), "type": "redirect"}
    message = given.get("hosted_confirmation", {}).get("custom_message")
    return {"hosted_confirmation": {"custom_message": message}, "type": "hosted_confirmation"}


@route("GET", "/v1/payment_links", params=stripe.params.PaymentLinkListParams, permission="payment_links_read", list_of="payment_link")
def list_payment_links(call: Call) -> dict:
    return page(call, "payment_link", filters={"active": "active"})


@route("GET", "/v1/payment_links/{id}", params=stripe.params.PaymentLinkRetrieveParams, permission="payment_links_read")
def retrieve(call: Call) -> dict:
    return call.world.require("payment_link", call.path["id"], param="id")


@route(
    "GET",
    "/v1/payment_links/{id}/line_items",
    params=stripe.params.PaymentLinkListLineItemsParams,
    permission="payment_links_read",
    list_of="item",
)
def list_line_items(call: Call) -> dict:
    return line_items(call.world, call.world.require("payment_link", call.path["id"]))


@route("POST", "/v1/payment_links/{id}", params=stripe.params.PaymentLinkUpdateParams, permission="payment_links_write")
def modify(call: Call) -> dict:
    world, given = call.world, call.params
    link = world.require("payment_link", call.path["id"])
    assign(link, given, *_EDITABLE)
    if "after_completion" in given:
        link["after_completion"] = _after_completion(given["after_completion"])
    if "line_items" in given:
        items = world.private("payment_link", link["id"])["items"]
        for position, change in enumerate(given["line_items"]):
            item = next((item for item in items if item["id"] == change["id"]), None)
            if item is None:
                raise invalid(f"No such line item: '{change['id']}'", param=f"line_items[{position}][id]", code="resource_missing")
            item["quantity"] = change.get("quantity", item["quantity"])
        world.set_private("payment_link", link["id"], {"items": items})
    return update(world, link, "payment_link.updated")

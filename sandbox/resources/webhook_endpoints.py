"""Webhook endpoints. The signing secret is shown when one is made and never again."""

from fnmatch import fnmatchcase

import stripe

from sandbox.dispatch import API_VERSION
from sandbox.errors import invalid
from sandbox.guard import is_loopback
from sandbox.listing import page
from sandbox.metadata import merged
from sandbox.route import Call, route
from sandbox.schema import words
from sandbox.world import Object, World


def _checked(world: World, url: str | None, events: list[str] | None) -> None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", param="url", code="url_invalid")
    if url is not None and world.livemode and not url.startswith("https://"):
        raise invalid("Invalid URL: URL must begin with https:// in live mode.", param="url", code="url_invalid")
    if url is not None and not world.webhooks_anywhere and not is_loopback(url):
        raise invalid(
            "Invalid URL: this sandbox sends events to its own machine alone, unless it was started with --webhooks-anywhere.",
            param="url",
            code="url_invalid",
        )
    known = words(stripe.params.WebhookEndpointCreateParams, "enabled_events")
    for event in events or []:
        if not any(fnmatchcase(name, event) for name in known):
            raise invalid(f"Invalid enabled_events: unknown event type {event}.", param="enabled_events")


@route(
    "POST",
    "/v1/webhook_endpoints",
    params=stripe.params.WebhookEndpointCreateParams,
    extra={"enabled_events": list[str], "api_version": str},
    permission="webhook_write",
)
def create(call: Call) -> Object:
    world, params = call.world, call.params
    _checked(world, params["url"], params["enabled_events"])
    version = params.get("api_version")
    if version not in (None, API_VERSION):
        raise invalid(f"Invalid api_version: this sandbox renders events at {API_VERSION} only.", param="api_version")
    endpoint: Object = {
        "id": world.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": version,
        "application": None,
        "created": world.clock.now(),
        "description": params.get("description") or None,
        "enabled_events": params["enabled_events"],
        "livemode": world.livemode,
        "metadata": merged({}, params.get("metadata", {})),
        "status": "enabled",
        "url": params["url"],
    }
    secret = f"whsec_{world.ids.letters(32)}"
    world.insert(endpoint, private={"secret": secret})
    return endpoint | {"secret": secret}


@route(
    "GET", "/v1/webhook_endpoints", params=stripe.params.WebhookEndpointListParams, permission="webhook_read", list_of="webhook_endpoint"
)
def every(call: Call) -> Object:
    return page(call, "webhook_endpoint")


@route("GET", "/v1/webhook_endpoints/{id}", permission="webhook_read")
def retrieve(call: Call) -> Object:
    return call.world.require("webhook_endpoint", call.path["id"])


@route(
    "POST",
    "/v1/webhook_endpoints/{id}",
    params=stripe.params.WebhookEndpointUpdateParams,
    extra={"enabled_events": list[str]},
    permission="webhook_write",
)
def update(call: Call) -> Object:
    params = call.params
    endpoint = call.world.require("webhook_endpoint", call.path["id"])
    _checked(call.world, params.get("url"), params.get("enabled_events"))
    for name in ("url", "enabled_events"):
        if name in params:
            endpoint[name] = params[name]
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        endpoint["metadata"] = merged(endpoint["metadata"], params["metadata"])
    return call.world.save(endpoint)


@route("DELETE", "/v1/webhook_endpoints/{id}", permission="webhook_write")
def delete(call: Call) -> Object:
    return call.world.delete("webhook_endpoint", call.path["id"])

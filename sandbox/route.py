"""Which handler answers which method and path, and what a handler is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import StripeError
from sandbox.world import World

Handler = Callable[["Call"], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked. `params` holds typed Python values, `path` the ids of the path by name."""

    world: World
    method: str
    url: str
    path: dict[str, str]
    params: dict[str, Any]
    expand: list[str]
    idempotency_key: str | None
    pinned: bool = True  # the request names the API version itself, so that no older one can be meant


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler
    params: type | None
    permission: str | None
    extra: dict[str, Any] = field(default_factory=dict)


# What Stripe's 404 about the object of a path calls it, where that is not `id`: a noun with all its routes, or one route.
_NOUNS = {
    "coupons": "coupon",
    "disputes": "dispute",
    "payment_intents": "intent",
    "promotion_codes": "promotion_code",
    "refunds": "refund",
}
_ROUTES = {
    ("GET", "/v1/invoices/{id}"): "invoice",
    ("DELETE", "/v1/invoices/{id}"): "invoice",
    ("POST", "/v1/invoices/{id}/send"): "invoice",
    ("POST", "/v1/invoices/{id}/add_lines"): "invoice",
}


def named(found: Route, error: StripeError) -> StripeError:
    """The error as it leaves the route: a 404 about the object of the path says which parameter of the path that was."""
    if error.status == 404 and error.param == "id" and "{" in found.path:
        error.param = _ROUTES.get((found.method, found.path)) or _NOUNS.get(found.path.split("/")[2], "id")
    return error


ROUTES: dict[str, dict[int, list[tuple[list[str], Route]]]] = {}


def route(
    method: str,
    path: str,
    *,
    params: type | None = None,
    permission: str | None = None,
    list_of: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Callable[[Handler], Handler]:
    """Register a handler for a path such as `/v1/charges/{charge}`. `params` is the SDK's TypedDict, `extra` more hints by name,
    `permission` the part after `rak_`. `list_of` is for the reader: the kind that a list answers with."""

    def register(handler: Handler) -> Handler:
        segments = path.strip("/").split("/")
        known = ROUTES.setdefault(method, {}).setdefault(len(segments), [])
        known.append((segments, Route(method, path, handler, params, permission, extra or {})))
        # Fixed words before placeholders: /v1/invoices/search is no invoice.
        known.sort(key=lambda entry: [segment.startswith("{") for segment in entry[0]])
        return handler

    return register


def match(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and the ids in the path, or Stripe's 404."""
    given = path.strip("/").split("/")
    for segments, found in ROUTES.get(method, {}).get(len(given), ()):
        ids = {}
        for segment, value in zip(segments, given, strict=True):
            if segment.startswith("{"):
                ids[segment[1:-1]] = value
            elif segment != value:
                break
        else:
            return found, ids
    raise StripeError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
    )

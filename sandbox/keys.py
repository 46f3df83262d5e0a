"""Who asks: API keys, their mode, and what a restricted one may do."""

from base64 import b64decode
from dataclasses import dataclass

import orjson

from sandbox.errors import StripeError
from sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Key:
    """`permissions` None means everything."""

    shown: str
    livemode: bool
    permissions: frozenset[str] | None


def _masked(key: str) -> str:
    prefix, _, rest = key.rpartition("_")
    return f"{prefix}_{'*' * max(0, len(rest) - 4)}{rest[-4:]}" if prefix else "*" * max(0, len(key) - 4) + key[-4:]


def _given(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def identify(store: Store, authorization: str) -> Key:
    """The key of an Authorization header (Bearer or Basic), or 401 in Stripe's words."""
    key = _given(authorization)
    if not key:
        raise StripeError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g."
            " 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at"
            " https://support.stripe.com/.",
            headers={"WWW-Authenticate": 'Bearer realm="Stripe"'},
        )
    role, _, rest = key.partition("_")
    mode, _, secret = rest.partition("_")
    if role not in ("sk", "rk") or mode not in ("test", "live") or not secret:
        raise StripeError(401, f"Invalid API Key provided: {_masked(key)}", headers={"WWW-Authenticate": 'Bearer realm="Stripe"'})
    registered = store.fact(f"key:{key}")
    permissions = frozenset(orjson.loads(registered)) if registered is not None else None
    return Key(_masked(key), mode == "live", permissions)


def register(store: Store, key: str, permissions: list[str]) -> None:
    """From now on this key may do only this: names such as `rak_charge_read`, with or without `rak_`. A write includes the read."""
    store.set_fact(f"key:{key}", orjson.dumps([name.removeprefix("rak_") for name in permissions]).decode())


def permit(key: Key, permission: str | None, account: str) -> None:
    """Raise the 403 that names the missing permission."""
    if key.permissions is None or permission is None or permission in key.permissions:
        return
    if permission.endswith("_read") and permission.removesuffix("_read") + "_write" in key.permissions:
        return
    raise StripeError(
        403,
        f"The provided key '{key.shown}' does not have the required permissions for this endpoint on account '{account}'. Having the"
        f" 'rak_{permission}' permission would allow this request to continue.",
        code="more_permissions_required",
    )

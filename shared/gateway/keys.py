"""Stripe API keys: which kinds are taken, and which mode they work in. A key appears in no message."""

from typing import Literal

from shared.entered import STRIPE_KEY, Unfit
from shared.errors import BillyError
from shared.settings import READERS, STRIPE, Settings

Mode = Literal["test", "live"]


def check_key(value: str, settings: Settings) -> Mode:
    """The mode of a key. Raises `unavailable` for what is not a restricted key, unless the settings allow secret keys, and for an
    address that such a key may not go to."""
    found = STRIPE_KEY.fullmatch(value)
    if found is None:
        raise BillyError(
            "unavailable",
            "The Stripe key is not one that Billy takes.",
            next="Set a restricted key, which begins with rk_test_ or rk_live_.",
        )
    if found[1] == "sk" and not settings.allow_secret_key:
        raise BillyError(
            "unavailable",
            "The Stripe key is an unrestricted secret key.",
            next="Make a restricted key (rk_…) in Stripe's dashboard, or set BILLY_ALLOW_SECRET_KEY=true.",
        )
    mode: Mode = "live" if found[2] == "live" else "test"
    if not _may_go_to(settings.stripe_api_base, mode):
        raise BillyError(
            "unavailable",
            "A Stripe key of live mode goes to Stripe's own address alone."
            if mode == "live"
            else "The Stripe key would leave this machine unencrypted.",
            next=f"Set BILLY_STRIPE_API_BASE to {STRIPE}, or a key that begins with rk_test_: each mode has a deployment of its own "
            "(BILLY_HOME on a laptop).",
        )
    return mode


def _may_go_to(base: str, mode: Mode) -> bool:
    try:
        return READERS["stripe_api_base"].read(base) == STRIPE or mode == "test"
    except Unfit:
        return False

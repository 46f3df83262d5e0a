"""Stripe API keys: which kinds are taken, and which mode they work in. A key appears in no message."""

import re
from typing import Literal

from shared.errors import BillyError
from shared.settings import Settings

KEY = re.compile(r"(rk|sk)_(test|live)_[A-Za-z0-9_]{3,250}")

Mode = Literal["test", "live"]


def check_key(value: str, settings: Settings) -> Mode:
    """The mode of a key. Raises `unavailable` for what is not a restricted key, unless the settings allow secret keys."""
    found = KEY.fullmatch(value)
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
    return "live" if found[2] == "live" else "test"

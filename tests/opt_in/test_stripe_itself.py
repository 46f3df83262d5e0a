"""Against Stripe itself, for whoever sets STRIPE_TEST_KEY to a restricted test key. It reads and previews; it changes nothing."""

import os
from pathlib import Path

import pytest

from shared.actor import system
from shared.road.catalogue import BY_NAME
from shared.road.execute import execute
from shared.settings import Settings
from shared.wiring import close_context, make_context

KEY = os.environ.get("STRIPE_TEST_KEY", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not KEY.startswith("rk_test_"), reason="set STRIPE_TEST_KEY to an rk_test_ key to run against Stripe itself"),
]


async def test_the_newest_charge_of_stripe_itself_is_shown_as_stripe_states_it(tmp_path: Path) -> None:
    context = await make_context(Settings(home=tmp_path, stripe_api_key=KEY))
    try:
        stripe = await context.stripe()
        page = await stripe.list_page("charge", {"limit": 1})  # type: ignore[attr-defined]
        if not page.values:
            pytest.skip("the account has no charges")
        newest = page.values[0]
        shown = (await execute(BY_NAME["get_charge"], {"id": newest["id"]}, system("setup"), context)).body
        assert (shown["amount"], shown["currency"], shown["status"]) == (newest["amount"], newest["currency"], newest["status"])
        preview = await execute(BY_NAME["create_refund"], {"charge": newest["id"], "dry_run": True}, system("setup"), context)
        assert preview.body["status"] == "preview"
    finally:
        await close_context(context)

"""Whatever a company does and whatever becomes of the webhooks, the mirror ends with what Stripe holds; and a fault in its rules is found."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.gateway.conftest import Double
from tests.gateway.histories import PLANTED, History

pytestmark = [pytest.mark.slow, pytest.mark.requirement("SC-53", "SC-78")]

CHANGES = 150


@pytest.mark.parametrize("seed", [3, 11])
async def test_the_mirror_ends_with_what_stripe_holds_after_webhooks_that_are_lost_late_or_come_twice(
    own_double: Double, open_context: Callable[..., Any], seed: int
) -> None:
    history = History(await open_context(own_double), own_double, seed)
    await history.live(CHANGES)
    assert await history.left() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
async def test_many_histories_end_with_what_stripe_holds(own_double: Double, open_context: Callable[..., Any], seed: int) -> None:
    history = History(await open_context(own_double), own_double, seed)
    await history.live(4 * CHANGES)
    assert await history.left() == []


@pytest.mark.parametrize("planted", PLANTED, ids=lambda each: each.__name__)
async def test_a_fault_in_the_mirrors_rules_is_found_by_a_history(
    own_double: Double, open_context: Callable[..., Any], planted: Callable[[], AbstractContextManager[None]]
) -> None:
    history = History(await open_context(own_double), own_double, 3)
    with planted():
        await history.live(CHANGES)
    assert await history.left() != []

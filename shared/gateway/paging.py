"""A page that cannot be read is asked for in a smaller size, and a list that does not move on is none."""

from collections.abc import Awaitable, Callable, Collection

from shared.errors import BillyError
from shared.gateway.client import ListPage
from shared.gateway.failures import is_permission

LARGEST = 100  # Stripe's largest page
SIZES = (LARGEST, 50, 25, 10)

type Ask = Callable[[int], Awaitable[ListPage]]  # for a page of so many objects
type Fell = Callable[[int, BillyError], Awaitable[None]]


async def readable(ask: Ask, size: int, fell: Fell, before: Collection[str] = (), *, refused: bool = False) -> tuple[ListPage, int]:
    """The page in the largest of the sizes, from `size` on, in which it can be read, and that size. `fell` is told each fall and why.

    `before` are ids of the page before: where they come again, the list would have no end. Raises what the smallest size raises, and at once
    what no size mends; also a refusal of Stripe's, which mostly is of the moment, unless it was `refused` before.
    """
    while True:
        try:
            return _moving(await ask(size), before), size
        except BillyError as error:
            smaller = smaller_than(size, error)
            if smaller is None or (error.stripe is not None and not refused):
                raise
            await fell(smaller, error)
            size = smaller


def smaller_than(size: int, error: BillyError) -> int | None:
    """The size in which a page may pass that failed with this error in another one; None where there is none."""
    return next((each for each in SIZES if each < size), None) if _may_pass_smaller(error) else None


def is_cursor_gone(error: BillyError, cursor: str) -> bool:
    """Whether the object that the parameter `cursor` names is there no more. Stripe says so with 404, or with 400 and the parameter's name."""
    refused = error.code == "invalid_request" and error.stripe is not None and error.stripe.param == cursor
    return error.code == "not_found" or refused


def _may_pass_smaller(error: BillyError) -> bool:
    """Not where the key, the permission, the rate or the cursor is the cause."""
    refused_key = error.code == "unavailable" and error.stripe is not None
    of_cursor = any(is_cursor_gone(error, name) for name in ("starting_after", "ending_before"))
    return not (refused_key or of_cursor or error.code == "rate_limited" or is_permission(error))


def _moving(page: ListPage, before: Collection[str]) -> ListPage:
    if page.has_more and not page.values:
        raise BillyError(
            "stripe_error", "Stripe's list broke off: an empty page says that there is more.", next="It is asked for again by itself."
        )
    if page.has_more and any(value["id"] in before for value in page.values):
        raise BillyError("stripe_error", "Stripe's list does not move on: a page came again.", next="It is asked for again by itself.")
    return page

"""The oldest events since a moment. Stripe lists the newest first, so the window's end is moved until few enough events lie before it."""

from typing import Any

from shared.errors import BillyError
from shared.gateway.client import ListPage, StripeGateway


async def oldest_since(stripe: StripeGateway, since: int, size: int) -> ListPage:
    """The oldest events since a second, newest first: a page of them, or all of one second that holds more. An answer holds no more than that,
    however many events there are."""
    newest = await _page(stripe, size, since)
    if not newest.has_more or not newest.values:
        return newest
    end = _second_of(newest.values[-1], since) + 1
    begin, width = since, max((end - since) // 2, 1)
    while begin < end:
        page = await _page(stripe, size, begin, begin + width)
        if not page.values:
            begin, width = begin + width, width * 2
        elif not page.has_more or width == 1:
            values = page.values + (await _rest(stripe, page, size, begin) if page.has_more else [])
            return ListPage(values, True, newest.stamp, page.odd)
        else:
            width //= 2
    raise BillyError("stripe_error", "Stripe's list of events broke off.", next="It is read again every minute.")


async def _rest(stripe: StripeGateway, page: ListPage, size: int, second: int) -> list[dict[str, Any]]:
    """What else lies in one second."""
    values: list[dict[str, Any]] = []
    while page.has_more and page.values:
        page = await _page(stripe, size, second, second + 1, str(page.values[-1]["id"]))
        values += page.values
    return values


async def _page(stripe: StripeGateway, size: int, begin: int, end: int | None = None, after: str | None = None) -> ListPage:
    params: dict[str, str | int] = {"limit": size, "created[gte]": begin}
    if end is not None:
        params["created[lt]"] = end
    if after is not None:
        params["starting_after"] = after
    return await stripe.pace.patiently(lambda: stripe.list_events(params))


def _second_of(event: dict[str, Any], least: int) -> int:
    created = event.get("created")
    return max(created, least) if isinstance(created, int) else least

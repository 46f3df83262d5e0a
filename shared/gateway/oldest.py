"""The oldest events since a moment. Stripe lists the newest first, so the window's end is moved until few enough events lie before it."""

from typing import Any

from shared.errors import BillyError
from shared.gateway.client import ListPage, StripeGateway


async def oldest_since(stripe: StripeGateway, since: int, size: int) -> ListPage:
    """The oldest events since a second, newest first: a page of them, or all of one second that holds more. An answer holds no more than that,
    however many events there are."""
    newest = await _page(stripe, size, since)
    if not newest.has_more:
        return newest
    end = _second_of(newest.values[-1], since) + 1
    begin, width, odd = since, max((end - since) // 2, 1), 0
    while begin < end:
        page = await _page(stripe, size, begin, begin + width)
        if not page.values:
            odd += page.odd
            begin, width = begin + width, width * 2
        elif not page.has_more or width == 1:
            whole = await _rest(stripe, page, size, begin)
            return ListPage(whole.values, True, newest.stamp, whole.odd + odd)
        else:
            width //= 2
    raise broke_off()


def broke_off() -> BillyError:
    return BillyError("stripe_error", "Stripe's list of events broke off.", next="It is read again every minute.")


async def _rest(stripe: StripeGateway, page: ListPage, size: int, second: int) -> ListPage:
    """The page with what else lies in its second. Raises where the list does not move on."""
    values, odd, seen = list(page.values), page.odd, {value["id"] for value in page.values}
    while page.has_more:
        page = await _page(stripe, size, second, second + 1, str(values[-1]["id"]))
        if page.has_more and all(value["id"] in seen for value in page.values):  # also where it is empty
            raise broke_off()
        seen |= {value["id"] for value in page.values}
        values, odd = values + page.values, odd + page.odd
    return ListPage(values, True, page.stamp, odd)


async def _page(stripe: StripeGateway, size: int, begin: int, end: int | None = None, after: str | None = None) -> ListPage:
    params: dict[str, str | int] = {"limit": size, "created[gte]": begin}
    if end is not None:
        params["created[lt]"] = end
    if after is not None:
        params["starting_after"] = after
    page = await stripe.pace.patiently(lambda: stripe.list_events(params))
    if page.has_more and not page.values:  # it hides what lies here: skipped, those events would be lost
        raise broke_off()
    return page


def _second_of(event: dict[str, Any], least: int) -> int:
    created = event.get("created")
    return max(created, least) if isinstance(created, int) else least

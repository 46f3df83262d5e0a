"""A page that never arrives whole is asked for in smaller sizes until one passes, and the list ends complete."""

from collections.abc import Iterator

import pytest

from shared.context import Context
from shared.gateway import listing, paging, transport
from shared.gateway.backfill import Slice, run_slice
from shared.operations.sync import request_run, sync_state
from tests.gateway.conftest import Double
from tests.gateway.lasting import context as context
from tests.gateway.lasting import filled, run
from tests.gateway.lasting import proxy as proxy
from tests.gateway.test_backfill import at_stripe, ids
from tests.peers.proxy import Proxy, Spoil, cut, says, silence


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    yield from filled(tmp_path_factory.mktemp("company"), {"customers": 30, "charges": 420, "subscriptions": 10, "invoices": 340})


@pytest.mark.requirement("SC-87")
@pytest.mark.parametrize("how", [cut(131_072), cut(131_072, told=False), silence], ids=["cut", "cut, of no known length", "silence"])
@pytest.mark.parametrize("readable, sizes", [(25, [100, 50, 25]), (50, [100, 50]), (10, [100, 50, 25, 10])])
async def test_a_page_that_never_arrives_whole_is_asked_for_in_smaller_sizes_until_one_passes(
    context: Context, proxy: Proxy, company: Double, how: Spoil, readable: int, sizes: list[int]
) -> None:
    def is_large(query: dict[str, str]) -> bool:
        return int(query["limit"]) > readable and "starting_after" in query

    proxy.spoil("/v1/invoices", how, is_large)
    assert await run(context) is Slice.DONE
    state = await sync_state(context)
    assert (state["complete"], state["failing"]) == (True, [])
    there = at_stripe(company, "invoice")
    assert len(there) > 300 and await ids(context, "invoice") == there
    assert state["kinds"]["invoice"]["objects"] == len(there)
    asked = {request: times for request, times in proxy.requests.items() if request.startswith("/v1/invoices?")}
    limits = [int(request.split("limit=")[1].split("&")[0]) for request in asked]
    assert limits == [100, *sizes, *[readable] * (len(limits) - len(sizes) - 1)], "it falls once, and stays for the rest of that kind"
    assert max(asked.values()) <= transport.RETRIES + 1


async def test_a_page_that_stripe_refuses_in_a_large_size_passes_in_a_smaller_one_with_the_next_try(
    context: Context, proxy: Proxy, company: Double
) -> None:
    """A refusal mostly is of the moment, so the run tells it first; and then asks for less."""
    proxy.spoil("/v1/invoices", says(500, {"error": {"type": "api_error"}}), lambda query: int(query["limit"]) > 25)
    assert await run(context) is Slice.STALLED
    assert [each["part"] for each in (await sync_state(context))["failing"]] == ["invoice"]
    assert await run_slice(context, 60) is Slice.DONE
    assert await ids(context, "invoice") == at_stripe(company, "invoice")
    assert max(times for request, times in proxy.requests.items() if request.startswith("/v1/invoices?")) <= transport.RETRIES + 1


async def test_a_size_that_was_found_outlives_the_slice(context: Context, proxy: Proxy) -> None:
    proxy.spoil("/v1/invoices", cut(131_072), lambda query: int(query["limit"]) > 25 and "starting_after" in query)
    await request_run(context, "key_1")
    ended = Slice.MORE
    while ended is Slice.MORE:
        ended = await run_slice(context, 0.05)
    assert ended is Slice.DONE
    cut_off = [request for request, times in proxy.requests.items() if request.startswith("/v1/invoices?") and times > 1]
    assert len(cut_off) == 2, "each size that does not pass is learnt once"


def test_sizes_are_those_that_the_documentation_names() -> None:
    assert paging.SIZES == (100, 50, 25, 10) and paging.SIZES[0] == listing.PAGE

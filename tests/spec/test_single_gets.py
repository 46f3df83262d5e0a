"""One object by its id: never said not to exist on the mirror's word alone, at a bounded cost, and with the moment of which it is true."""

from datetime import datetime

import pytest

from shared.operations.single import MOST_OF_ALL, MOST_OF_ONE, WINDOW
from tests.spec.conftest import Billy, control

pytestmark = pytest.mark.requirement("AB-046")


def _asked(billy: Billy, id: str) -> int:
    seen = control(billy.stripe.url, "GET", "requests").json()["requests"]
    return sum(each["path"] == f"/v1/charges/{id}" for each in seen)


async def test_an_object_that_no_event_has_told_of_is_found_at_stripe_and_kept(both: Billy) -> None:
    charge = both.stripe.charge(4_100)
    control(both.stripe.url, "DELETE", "requests")
    first = await both.call("read_only", "get_charge", id=charge["id"])
    second = await both.call("read_only", "get_charge", id=charge["id"])
    assert (first.error, first.body["amount"], second.body["amount"]) == (None, 4_100, 4_100)
    assert _asked(both, charge["id"]) == 1
    for answer in (first, second):
        assert abs(datetime.fromisoformat(answer.body["as_of"]).timestamp() - both.clock.now()) < 120


async def test_what_stripe_does_not_know_either_is_not_found(both: Billy) -> None:
    assert (await both.call("read_only", "get_charge", id="ch_nobodyknowsit1")).error == "not_found"


async def test_while_stripe_is_away_nobody_is_told_that_an_object_does_not_exist(both: Billy) -> None:
    both.stripe.fault(match="GET /v1/charges/*", kind="status", status=503, times=9)
    answer = await both.call("read_only", "get_charge", id="ch_perhapsthere1")
    assert answer.error in ("unavailable", "stripe_error")


async def test_made_up_ids_cost_stripe_a_bounded_number_of_requests_and_the_next_minute_is_another(both: Billy) -> None:
    control(both.stripe.url, "DELETE", "requests")
    told = [(await both.call("read_only", "get_charge", id=f"ch_madeup{n}")).error for n in range(MOST_OF_ONE + 5)]
    assert told == ["not_found"] * MOST_OF_ONE + ["rate_limited"] * 5
    charge = both.stripe.charge(900)
    assert (await both.call("owner", "get_charge", id=charge["id"])).error is None, "another caller has a share of their own"
    both.clock.offset += WINDOW
    assert (await both.call("read_only", "get_charge", id="ch_madeupagain")).error == "not_found"
    assert MOST_OF_ONE < MOST_OF_ALL

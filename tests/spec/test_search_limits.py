"""What is searched of an object with long texts: its ids, numbers and names stand before all prose, on both stores."""

from typing import Any

import pytest

from shared.gateway.searchable import MOST_WORDS, searchable
from shared.surfaces.openapi import document
from tests.spec.courier import NOW, Courier
from tests.spec.courier import courier as courier


def charge(id: str, **facts: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "charge",
        "created": NOW,
        "amount": 5000,
        "currency": "usd",
        "livemode": False,
        "status": "succeeded",
        **facts,
    }


PROSE = {f"line_{n:02}": f"article {n} " + "blue cotton shirt size large " * 4 for n in range(12)}
DIFFERENT = " ".join(f"word{n}" for n in range(300))
LONG: dict[str, dict[str, Any]] = {
    "behind long metadata": {"metadata": {**PROSE, "order_id": "WEB-77120"}},
    "behind a long description": {"description": "long text " * 99, "metadata": {"order_id": "WEB-77120"}},
    "behind as much metadata as Stripe takes": {"metadata": {**{f"k{n:02}": "v" * 500 for n in range(49)}, "order_id": "WEB-77120"}},
    "behind many different words": {"description": DIFFERENT, "metadata": {"a": DIFFERENT[:500], "order_id": "WEB-77120"}},
    "behind many short values": {"metadata": {**{f"k{n:02}": f"n{n}" for n in range(20)}, "order_id": "WEB-77120"}},
    "a name of its own": {"billing_details": {"name": "WEB-77120"}, "metadata": {f"k{n:02}": "v" * 500 for n in range(50)}},
}


@pytest.mark.slow
@pytest.mark.requirement("AB-119")
@pytest.mark.parametrize("facts", LONG.values(), ids=LONG)
async def test_an_order_number_is_found_behind_whatever_prose(courier: Courier, facts: dict[str, Any]) -> None:
    assert await courier.bring(charge("ch_Long1", **facts), "charge.succeeded") == "applied"
    await courier.bring(charge("ch_Long2", metadata={"order_id": "WEB-77121"}), "charge.succeeded")
    found = (await courier.billy.call("read_only", "search", q="WEB-77120")).body["data"]
    assert [each["id"] for each in found] == ["ch_Long1"]


def test_short_texts_come_before_long_ones_and_the_objects_own_before_its_metadata() -> None:
    value = {"name": "Jane", "email": "j@x.example", "description": "d" * 3_000, "metadata": {"a": "m" * 400, "b": "77120", "c": "x" * 90}}
    assert searchable(("description", "email", "name"), value).split() == [
        *("j@x.example", "Jane", "77120", "x" * 90, "m" * 400),
        "d" * 3_000,
    ]
    assert len(searchable(("description",), {"description": "d" * 100_000})) == MOST_WORDS


def test_the_limit_stands_in_the_operations_words() -> None:
    words = document()["paths"]["/api/search"]["get"]["description"]
    assert "very long texts" in words and "only the beginning of the long ones" in words

"""Any JSON value in any place of a mirrored object costs its own field: lists, single objects, search and figures answer, and name it."""

import json
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings

from shared.gateway.kinds import write_from_object
from shared.operations.shapes import SHAPES
from shared.operations.views import show
from tests.spec.conftest import Billy
from tests.spec.whole_objects import NOW, OBJECTS, Place, bent, places

MILLISECONDS, YEAR_9999 = NOW * 1000, 253_402_300_799
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
ODD: list[Any] = [
    *(MILLISECONDS, YEAR_9999, YEAR_9999 + 1, -1, 0, 1, 2**53, 2**63, 2**64 - 1, 1.5, 1e300, -0.0, True, False, None),
    *("", "text", "x" * 3_000, "\u202e\u200b\x00\x1b[31m", "NaN", "1e9", "-", [], {}, [None], {"id": 7}, {"data": [7, None]}, DEEP),
    *({"id": {"id": "x"}}, [[[]]], {"": ""}, "0" * 500, "1" * 400),
]
EVERYWHERE = [(kind, place) for kind, value in OBJECTS.items() for place in places(value)]
LISTING = {kind: f"list_{kind}s" for kind in OBJECTS}


def readable(answer: Any) -> bool:
    """Whether every client can read it: JSON again, without a number that is none."""
    return json.loads(orjson.dumps(answer)) is not None


def named(place: Place) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place if each != "data").removeprefix(".")


async def mirror(billy: Billy, values: list[dict[str, Any]]) -> None:
    await billy.context.mirror.apply([write_from_object(str(value["object"]), value, NOW) for value in values])


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_objects_that_are_bent_hold_every_field_that_is_shown_and_nothing_of_them_is_odd(kind: str) -> None:
    whole = OBJECTS[kind]
    assert "unreadable" not in show(kind, whole)
    for group in (*SHAPES[kind].facts, *SHAPES[kind].texts):
        for field in group.fields:
            there: Any = whole
            for name in field.name.split("."):
                there = there[name]
    assert all(name in whole for name, _, _ in SHAPES[kind].lists)


@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("kind", OBJECTS)
def test_every_odd_value_in_every_place_leaves_a_view_that_everybody_can_read(kind: str) -> None:
    for place in places(OBJECTS[kind]):
        for odd in ODD:
            value = bent(OBJECTS[kind], place, odd)
            for whole in (True, False):
                shown = show(kind, orjson.dumps(value), whole=whole)
                assert readable(shown) and (shown["object"], "untrusted" in shown) == (kind, True), (place, odd)


NAMED = [
    (kind, place)
    for kind, place in EVERYWHERE
    if place[0] not in ("metadata", "address", "shipping", "preferred_locales", "object") and place[-1] not in ("object", "preset")
    if not any(name in ("currency_options", "custom_unit_amount") for name in place)  # of which no field is shown: the price's words are
]


@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("kind, place", NAMED, ids=[f"{kind}.{named(place)}" for kind, place in NAMED])
def test_a_value_of_the_wrong_type_is_null_and_named(kind: str, place: Place) -> None:
    """A list of a list of a number is of the wrong type everywhere but in a list of rows, where its row is."""
    shown = show(kind, bent(OBJECTS[kind], place, 7 if place[-1] == "data" else [[7]]))
    assert any(named(place) == each or named(place).startswith((f"{each}.", f"{each}[")) for each in shown["unreadable"])
    assert "[[7]]" not in json.dumps(shown).replace(" ", "")


@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("moment", [MILLISECONDS, YEAR_9999, YEAR_9999 * 1000, -1, "2026-11-01", 1.5, True])
@pytest.mark.parametrize("kind", OBJECTS)
def test_a_time_out_of_range_is_null_in_both_forms_and_named(kind: str, moment: Any) -> None:
    shown = show(kind, OBJECTS[kind] | {"created": moment})
    assert (shown["created"], shown["created_iso"], shown["unreadable"]) == (None, None, ["created"])


@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("price", ["price_9", None, 7, [], {"id": 7}], ids=str)
def test_a_price_that_is_not_whole_is_named_and_its_item_is_shown(price: Any) -> None:
    shown = show("subscription", bent(OBJECTS["subscription"], ("items", "data", 0, "price"), price))
    first, second = shown["items"]
    assert (first["id"], first["quantity"], first["unit_amount"], first["pricing"]) == ("si_1", 1, None, None) or price == {"id": 7}
    assert first["price"] == ("price_9" if price == "price_9" else None)
    assert second["price"] == "price_1"
    assert any(each.startswith("items[0].price") for each in shown["unreadable"])


@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("stores", ["embedded"], indirect=True)  # more objects than a test has time for on the other
async def test_no_odd_object_takes_a_list_a_search_or_the_figures_away(billy: Billy) -> None:
    """Every odd value in every place, all of them in the mirror at once, and each list read to its end."""
    many: dict[str, list[dict[str, Any]]] = {kind: [] for kind in OBJECTS}
    for kind, place in EVERYWHERE:
        if place in (("id",), ("object",)):
            continue
        for n, odd in enumerate(ODD[:: 1 if len(place) == 1 else 4]):
            value = bent(OBJECTS[kind], place, odd)
            many[kind].append(value | {"id": f"{value['id']}{len(many[kind])}x{n}"})
    for kind, values in many.items():
        for start in range(0, len(values), 500):
            await mirror(billy, values[start : start + 500])
        seen, cursor = 0, {}
        while True:
            page = await billy.rest("read_only", LISTING[kind], limit=100, **cursor)
            assert page.error is None
            seen += len(page.body["data"])
            if not page.body["has_more"]:
                break
            cursor = {"cursor": page.body["next_cursor"]}
        assert seen == len(values) - sum(value.get("deleted") is True for value in values) == page.body["total"]
    for words in ("text", "a@b.example", "shirt"):
        assert (await billy.rest("read_only", "search", q=words, limit=100)).error is None
    assert (await billy.rest("read_only", "get_stats")).error is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(["id", "data", "price", "x"]), inside, max_size=4),
    max_leaves=8,
)


@pytest.mark.requirement("SC-75")
@settings(max_examples=400, deadline=None)
@given(where=st.sampled_from(EVERYWHERE), odd=JSON, also=st.sampled_from(EVERYWHERE), other=JSON)
def test_any_json_in_any_place_makes_a_view_and_a_write(where: tuple[str, Place], odd: Any, also: tuple[str, Place], other: Any) -> None:
    """One or two places of one object; a text that holds half a character is none that a body could have brought."""
    kind, place = where
    try:
        value = bent(OBJECTS[kind], place, odd)
        if also[0] == kind and also[1][0] != place[0]:
            value = bent(value, also[1], other)
        body = orjson.dumps(value)
    except TypeError:
        return
    value = orjson.loads(body)
    shown = show(kind, body)
    assert readable(shown) and shown["object"] == kind
    write = write_from_object(kind, {"id": "x_1", **{name: each for name, each in value.items() if name != "id"}}, NOW)
    assert all(abs(number or 0) < 2**53 for number in (write.amount, write.refunded, write.created))
    assert show(kind, write.body)["object"] == kind


@pytest.mark.slow
@pytest.mark.requirement("SC-75")
@pytest.mark.parametrize("kind", OBJECTS)
async def test_beside_an_odd_object_the_rest_of_the_list_answers_on_every_surface_and_store(both: Billy, kind: str) -> None:
    whole = OBJECTS[kind]
    odd = whole | {"id": f"{whole['id']}odd", "created": MILLISECONDS, "currency": 7, "customer": [], "status": {}, "metadata": DEEP}
    if kind == "subscription":
        odd = bent(odd, ("items", "data", 0, "price"), "price_9")
    await mirror(both, [whole, odd])
    page = (await both.call("read_only", LISTING[kind])).body
    assert {each["id"] for each in page["data"]} == {whole["id"], odd["id"]}
    (told,) = [each for each in page["data"] if each["id"] == odd["id"]]
    assert {"created", "currency", "metadata"} <= set(told["unreadable"]) and (told["created"], told["created_iso"]) == (None, None)
    got = await both.call("read_only", f"get_{kind}", id=odd["id"])
    assert (got.error, got.body["unreadable"][0]) == (None, told["unreadable"][0])
    assert (await both.call("read_only", "search", q=odd["id"])).body["data"][0]["unreadable"]
    assert (await both.call("read_only", "get_stats")).error is None

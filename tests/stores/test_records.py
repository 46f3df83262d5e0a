"""What every store of records does: point reads, compare-and-set, and finding by a field."""

import asyncio

import pytest

from shared.stores.protocols import Changed, Exists, Record, Records


async def test_a_record_is_read_back_with_the_version_that_a_replacement_must_name(records: Records) -> None:
    made = await records.insert("keys", "k1", {"name": "Ada", "n": 3, "list": [1, {"a": None}], "yes": True})
    assert made == await records.get("keys", "k1")
    assert made.document == {"name": "Ada", "n": 3, "list": [1, {"a": None}], "yes": True}
    assert await records.get("keys", "k2") is None and await records.get("claims", "k1") is None


async def test_a_second_record_of_the_same_id_is_refused(records: Records) -> None:
    await records.insert("keys", "k1", {"n": 1})
    with pytest.raises(Exists):
        await records.insert("keys", "k1", {"n": 2})
    await records.insert("claims", "k1", {"n": 3})
    kept = await records.get("keys", "k1")
    assert kept is not None and kept.document == {"n": 1}


async def test_a_replacement_needs_the_version_that_is_there(records: Records) -> None:
    first = await records.insert("keys", "k1", {"n": 1})
    second = await records.replace("keys", first, {"n": 2})
    assert second == await records.get("keys", "k1") and second.version != first.version
    for stale in (first, Record("unknown", {}, 1)):
        with pytest.raises(Changed):
            await records.replace("keys", stale, {"n": 9})
    assert second == await records.get("keys", "k1")


async def test_of_many_who_replace_the_same_version_at_once_one_succeeds(records: Records) -> None:
    record = await records.insert("claims", "c", {"by": ""})
    tries = await asyncio.gather(*(records.replace("claims", record, {"by": str(n)}) for n in range(20)), return_exceptions=True)
    winners = [each for each in tries if isinstance(each, Record)]
    assert len(winners) == 1 and winners[0] == await records.get("claims", "c")
    assert all(isinstance(each, Record | Changed) for each in tries)


async def test_of_many_who_insert_the_same_id_at_once_one_succeeds(records: Records) -> None:
    tries = await asyncio.gather(*(records.insert("claims", "c", {"by": str(n)}) for n in range(20)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in tries) == ["Exists"] * 19 + ["Record"]


async def test_records_are_found_by_fields_in_descending_order_of_id_page_by_page(records: Records) -> None:
    for n in range(10):
        await records.insert("attempts", f"att_{n}", {"state": "open" if n % 2 else "done", "who": "ada", "n": str(n)})
    await records.insert("other", "att_99", {"state": "open", "who": "ada"})
    assert [each.id for each in await records.find("attempts")] == [f"att_{n}" for n in range(9, -1, -1)]
    assert [each.id for each in await records.find("attempts", {"state": "open"}, limit=2)] == ["att_9", "att_7"]
    assert [each.id for each in await records.find("attempts", {"state": "open"}, limit=9, after="att_7")] == ["att_5", "att_3", "att_1"]
    assert [each.id for each in await records.find("attempts", {"state": "open", "n": "3"})] == ["att_3"]
    assert await records.find("attempts", {"missing": "x"}) == []


async def test_what_is_due_is_found_in_descending_order_of_id_until_it_is_due_no_more(records: Records) -> None:
    for n in range(9):
        await records.insert("attempts", f"att_{n}", {"state": "succeeded", "due": "yes"} if n % 2 else {"state": "unknown"})
    await records.insert("claims", "att_99", {"due": "yes"})
    assert [each.id for each in await records.find("attempts", {"due": "yes"}, limit=3)] == ["att_7", "att_5", "att_3"]
    assert [each.id for each in await records.find("attempts", {"due": "yes"}, limit=3, after="att_3")] == ["att_1"]
    assert await records.find("attempts", {"due": "no"}) == [] == await records.find("attempts", {"due": "yes", "state": "unknown"})
    (fifth,) = await records.find("attempts", {"due": "yes", "state": "succeeded"}, limit=1, after="att_7")
    await records.replace("attempts", fifth, {"state": "succeeded"})
    assert [each.id for each in await records.find("attempts", {"due": "yes"})] == ["att_7", "att_3", "att_1"]


async def test_a_number_is_not_the_text_of_it(records: Records) -> None:
    await records.insert("attempts", "a", {"n": 3})
    assert await records.find("attempts", {"n": "3"}) == []


async def test_a_record_is_found_under_what_it_says_now(records: Records) -> None:
    record = await records.insert("attempts", "a", {"state": "open"})
    await records.replace("attempts", record, {"state": "done"})
    assert await records.find("attempts", {"state": "open"}) == []
    assert [each.id for each in await records.find("attempts", {"state": "done"})] == ["a"]


@pytest.mark.parametrize("ended", [None, 1_800_000_000])
async def test_a_claim_is_read_as_any_record_is_whether_it_has_ended_or_not(records: Records, ended: int | None) -> None:
    claim = await records.insert("claims", "c", {"attempt": "att_1"})
    changed = await records.replace("claims", claim, {"attempt": "att_1", "ended": ended})
    assert await records.get("claims", "c") == changed == (await records.find("claims"))[0]


@pytest.mark.parametrize("text", ["x' OR '1'='1", '"', "%", "ü", ""])
async def test_values_are_values_whatever_they_hold(records: Records, text: str) -> None:
    await records.insert("attempts", "a", {"state": text})
    await records.insert("attempts", "b", {"state": "other"})
    assert [each.id for each in await records.find("attempts", {"state": text})] == ["a"]


@pytest.mark.parametrize("name", ["state') OR ('1", "", "a.b", "a b", "$"])
async def test_a_field_that_is_no_identifier_is_refused(records: Records, name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        await records.find("attempts", {name: "x"})

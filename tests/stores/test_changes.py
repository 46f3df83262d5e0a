"""A change by compare-and-set, on every store: a write whose answer was lost is known again, and nobody else's is taken for it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import BillyError
from shared.stores.changes import Document, change, insert_once, replace_once
from shared.stores.cosmos_layout import RECORDS
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.protocols import Changed, Exists, Record, Records
from tests.stores.adapters import COSMOS, cosmos_account
from tests.stores.cosmos_front import Front
from tests.stores.unsure import UnsureRecords


@pytest.fixture
def unsure(records: Records) -> UnsureRecords:
    return UnsureRecords(records)


def named(name: str) -> Callable[[Document], Document]:
    """A turn that counts under a name."""

    def turn(document: Document) -> Document:
        return document | {name: document.get(name, 0) + 1}

    return turn


# Inserting


async def test_an_insert_whose_answer_was_lost_is_known_for_ones_own(unsure: UnsureRecords) -> None:
    unsure.fails("insert", "after")
    made = await insert_once(unsure, "sync", "run", {"by": "ada"})
    assert made == await unsure.get("sync", "run") == Record("run", {"by": "ada"}, 1)


async def test_an_insert_that_is_repeated_is_the_first_one(unsure: UnsureRecords) -> None:
    first = await insert_once(unsure, "sync", "run", {"by": "ada"})
    assert await insert_once(unsure, "sync", "run", {"by": "ada"}) == first


async def test_an_insert_that_was_never_made_is_not_claimed(unsure: UnsureRecords) -> None:
    unsure.fails("insert", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await insert_once(unsure, "sync", "run", {"by": "ada"})
    assert await unsure.get("sync", "run") is None


async def test_an_insert_of_which_nothing_can_be_learnt_is_not_claimed(unsure: UnsureRecords) -> None:
    unsure.fails("insert", "after")
    unsure.fails("get", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await insert_once(unsure, "sync", "run", {"by": "ada"})
    assert await insert_once(unsure, "sync", "run", {"by": "ada"}) == Record("run", {"by": "ada"}, 1), "repeated, it is known again"


async def test_what_somebody_else_inserted_is_not_taken_for_ones_own(unsure: UnsureRecords) -> None:
    await unsure.insert("sync", "run", {"by": "bob"})
    with pytest.raises(Exists):
        await insert_once(unsure, "sync", "run", {"by": "ada"})
    unsure.fails("insert", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await insert_once(unsure, "sync", "run", {"by": "ada"})
    assert await unsure.get("sync", "run") == Record("run", {"by": "bob"}, 1)


# Replacing


async def test_a_replacement_whose_answer_was_lost_is_known_for_ones_own(unsure: UnsureRecords) -> None:
    first = await unsure.insert("sync", "run", {"by": ""})
    unsure.fails("replace", "after")
    second = await replace_once(unsure, "sync", first, {"by": "ada"})
    assert second == await unsure.get("sync", "run") == Record("run", {"by": "ada"}, first.version + 1)
    assert await replace_once(unsure, "sync", first, {"by": "ada"}) == second, "and so it is when it is repeated"


async def test_a_replacement_that_was_never_made_is_not_claimed(unsure: UnsureRecords) -> None:
    first = await unsure.insert("sync", "run", {"by": ""})
    unsure.fails("replace", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await replace_once(unsure, "sync", first, {"by": "ada"})
    assert await unsure.get("sync", "run") == first


async def test_a_replacement_of_which_nothing_can_be_learnt_is_not_claimed(unsure: UnsureRecords) -> None:
    first = await unsure.insert("sync", "run", {"by": ""})
    unsure.fails("replace", "after")
    unsure.fails("get", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await replace_once(unsure, "sync", first, {"by": "ada"})


async def test_what_somebody_else_wrote_is_not_taken_for_ones_own(unsure: UnsureRecords, records: Records) -> None:
    first = await unsure.insert("sync", "run", {"by": ""})
    second = await records.replace("sync", first, {"by": "bob"})
    with pytest.raises(Changed):
        await replace_once(unsure, "sync", first, {"by": "ada"})
    unsure.fails("replace", "before")
    with pytest.raises(BillyError, match="unavailable"):
        await replace_once(unsure, "sync", first, {"by": "ada"})
    third = await records.replace("sync", second, {"by": "ada"})
    with pytest.raises(Changed):
        await replace_once(unsure, "sync", first, {"by": "ada"})
    assert await unsure.get("sync", "run") == third, "the same words in a later version are a later change"


async def test_a_write_on_which_another_one_lies_already_is_not_claimed(unsure: UnsureRecords, records: Records) -> None:
    first = await unsure.insert("sync", "run", {"by": ""})

    async def bob_comes() -> None:
        there = await records.get("sync", "run")
        assert there is not None
        await records.replace("sync", there, {"by": "bob"})

    unsure.fails("replace", bob_comes)
    with pytest.raises(BillyError, match="unavailable"):
        await replace_once(unsure, "sync", first, {"by": "ada"})
    kept = await unsure.get("sync", "run")
    assert kept is not None and kept.document == {"by": "bob"}


# Changing


async def test_a_change_begins_with_an_empty_document_and_goes_on_from_what_is_there(unsure: UnsureRecords) -> None:
    assert await change(unsure, "sync", "run", named("ada")) == Record("run", {"ada": 1}, 1)
    second = await change(unsure, "sync", "run", named("ada"))
    assert second == Record("run", {"ada": 2}, 2)
    assert await change(unsure, "sync", "run", lambda _: None) is None and await unsure.get("sync", "run") == second
    unsure.asked.clear()
    assert await change(unsure, "sync", "run", named("ada"), known=second) == Record("run", {"ada": 3}, 3)
    assert unsure.asked == {"replace": 1}, "what is known is not read"


async def test_what_was_known_and_is_old_is_read_again(unsure: UnsureRecords) -> None:
    old = await unsure.insert("sync", "run", {})
    await change(unsure, "sync", "run", named("bob"))
    assert await change(unsure, "sync", "run", named("ada"), known=old) == Record("run", {"bob": 1, "ada": 1}, 3)


async def test_many_that_change_at_once_all_count(records: Records) -> None:
    names = [f"n{n}" for n in range(8)]
    await asyncio.gather(*(change(records, "sync", "run", named(name)) for name in names))
    kept = await records.get("sync", "run")
    assert kept is not None and kept.document == dict.fromkeys(names, 1) and kept.version == 8


async def test_a_change_whose_answer_was_lost_counts_once(unsure: UnsureRecords) -> None:
    unsure.fails("insert", "after")
    unsure.fails("replace", "after", "after")
    for name in ("ada", "bob", "ada"):
        await change(unsure, "sync", "run", named(name))
    assert await unsure.get("sync", "run") == Record("run", {"ada": 2, "bob": 1}, 3)


# As the client of Cosmos DB meets it


@pytest.mark.parametrize("does", ["create", "replace"])
@COSMOS[0]
@COSMOS[1]
async def test_a_connection_that_is_cut_after_the_write_loses_no_change_and_makes_none_twice(
    front: Front, tmp_path: Path, does: str
) -> None:
    account = await cosmos_account(front.url, tmp_path)
    records = CosmosRecords(account)
    if does == "replace":
        await change(records, "sync", "run", named("bob"))
    before = await records.get("sync", "run")
    front.fails(RECORDS, does, 0, times=1, after=True)
    changed = await change(records, "sync", "run", named("ada"))
    assert changed == await records.get("sync", "run")
    assert changed is not None and changed.document["ada"] == 1 and changed.version == (before.version if before else 0) + 1
    await account.close()

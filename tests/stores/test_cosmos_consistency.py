"""An account whose readers may be behind its writers is not written to: there a change could be counted, or a refund be made, twice."""

import asyncio
from pathlib import Path

import pytest

from shared.errors import BillyError
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_layout import OBJECTS, RECORDS
from shared.stores.cosmos_mirror import CosmosMirror
from shared.stores.cosmos_records import CosmosRecords
from shared.stores.protocols import Applied, Query, Write
from tests.stores.adapters import COSMOS, cosmos_account
from tests.stores.cosmos_front import Asked, Front

pytestmark = list(COSMOS)

CHARGE = Write("charge", "ch_1", 20_000 * 86_400, 20_000 * 86_400, b"{}", "succeeded", "cus_a", "usd", 1, 0, "word")
QUESTION = Asked("", "account")


async def write_both(account: CosmosAccount) -> None:
    assert await CosmosMirror(account).apply([CHARGE]) == [Applied.APPLIED]
    await CosmosRecords(account).insert("keys", "k1", {})


@pytest.mark.parametrize("level", ["BoundedStaleness", "Session", "ConsistentPrefix", "Eventual"])
async def test_an_account_that_is_weaker_than_strong_is_read_and_not_written_to(
    front: Front, account: CosmosAccount, tmp_path: Path, level: str
) -> None:
    kept = await CosmosRecords(account).insert("keys", "k0", {"n": 1})
    await CosmosMirror(account).apply([CHARGE])
    front.consistency = level
    weak = await cosmos_account(front.url, tmp_path)
    records, mirror = CosmosRecords(weak), CosmosMirror(weak)
    for write in (
        lambda: records.insert("keys", "k1", {}),
        lambda: records.replace("keys", kept, {"n": 2}),
        lambda: mirror.apply([Write("charge", "ch_2", 1, 1, b"{}")]),
    ):
        with pytest.raises(BillyError, match=level) as refused:
            await write()
        assert refused.value.code == "unavailable" and "Strong" in str(refused.value.next)
    assert await records.find("keys") == [kept] and await records.get("keys", "k0") == kept
    assert (await mirror.list(Query("charge"))).total == 1 and await mirror.get("charge", "ch_2") is None
    assert not [asked for asked in front.asked if asked.container in (OBJECTS, RECORDS) and asked.does in ("create", "replace")]
    await weak.close()


async def test_an_account_that_was_mended_is_written_to_without_a_restart(front: Front, tmp_path: Path) -> None:
    front.consistency = "Session"
    account = await cosmos_account(front.url, tmp_path)
    for _ in range(2):
        with pytest.raises(BillyError, match="Session"):
            await write_both(account)
    front.consistency = "Strong"
    await write_both(account)
    front.levels.clear()
    await CosmosRecords(account).get("keys", "k1")
    assert front.levels == [None], "nor does the client ask for less any longer"
    await account.close()


async def test_a_strong_account_is_asked_once_also_by_many_that_write_at_once(front: Front, tmp_path: Path) -> None:
    account = await cosmos_account(front.url, tmp_path)
    before = front.asked.count(QUESTION)
    await CosmosRecords(account).get("keys", "k1")
    assert front.asked.count(QUESTION) == before, "a reader asks nothing"
    await asyncio.gather(*(CosmosRecords(account).insert("claims", f"c{n}", {}) for n in range(9)))
    await write_both(account)
    assert front.asked.count(QUESTION) == before + 1
    await account.close()


async def test_many_that_are_refused_at_once_share_one_question(front: Front, tmp_path: Path) -> None:
    front.consistency = "Eventual"
    account = await cosmos_account(front.url, tmp_path)
    before = front.asked.count(QUESTION)
    tries = await asyncio.gather(*(CosmosRecords(account).insert("keys", f"k{n}", {}) for n in range(9)), return_exceptions=True)
    assert [type(each) for each in tries] == [BillyError] * 9
    assert front.asked.count(QUESTION) == before + 1
    await account.close()


@pytest.mark.parametrize("status", [503, 429, 403, 0])
async def test_a_question_that_is_not_answered_is_a_store_that_is_away(front: Front, tmp_path: Path, status: int) -> None:
    account = await cosmos_account(front.url, tmp_path)
    front.fails("", "account", status)
    with pytest.raises(BillyError) as refused:
        await CosmosRecords(account).insert("keys", "k1", {})
    assert refused.value.code == "unavailable" and "Strong" not in str(refused.value.next)
    front.heals()
    await write_both(account)
    await account.close()

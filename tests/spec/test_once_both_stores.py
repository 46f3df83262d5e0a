"""What only a real store can show: owners who revoke each other at once, one key many times at once, and an audit log that is followed."""

import asyncio
import itertools
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from shared.people.keys import COLLECTION as KEY_RECORDS
from shared.people.keys import find_record, works
from tests.road.faulty import Faulty, Trouble, unavailable
from tests.road.script import Script
from tests.road.stores import KINDS, Kind
from tests.spec.conftest import Billy
from tests.spec.inside import USUAL, Inside, on_virtual_time


def disk_full() -> Exception:
    return sqlite3.OperationalError("database or disk is full")


async def owners_left(inside: Inside) -> int:
    keys = await inside.stores.records.find("keys")
    return sum(each.document["role"] == "owner" and works(each.document, inside.clock.now()) for each in keys)


@pytest.mark.requirement("SC-76")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("owners", [2, 3, 5])
@on_virtual_time
async def test_owners_who_revoke_each_other_at_once_leave_a_way_in(inside: Inside, owners: int, kind: Kind) -> None:
    names = ["owner", *(f"owner {number}" for number in range(1, owners))]
    for name in names[1:]:
        await inside.person(name)
    for spread in (1, 2, 3, 5, 7, 11):
        pauses = itertools.cycle([number % spread / 100 for number in range(13)])
        inside.way = lambda pauses=pauses: Trouble(before=next(pauses), after=next(pauses))
        ring = [
            inside.call("revoke_key", by=name, over=inside.instance(f"{name} {spread}"), id=inside.people[names[(number + 1) % owners]].id)
            for number, name in enumerate(names)
        ]
        told = await asyncio.gather(*ring)
        left = await owners_left(inside)
        assert left >= 1, [each.code for each in told]
        assert left == owners - [each.code for each in told].count(None), "who was told that it is revoked can rely on it"
        assert {each.code for each in told} <= {None, "conflict", "unauthenticated"}
        for name in names:
            await inside.change_key(name, revoked=None)
        await inside.restore("deployment")


@pytest.mark.requirement("SC-76")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_the_last_owners_key_that_works_stays_however_many_there_are_that_do_not(inside: Inside, kind: Kind) -> None:
    await inside.person("expired")
    await inside.person("revoked")
    await inside.person("other")
    await inside.change_key("expired", expires=int(inside.clock.now()) - 1)
    assert (await inside.call("revoke_key", id=inside.people["revoked"].id)).error is None
    assert (await inside.call("revoke_key", id=inside.people["other"].id)).error is None
    manager = await inside.person("acting owner")
    await inside.change_key("acting owner", role="billing_manager")
    assert manager.role == "owner", "a key whose record says less than who shows it"
    told = await inside.call("revoke_key", by="acting owner", id=inside.people["owner"].id)
    assert (told.code, await owners_left(inside)) == ("conflict", 1)
    await inside.change_key("acting owner", role="owner", expires=int(inside.clock.now()) + 100)
    await inside.call("revoke_key", id=inside.people["acting owner"].id)
    assert await owners_left(inside) == 1


@pytest.mark.slow
@pytest.mark.requirement("SC-76")
async def test_two_owners_who_revoke_each_other_at_once_over_rest_leave_one(billy: Billy) -> None:
    two = [(await billy.rest("owner", "create_key", name=name, role="owner")).body["result"] for name in ("ann", "ben")]
    (own,) = [each for each in (await billy.rest("owner", "list_keys")).body["data"] if each["name"] == "the owner"]
    assert (await billy.rest(two[0]["key"], "revoke_key", id=own["id"])).error is None
    ann, ben = two
    told = await asyncio.gather(billy.rest(ann["key"], "revoke_key", id=ben["id"]), billy.rest(ben["key"], "revoke_key", id=ann["id"]))
    ways_in = [(await billy.rest(each["key"], "list_keys")).error for each in two]
    assert sorted(ways_in, key=str) == [None, "unauthenticated"]
    assert [each.error for each in told].count(None) == 1
    assert {each.error for each in told} <= {None, "conflict", "unauthenticated"}
    left = two[ways_in.index(None)]
    new = (await billy.rest(left["key"], "create_key", name="cleo", role="owner")).body["result"]
    assert (await billy.rest(new["key"], "revoke_key", id=left["id"])).error is None
    assert (await billy.rest(new["key"], "revoke_key", id=left["id"])).error is None, "twice is once"


@pytest.mark.slow
@pytest.mark.requirement("SC-69", "SC-32")
async def test_a_key_made_many_times_at_once_with_one_idempotency_key_is_made_once(billy: Billy) -> None:
    asked = {"name": "desk", "role": "read_only", "idempotency_key": "order 1"}
    told = await asyncio.gather(*(billy.rest("owner", "create_key", **asked) for _ in range(8)))
    made = [each for each in (await billy.rest("owner", "list_keys")).body["data"] if each["name"] == "desk"]
    assert len(made) == 1 and {each.error for each in told} <= {None, "unavailable"}
    assert [each.body["result"]["key"] for each in told if not each.error and "key" in each.body["result"]] != []
    again = await billy.rest("owner", "create_key", **asked)
    assert (again.body["replayed"], again.body["result"]["id"], "key" in again.body["result"]) == (True, made[0]["id"], False)


@pytest.mark.slow
@pytest.mark.requirement("SC-69", "SC-71")
async def test_a_refund_asked_for_many_times_at_once_with_one_key_and_with_many_is_made_once(billy: Billy) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    keys = ["order 1"] * 4 + ["order 2", "order 3", None]
    told = await asyncio.gather(
        *(billy.rest("owner", "create_refund", charge=charge, amount=700, **({"idempotency_key": key} if key else {})) for key in keys)
    )
    assert len(billy.stripe.refunds(charge)) == 1
    assert {each.error for each in told} <= {None, "unavailable", "possible_duplicate"}
    assert {each.body["attempt"] for each in told if each.error is None} == {
        each["attempt"] for each in await billy.audit(operation="create_refund") if each["decision"] == "outcome"
    }


@pytest.mark.slow
@pytest.mark.requirement("SC-48")
async def test_an_audit_log_that_is_followed_shows_every_row_once_and_in_order_also_one_that_comes_late(billy: Billy) -> None:
    mark = (await billy.rest("owner", "list_audit", limit=1)).body["follow_cursor"]
    late = billy.context.seam.id("aud")
    billy.clock.offset = 1
    for _ in range(5):
        await billy.rest("read_only", "get_stats")
    young = (await billy.rest("owner", "list_audit", follow=mark)).body
    assert (young["data"], young["next_cursor"]) == ([], None), "what may still be overtaken is not shown yet"
    billy.clock.offset = 100
    row = {"id": late, "at": "2026-01-01T00:00:00.000+00:00", "operation": "get_stats", "actor": "key_late"}
    await billy.context.audit.append(row)
    billy.clock.offset = 200
    seen, more = [], True
    mark = young["follow_cursor"]
    while more:
        page = (await billy.rest("owner", "list_audit", follow=mark, limit=2, operation="get_stats")).body
        seen += page["data"]
        mark, more = page["follow_cursor"], page["has_more"]
    assert [each["id"] for each in seen] == sorted(each["id"] for each in seen) and len(seen) == 6
    assert seen[0]["id"] == late, "it was drawn before the others, and came after them"
    await billy.rest("read_only", "get_stats")
    assert (await billy.rest("owner", "list_audit", follow=mark, operation="get_stats")).body["data"] == []
    billy.clock.offset = 400
    (last,) = (await billy.rest("owner", "list_audit", follow=mark, operation="get_stats")).body["data"]
    assert last["id"] > seen[-1]["id"]
    two = await billy.rest("owner", "list_audit", follow=mark, cursor=last["id"])
    assert two.error == "invalid_request"


@pytest.mark.slow
@pytest.mark.requirement("SC-82", "SC-24")
@pytest.mark.parametrize("error", [unavailable, disk_full], ids=["away", "disk full"])
async def test_a_keys_last_use_that_cannot_be_noted_decides_no_call(billy: Billy, error: Any) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    billy.clock.offset = 120
    away = Script(Trouble()).add("records.replace keys", *[Trouble(away=True, error=error)] * 10)
    billy.context = replace(billy.context, records=Faulty(billy.context.records, away, name="records"))
    assert (await billy.rest("owner", "get_stats")).error is None
    assert (await billy.mcp("owner", "create_refund", charge=charge, amount=500, dry_run=True)).body["would"] == "act"
    done = await billy.rest("owner", "create_refund", charge=charge, amount=500)
    assert (done.error, len(billy.stripe.refunds(charge))) == (None, 1)


@pytest.mark.requirement("SC-76")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_key_whose_record_was_written_twice_is_revoked_in_both(inside: Inside, kind: Kind) -> None:
    made = await inside.call("create_key", name="agent", role="billing_manager", idempotency_key="one key")
    id = made.body["result"]["id"]
    record = await find_record(inside.context, id)
    assert record is not None
    await inside.stores.records.insert(KEY_RECORDS, "of an answer that was lost", record.document)
    assert (await inside.call("revoke_key", id=id)).error is None
    revoked = [each.document["revoked"] is not None for each in await inside.stores.records.find(KEY_RECORDS, {"key_id": id})]
    assert revoked == [True, True]


@pytest.mark.requirement("SC-76")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_an_owners_key_that_somebody_only_began_to_revoke_is_a_way_in_again_later(inside: Inside, kind: Kind) -> None:
    await inside.person("other")
    inside.trouble.add("audit.append*", USUAL, *[Trouble(away=True)] * 2)  # after that of the call: that of what is taken away
    assert (await inside.call("revoke_key", id=inside.people["other"].id)).code == "unavailable"
    await inside.rest()
    assert (await inside.call("revoke_key", by="other", id=inside.people["owner"].id)).error is None
    assert await owners_left(inside) == 1


@pytest.mark.requirement("SC-76", "SC-106")
@pytest.mark.parametrize("kind", KINDS)
@on_virtual_time
async def test_a_key_that_the_audit_log_says_was_taken_away_is_gone_also_where_its_record_could_not_be_written(
    inside: Inside, kind: Kind
) -> None:
    other = await inside.person("other")
    inside.trouble.add("records.replace keys", *[Trouble(away=True)] * 3)
    told = await inside.call("revoke_key", id=other.id)
    assert told.code == "unavailable"
    assert (await inside.call("create_key", by="other", name="x", role="read_only")).code == "unauthenticated", "from that moment on"
    await inside.rest()
    record = await find_record(inside.context, other.id)
    assert record is not None and record.document["revoked"] is not None
    assert await inside.state(told.attempt) == "succeeded"
    assert await owners_left(inside) == 1


@pytest.mark.requirement("SC-72")
@on_virtual_time
async def test_a_no_of_billys_own_is_asked_anew_under_the_same_key(inside: Inside) -> None:
    await inside.person("short")
    await inside.change_key("short", expires=int(inside.clock.now()) + 3_600)
    wanted = {"by": "short", "id": inside.people["owner"].id}
    foreseen = await inside.call("revoke_key", **wanted, dry_run=True)
    assert (foreseen.code, (await inside.call("revoke_key", **wanted, idempotency_key="one")).code) == ("conflict", "conflict")
    await inside.person("other")
    assert (await inside.call("revoke_key", **wanted, idempotency_key="one")).error is None

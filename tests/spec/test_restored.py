"""What was taken away stays away: no restore, loss or older copy of the records widens a right."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.actor import system
from shared.context import Context, Seam
from shared.operations.alarms import KEYS_OLDER, Alarm, alarms
from shared.operations.first_key import SECRET, adopt_first_key
from shared.people.keys import COLLECTION, find_key, find_record
from shared.people.restored import TOLD
from shared.road.calls import Call
from shared.road.trail import Decided, Row, append
from shared.settings import Settings
from shared.stores.changes import change
from shared.surfaces.health import health
from shared.wiring import close_context, make_context
from tests.spec.conftest import Billy, Clock

pytestmark = pytest.mark.slow

DRAWN = "billy_" + "q" * 43


async def copied(context: Context) -> list[tuple[str, dict[str, Any]]]:
    """The records of keys, as a backup has them."""
    return [(record.id, dict(record.document)) for record in await context.records.find(COLLECTION, limit=100)]


async def put_back(context: Context, copy: list[tuple[str, dict[str, Any]]]) -> None:
    """The records of keys become those of the copy again. What was made since is lost, as far as nobody can use it."""
    kept = dict(copy)
    for record in await context.records.find(COLLECTION, limit=100):
        lost = record.document | {"key_id": "lost" + record.id[:8], "created_by": "lost", "role": "lost"}
        await change(context.records, COLLECTION, record.id, lambda document, id=record.id, lost=lost: kept.get(id, lost))
    for record in await context.records.find("attempts", limit=100):
        await change(context.records, "attempts", record.id, lambda document: document | {"state": "failed"})
    context.standing.clear()


async def keys_alarm(context: Context) -> list[Alarm]:
    return [each for each in await alarms(context) if each.event == KEYS_OLDER]


async def older(context: Context) -> bool | None:
    return (await health(context))[0]["keys"]["older_than_audit"]


@pytest.mark.requirement("SC-106", "SC-14")
@pytest.mark.parametrize("first", ["a call", "the timer"])
async def test_a_key_that_was_revoked_after_the_copy_works_no_more_when_it_is_put_back(both: Billy, first: str) -> None:
    keys = [(await both.rest("owner", "create_key", name="x", role="owner")).body["result"] for _ in range(3)]
    copy = await copied(both.context)
    assert (await older(both.context), await keys_alarm(both.context)) == (False, [])
    for each in keys[:2]:
        assert (await both.rest("owner", "revoke_key", id=each["id"])).error is None
    assert (await older(both.context), await keys_alarm(both.context)) == (False, [])
    await put_back(both.context, copy)
    assert await older(both.context) is True
    if first == "the timer":
        assert await keys_alarm(both.context) == [Alarm(KEYS_OLDER, {"revived": 2, "missing": 0})]
    for each in keys[:2]:
        refused = await both.call(each["key"], "list_charges") if both.surface == "rest" else await both.rest(each["key"], "list_charges")
        assert refused.error == "unauthenticated"
    assert (await both.rest(keys[2]["key"], "list_charges")).error is None
    assert await keys_alarm(both.context) == [Alarm(KEYS_OLDER, {"revived": 2, "missing": 0})]
    listed = {each["id"]: each["revoked"] for each in (await both.rest("owner", "list_keys")).body["data"]}
    assert [bool(listed[each["id"]]) for each in keys] == [True, True, False], "the records say so again"
    assert await older(both.context) is True, "it is told after it was mended"
    both.clock.offset += TOLD + 1
    assert (await older(both.context), await keys_alarm(both.context)) == (False, [])
    assert (await both.rest(keys[0]["key"], "list_charges")).error == "unauthenticated", "for good"


@pytest.mark.requirement("SC-106")
async def test_a_write_that_a_revived_key_began_before_the_copy_was_put_back_is_not_sent(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="owner")).body["result"]
    copy = await copied(billy.context)
    await billy.rest("owner", "revoke_key", id=made["id"])
    await put_back(billy.context, copy)
    charge = billy.stripe.charge(1000)
    assert (await billy.rest(made["key"], "create_refund", charge=charge["id"], amount=1)).error == "unauthenticated"
    assert billy.stripe.refunds(charge["id"]) == []


@pytest.mark.requirement("SC-106")
async def test_a_key_that_was_made_after_the_copy_is_told_to_be_missing(billy: Billy) -> None:
    await billy.rest("owner", "create_key", name="x", role="read_only")
    copy = await copied(billy.context)
    await billy.rest("owner", "create_key", name="y", role="read_only")
    await put_back(billy.context, copy)
    assert await older(billy.context) is True
    assert await keys_alarm(billy.context) == [Alarm(KEYS_OLDER, {"revived": 0, "missing": 1})]


async def test_a_revived_key_is_no_way_in(billy: Billy) -> None:
    second = (await billy.rest("owner", "create_key", name="x", role="owner")).body["result"]
    third = (await billy.rest("owner", "create_key", name="x", role="owner", expires_at=str(int(billy.clock.now()) + 3600))).body["result"]
    copy = await copied(billy.context)
    await billy.rest("owner", "revoke_key", id=second["id"])
    await put_back(billy.context, copy)
    (first,) = [key for key in (await billy.rest("owner", "list_keys")).body["data"] if key["name"] == "the owner"]
    assert (await billy.rest(third["key"], "revoke_key", id=first["id"])).error == "conflict"


async def test_a_process_that_believes_a_while_learns_of_a_revocation_by_another_that_was_put_back(billy: Billy) -> None:
    """As on Azure, where asking the log is a request: within the seconds of `believed`, and at once where the process itself revoked."""
    context = billy.context
    object.__setattr__(context, "believed", 30.0)
    made = (await billy.rest("owner", "create_key", name="x", role="read_only")).body["result"]
    assert (await billy.rest(made["key"], "list_charges")).error is None
    call = Call(context, system("setup"), None)
    await append(
        context, Row.of(call, "revoke_key", Decided.TAKEN, object=made["id"], right="key", taken=made["id"])
    )  # another process, before the copy
    assert (await billy.rest(made["key"], "list_charges")).error is None
    billy.clock.offset += 31
    assert (await billy.rest(made["key"], "list_charges")).error == "unauthenticated"


@pytest.fixture
async def fresh(tmp_path: Path, stores: dict[str, Any]) -> AsyncIterator[Context]:
    context = await make_context(Settings(home=tmp_path / "billy", **stores), Seam(now=Clock().now))
    yield context
    await close_context(context)


async def emptied_of_keys(context: Context) -> None:
    """As where the container was lost: `find` gives no key any more."""
    records: Any = context.records

    async def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    records.find = nothing


@pytest.mark.requirement("SC-106")
@pytest.mark.parametrize("revoked", [True, False])
async def test_the_first_owners_key_is_no_way_back_in_once_the_audit_log_knows_a_key(
    fresh: Context, revoked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fresh.secrets.set(SECRET, DRAWN)
    assert await adopt_first_key(fresh)
    (record,) = await fresh.records.find(COLLECTION)
    if revoked:
        row = Row.of(Call(fresh, system("setup"), None), "revoke_key", Decided.TAKEN, object=record.document["key_id"], right="key")
        await append(fresh, row)

    async def nothing(self: Any, collection: str, *_: Any, **__: Any) -> list[Any]:
        return []

    monkeypatch.setattr(type(fresh.records), "find", nothing)
    before = len(await fresh.audit.list(limit=99))
    assert not await adopt_first_key(fresh)
    assert len(await fresh.audit.list(limit=99)) == before
    assert await older(fresh) is True


@pytest.mark.requirement("SC-106")
async def test_the_rows_of_version_0_1_0_are_known_too(fresh: Context) -> None:
    await fresh.secrets.set(SECRET, DRAWN)
    old = Row("create_key", system("setup").origin, Decided.ALLOWED, system("setup")).document("aud_" + "0" * 26, 1_700_000_000.0)
    await fresh.audit.append(old)
    assert not await adopt_first_key(fresh)
    assert await find_key(fresh, DRAWN) is None


async def test_a_first_key_that_was_allowed_and_never_made_is_made_the_next_time(fresh: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    await fresh.secrets.set(SECRET, DRAWN)

    async def cut(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr("shared.operations.first_key.make_key", cut)
        with pytest.raises(ConnectionError):
            await adopt_first_key(fresh)
    assert await adopt_first_key(fresh)
    assert await find_key(fresh, DRAWN)


@pytest.mark.requirement("SC-106")
async def test_what_version_0_1_0_revoked_is_told_to_the_log_by_the_timer_once(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="read_only")).body["result"]
    record = await find_record(billy.context, made["id"])
    assert record is not None
    copy = await copied(billy.context)
    await change(billy.context.records, COLLECTION, record.id, lambda document: document | {"revoked": 1_700_000_000})
    for _ in range(2):
        assert await keys_alarm(billy.context) == []
        assert [row["object"] for row in await billy.audit(decision="taken")] == [made["id"]]
    await put_back(billy.context, copy)
    assert (await billy.rest(made["key"], "list_charges")).error == "unauthenticated"


async def test_however_much_is_told_of_a_key_looking_it_up_reads_one_row(billy: Billy) -> None:
    """Whoever may not revoke a key can still name it in as many refusals as they like."""
    made = (await billy.rest("owner", "create_key", name="x", role="read_only")).body["result"]
    for _ in range(5):
        assert (await billy.rest("read_only", "revoke_key", id=made["id"])).error == "not_allowed"
    assert list(await billy.context.audit.list(limit=9, where={"taken": made["id"]})) == []
    await billy.rest("owner", "revoke_key", id=made["id"])
    (row,) = await billy.context.audit.list(limit=9, where={"taken": made["id"]})
    assert (row["decision"], row["object"]) == ("taken", made["id"])

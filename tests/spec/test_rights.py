"""Nobody gives more than they have, in time too; and taking a key away shows, and where that is said takes, what it gave."""

from typing import Any

import pytest

from shared.policy import roles
from shared.policy.decide import Allow, Asked, Deny, decide
from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow

HOUR = 3600


async def make(billy: Billy, by: str, role: str = "owner", **asked: Any) -> dict[str, Any]:
    answered = await billy.rest(by, "create_key", name="x", role=role, **asked)
    assert answered.error is None, answered.body
    return answered.body["result"]


def later(billy: Billy, seconds: int) -> dict[str, str]:
    return {"expires_at": str(int(billy.clock.now()) + seconds)}


@pytest.mark.requirement("SC-107")
async def test_a_key_ends_no_later_than_the_one_that_made_it_and_neither_do_those_that_it_makes(billy: Billy) -> None:
    maker = await make(billy, "owner", **later(billy, HOUR))
    preview = (await billy.rest(maker["key"], "create_key", name="x", role="owner", dry_run=True)).body
    assert (preview["would"], preview["settled"]["expires"]) == ("act", maker["expires"])
    assert any("no key outlives its maker" in note for note in preview["view"]["notes"])
    child = await make(billy, maker["key"])
    grandchild = await make(billy, child["key"], "billing_clerk")
    sooner = await make(billy, maker["key"], "read_only", **later(billy, 60))
    assert child["expires"] == grandchild["expires"] == maker["expires"] > sooner["expires"]
    for dry_run in (False, True):
        refused = await billy.rest(child["key"], "create_key", name="x", role="owner", dry_run=dry_run, **later(billy, HOUR + 60))
        assert (refused.error, refused.body["fields"][0]["field"]) == ("invalid_request", "expires_at")
        assert maker["expires_iso"] in refused.body["detail"]
    (allowed, *_) = [row for row in await billy.audit(object=child["id"]) if row["decision"] == "allowed"]
    assert (allowed["actor"], allowed["about"]["expires"], allowed["about"]["maker_expires"]) == (maker["id"], *[maker["expires"]] * 2)
    billy.clock.offset = HOUR - 90  # a crowded machine needs some of these
    last = await make(billy, maker["key"])
    billy.clock.offset = 2 * HOUR
    for key in (maker, child, grandchild, last):
        assert (await billy.rest(key["key"], "list_keys")).error == "unauthenticated"


async def test_the_key_of_a_maker_that_lasts_ends_when_that_is_said_or_not_at_all(billy: Billy) -> None:
    assert (await make(billy, "owner"))["expires"] is None
    asked = later(billy, HOUR)
    assert (await make(billy, "owner", **asked))["expires"] == int(asked["expires_at"])


@pytest.mark.requirement("SC-107")
@pytest.mark.parametrize("wider", [(old, new) for old in roles.ROLES for new in roles.ROLES], ids="-".join)
async def test_what_takes_the_place_of_a_key_may_do_no_more(billy: Billy, wider: tuple[str, str]) -> None:
    old, new = wider
    replaced = await make(billy, "owner", old)
    answered = await billy.rest("owner", "create_key", name="x", role=new, replaces=replaced["id"])
    assert (answered.error is None) == roles.covers(old, new)
    if answered.error:
        assert (answered.error, answered.body["fields"][0]["field"]) == ("invalid_request", "role")


@pytest.mark.requirement("SC-107")
@pytest.mark.parametrize("maker", roles.ROLES)
@pytest.mark.parametrize("given", roles.ROLES)
def test_no_role_gives_one_that_may_do_more(maker: str, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "PERMISSIONS", {role: held | {"manage_keys"} for role, held in roles.PERMISSIONS.items()})
    decision = decide(Asked(maker, "manage_keys", gives=given))
    if roles.ROLES.index(given) <= roles.ROLES.index(maker):
        assert isinstance(decision, Allow)
    else:
        assert isinstance(decision, Deny) and maker not in decision.who_can and given in decision.who_can


@pytest.mark.requirement("SC-107")
async def test_revoking_a_key_lists_what_it_made_and_takes_it_along_where_that_is_said(billy: Billy) -> None:
    maker = await make(billy, "owner")
    child = await make(billy, maker["key"])
    grandchild = await make(billy, child["key"], "read_only")
    gone = await make(billy, maker["key"], "read_only")
    await billy.rest("owner", "revoke_key", id=gone["id"])
    other = await make(billy, "owner", "read_only")
    made = {child["id"], grandchild["id"]}

    preview = (await billy.rest("owner", "revoke_key", id=maker["id"], dry_run=True)).body
    assert {each["id"] for each in preview["view"]["facts"]["made"]} == set(preview["settled"]["made"]) == made
    assert any("with_made" in note for note in preview["view"]["notes"])
    alone = (await billy.rest("owner", "revoke_key", id=maker["id"])).body["result"]
    assert {each["id"]: each["revoked"] for each in alone["made"]} == dict.fromkeys(made)
    assert [(await billy.rest(each["key"], "list_charges")).error for each in (maker, child, grandchild)] == ["unauthenticated", None, None]

    preview = (await billy.rest("owner", "revoke_key", id=maker["id"], with_made=True, dry_run=True)).body
    assert any("revoked too" in note for note in preview["view"]["notes"]) and "2 that it made" in preview["summary"]
    along = (await billy.rest("owner", "revoke_key", id=maker["id"], with_made=True)).body["result"]
    assert {each["id"] for each in along["made"] if each["revoked_iso"]} == made
    for each in (maker, child, grandchild):
        assert (await billy.rest(each["key"], "list_charges")).error == "unauthenticated"
        (taken,) = [row for row in await billy.audit(object=each["id"]) if row["decision"] == "taken"]
        assert (taken["actor_name"], taken["about"]["created_by"], taken["right"]) == ("the owner", each["created_by"], "key")
    assert (await billy.rest(other["key"], "list_charges")).error is None


@pytest.mark.requirement("SC-107")
async def test_nobody_takes_away_their_own_key_with_those_that_another_one_made(billy: Billy) -> None:
    maker = await make(billy, "owner")
    child = await make(billy, maker["key"])
    for dry_run in (False, True):
        assert (await billy.rest(child["key"], "revoke_key", id=maker["id"], with_made=True, dry_run=dry_run)).error == "conflict"
    assert (await billy.rest(child["key"], "revoke_key", id=maker["id"])).error is None


@pytest.mark.requirement("SC-76")
@pytest.mark.parametrize("seconds", [600, 2 * 86_400, 365 * 86_400])
async def test_a_key_that_ends_is_no_lasting_way_in(billy: Billy, seconds: int) -> None:
    (lasting,) = [key for key in (await billy.rest("owner", "list_keys")).body["data"] if key["name"] == "the owner"]
    ending = await make(billy, "owner", **later(billy, seconds))
    for dry_run in (True, False):
        refused = await billy.rest(ending["key"], "revoke_key", id=lasting["id"], dry_run=dry_run)
        assert refused.error == "conflict" and "lasting" in refused.body["detail"]
    assert (await billy.rest("owner", "revoke_key", id=ending["id"])).error is None
    another, ending = await make(billy, "owner"), await make(billy, "owner", **later(billy, seconds))
    assert (await billy.rest(ending["key"], "revoke_key", id=lasting["id"])).error is None
    assert (await billy.rest(ending["key"], "revoke_key", id=another["id"])).error == "conflict"


@pytest.mark.requirement("SC-76")
async def test_the_last_lasting_way_in_is_not_taken_along(billy: Billy) -> None:
    (first,) = [key for key in (await billy.rest("owner", "list_keys")).body["data"] if key["name"] == "the owner"]
    maker = await make(billy, "owner")
    await make(billy, maker["key"])
    ending = await make(billy, "owner", **later(billy, HOUR))
    assert (await billy.rest(maker["key"], "revoke_key", id=first["id"])).error is None
    assert (await billy.rest(ending["key"], "revoke_key", id=maker["id"], with_made=True)).error == "conflict"
    assert (await billy.rest(ending["key"], "revoke_key", id=maker["id"])).error is None

"""Keys: a role, an expiry, shown once, revoked at once."""

import pytest

from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow


@pytest.mark.requirement("AB-092", "AB-093", "AB-165")
async def test_the_owner_makes_a_key_that_has_its_role_and_is_shown_once(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="support bot", role="read_only")).body
    key = made["result"]["key"]
    assert key.startswith("billy_")
    assert (await billy.rest(key, "list_charges")).error is None
    assert (await billy.rest(key, "create_refund", charge="ch_1")).error == "not_allowed"
    listed = (await billy.rest("owner", "list_keys")).body["data"]
    assert key not in str(listed)
    shown = next(each for each in listed if each["id"] == made["result"]["id"])
    assert (shown["name"], shown["lineage"]) == ("support bot", shown["id"])


@pytest.mark.requirement("AB-166", "SC-14")
async def test_a_revoked_key_stops_working_with_the_answer(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="owner")).body["result"]
    assert (await billy.rest(made["key"], "list_charges")).error is None
    revoked = await billy.rest("owner", "revoke_key", id=made["id"])
    assert revoked.body["result"]["revoked_iso"]
    assert (await billy.rest(made["key"], "list_charges")).error == "unauthenticated"
    again = await billy.rest("owner", "revoke_key", id=made["id"])
    assert again.body["result"]["revoked"] == revoked.body["result"]["revoked"]


@pytest.mark.requirement("SC-14")
async def test_an_expired_key_stops_working(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="owner", expires_at=str(int(billy.clock.now()) + 60))).body["result"]
    assert (await billy.rest(made["key"], "list_charges")).error is None
    billy.clock.offset = 61
    assert (await billy.rest(made["key"], "list_charges")).error == "unauthenticated"


async def test_an_expiry_in_the_past_is_refused(billy: Billy) -> None:
    for dry_run in (False, True):
        asked = {"name": "x", "role": "owner", "expires_at": "2020-01-01", "dry_run": dry_run}
        assert (await billy.rest("owner", "create_key", **asked)).error == "invalid_request"


async def test_a_repeated_creation_does_not_show_the_key_again(billy: Billy) -> None:
    first = (await billy.rest("owner", "create_key", name="x", role="owner", idempotency_key="k")).body
    second = (await billy.rest("owner", "create_key", name="x", role="owner", idempotency_key="k")).body
    assert second["result"]["id"] == first["result"]["id"]
    assert "key" not in second["result"]


@pytest.mark.requirement("SC-24")
async def test_a_key_notes_when_it_was_last_used(billy: Billy) -> None:
    await billy.rest("billing_clerk", "list_charges")
    listed = (await billy.rest("owner", "list_keys")).body["data"]
    assert next(each for each in listed if each["name"] == "the billing_clerk")["last_used_iso"]


@pytest.mark.requirement("SC-1", "SC-16")
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk_test_123", "Basic YmlsbHk6eA==", "Bearer billy_", "bearer  billy_x y"])
async def test_a_missing_or_malformed_key_is_told_nothing_but_that(billy: Billy, header: str) -> None:
    answered = await billy.rest("owner", "list_charges", headers={"authorization": header})
    assert answered.error == "unauthenticated"
    assert set(answered.body) == {"type", "title", "status", "code", "detail", "next"}


async def test_a_key_needs_a_name_that_can_be_read(billy: Billy) -> None:
    assert (await billy.rest("owner", "create_key", name="\u200b\u200b", role="read_only")).error == "invalid_request"


async def test_a_preview_of_revoking_a_key_that_is_not_there_says_so(billy: Billy) -> None:
    assert (await billy.rest("owner", "revoke_key", id="key_" + "0" * 26, dry_run=True)).error == "not_found"


async def test_a_refused_argument_is_told_what_the_schema_takes_and_not_what_was_given(billy: Billy) -> None:
    refused = await billy.rest("owner", "create_key", name="x", role="emperor")
    (field,) = refused.body["fields"]
    assert (field["field"], "billing_clerk" in field["expected"], "emperor" in str(refused.body)) == ("role", True, False)


@pytest.mark.requirement("AB-166")
async def test_a_key_cannot_revoke_itself_so_nobody_locks_everybody_out(billy: Billy) -> None:
    (own,) = [key for key in (await billy.rest("owner", "list_keys")).body["data"] if key["name"] == "the owner"]
    assert (await billy.rest("owner", "revoke_key", id=own["id"])).error == "conflict"
    other = (await billy.rest("owner", "create_key", name="x", role="owner")).body["result"]
    assert (await billy.rest(other["key"], "revoke_key", id=own["id"])).error is None
    assert (await billy.rest("owner", "list_charges")).error == "unauthenticated"

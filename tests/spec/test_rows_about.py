"""A row says what it was about: read alone, the audit log answers which key, which role, until when, and what was tried."""

import json
from typing import Any

import pytest

from shared.road.catalogue import OPERATIONS
from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow


async def about(billy: Billy, object: str) -> list[dict[str, Any]]:
    """The rows about an object, oldest first, as the owner reads them."""
    page = await billy.rest("owner", "list_audit", object=object, limit=200)
    assert page.error is None
    return list(reversed(page.body["data"]))


@pytest.mark.requirement("SC-108")
async def test_a_key_that_was_made_is_told_with_its_role_and_its_end(billy: Billy) -> None:
    end = int(billy.clock.now()) + 3600
    for expires in (end, None):
        asked = {"expires_at": str(expires)} if expires else {}
        made = (await billy.rest("owner", "create_key", name="x", role="owner", **asked)).body
        rows = await about(billy, made["result"]["id"])
        assert {"allowed", "outcome"} <= {row["decision"] for row in rows}
        for row in rows:
            assert (row["operation"], row["actor_name"], row["attempt"]) == ("create_key", "the owner", made["attempt"])
            assert (row["about"]["role"], row["about"]["expires"]) == ("owner", expires)
            assert bool(row["about"]["expires_iso"]) == bool(expires)


@pytest.mark.requirement("SC-108")
async def test_a_key_that_was_revoked_is_told_also_in_a_preview_and_a_refusal(billy: Billy) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="billing_clerk")).body["result"]
    for asked in ({"dry_run": True}, {}):
        await billy.rest("owner", "revoke_key", id=made["id"], **asked)
    await billy.rest("read_only", "revoke_key", id=made["id"])
    rows = [row for row in await about(billy, made["id"]) if row["operation"] == "revoke_key"]
    assert [row["decision"] for row in rows if row["decision"] != "taken"] == ["preview", "allowed", "outcome", "denied"]
    assert all(row["about"]["role"] == "billing_clerk" for row in rows if row["decision"] != "denied")


@pytest.mark.requirement("SC-108")
async def test_what_was_denied_or_refused_is_told_by_the_ids_in_it(both: Billy) -> None:
    await both.call("read_only", "create_refund", charge="ch_secret", reason="a card 4242")
    await both.call("billing_clerk", "create_refund", charge="ch_secret", amount="x", repeat_of="att_" + "1" * 26)
    await both.call("billing_clerk", "get_customer", id="cus_9")
    denied, refused = await about(both, "ch_secret")
    assert (denied["decision"], denied["stripe_ids"]) == ("denied" if both.surface == "rest" else "refused", ["ch_secret"])
    assert (denied["code"], denied["operation"], denied["role"]) == ("not_allowed", "create_refund", "read_only")
    assert (refused["decision"], refused["own_ids"]) == ("refused", ["att_" + "1" * 26])
    assert (await about(both, "cus_9"))[0]["operation"] == "get_customer"
    assert "4242" not in str(await both.audit())


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if "id" in each.path_fields], ids=lambda each: each.name)
async def test_whatever_names_an_object_is_found_by_it_also_where_the_role_may_not(billy: Billy, operation: Any) -> None:
    prefixes = {"get_charge": "ch", "get_customer": "cus", "get_subscription": "sub", "get_invoice": "in", "get_refund": "re"}
    own = "key_" if "key" in operation.name else "att_"
    id = f"{prefixes[operation.name]}_Q1" if operation.name in prefixes else own + "0" * 26
    for role in ("owner", "read_only"):
        await billy.rest(role, operation.name, id=id)
    assert [row["operation"] for row in await billy.audit(object=id)] == [operation.name] * 2


@pytest.mark.requirement("SC-108", "SC-14")
@pytest.mark.parametrize("state", ["revoked", "expired"])
async def test_a_known_key_that_is_refused_is_named_inside_and_not_outside(both: Billy, state: str) -> None:
    asked = {"expires_at": str(int(both.clock.now()) + 60)} if state == "expired" else {}
    made = (await both.rest("owner", "create_key", name="x", role="read_only", **asked)).body["result"]
    if state == "revoked":
        await both.rest("owner", "revoke_key", id=made["id"])
    both.clock.offset = 61
    assert await raw(both, made["key"]) == await raw(both, "billy_" + "u" * 43), "the same answer, to the last header"
    row, other = sorted(await both.audit(code="unauthenticated"), key=lambda each: each["actor"])
    assert (row["actor"], row["actor_name"], row["key_state"]) == (made["id"], "x", state)
    assert (other["actor"], "key_state" in other) == ("unknown", False)


async def raw(billy: Billy, key: str) -> tuple[Any, ...]:
    """All that a call with a key is told."""
    import json

    from shared.actor import Origin
    from shared.surfaces import mcp

    if billy.surface == "rest":
        answered = await billy.rest(key, "list_charges")
        return answered.error, json.dumps(answered.body)
    headers = {"host": "localhost", "authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = await mcp.answer(mcp.Request(Origin("mcp"), "POST", headers, {}, b"{}"), billy.context)
    return answer.status, answer.body, dict(answer.headers)


async def test_a_refused_key_costs_the_stores_the_same_whether_it_is_known_or_not(billy: Billy, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await billy.rest("owner", "create_key", name="x", role="read_only")).body["result"]
    await billy.rest("owner", "revoke_key", id=made["id"])
    asked: list[str] = []
    for store, names in ((billy.context.records, ("get", "find", "insert", "replace")), (billy.context.audit, ("append", "list"))):
        for name in names:
            call = getattr(type(store), name)

            async def counted(self: Any, *given: Any, call: Any = call, name: str = name, **more: Any) -> Any:
                asked.append(name)
                return await call(self, *given, **more)

            monkeypatch.setattr(type(store), name, counted)
    counts: list[list[str]] = []
    for key in (made["key"], "billy_" + "u" * 43):
        asked.clear()
        assert (await billy.rest(key, "get_stats")).error == "unauthenticated"
        counts.append(list(asked))
    assert counts[0] == counts[1] == ["get", "append"]


async def test_a_payments_client_secret_is_no_id_and_stands_in_no_row(billy: Billy) -> None:
    secret = "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH"
    for role in ("read_only", "owner"):
        await billy.rest(role, "create_refund", charge=secret, amount=1)
        await billy.rest(role, "list_charges", customer=secret)
    rows = await billy.audit()
    assert len(rows) == 4 and "_secret_" not in json.dumps(rows)

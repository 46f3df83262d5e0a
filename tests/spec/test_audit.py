"""Every call leaves a row: who, what, when, from where, and what was decided."""

import json
import logging
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables.aio import TableClient

from shared.operations import create_refund
from shared.road.catalogue import BY_NAME
from shared.road.fence import Gate
from shared.road.settling import settle_attempts
from shared.settings import read_settings
from shared.stores import sqlite_audit, tables
from shared.stores.cosmos import CosmosAccount
from shared.stores.cosmos_layout import layout
from shared.stores.tables import TABLE
from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow


@pytest.mark.requirement("AB-162", "CL-047", "CL-050")
async def test_a_refund_leaves_its_call_and_its_outcome_with_attempt_and_stripe_ids(both: Billy) -> None:
    charge = both.stripe.charge(1000)
    made = await both.call("billing_clerk", "create_refund", charge=charge["id"], amount=100)
    outcome, called = await both.audit(operation="create_refund")
    assert called["actor_name"] == "the billing_clerk"
    assert (called["role"], called["surface"], called["client"]) == ("billing_clerk", both.surface, "spec/1")
    assert (called["decision"], called["attempt"], called["amount"], called["currency"]) == ("allowed", made.body["attempt"], 100, "usd")
    assert (outcome["decision"], outcome["state"]) == ("outcome", "succeeded")
    assert set(outcome["stripe_ids"]) >= {charge["id"], made.body["result"]["id"]}
    assert re.fullmatch(r"hmac-sha256:1:[0-9a-f]{64}", called["arguments_digest"])


@pytest.mark.requirement("SC-48", "CL-050")
async def test_every_way_a_call_can_end_leaves_exactly_one_row_of_its_being_asked(billy: Billy) -> None:
    charge = billy.stripe.charge(1000)
    await billy.rest("read_only", "list_charges")
    await billy.rest("read_only", "create_refund", charge=charge["id"])
    await billy.rest("owner", "create_refund", charge=charge["id"], amount="x")
    await billy.rest("owner", "create_refund", charge=charge["id"], amount=2000)
    await billy.rest("owner", "create_refund", charge=charge["id"], dry_run=True)
    await billy.rest("nobody", "list_charges")
    await billy.mcp("owner", "get_stats")
    rows = [(row["operation"], row["decision"], row.get("code")) for row in reversed(await billy.audit())]
    assert rows == [
        ("list_charges", "allowed", None),
        ("create_refund", "denied", "not_allowed"),
        ("create_refund", "refused", "invalid_request"),
        ("create_refund", "refused", "invalid_request"),
        ("create_refund", "preview", None),
        ("list_charges", "refused", "unauthenticated"),
        ("get_stats", "allowed", None),
    ]


@pytest.mark.requirement("AB-075", "AB-072")
async def test_the_owner_reads_the_audit_and_nobody_else_does(billy: Billy) -> None:
    await billy.rest("read_only", "get_stats")
    page = await billy.rest("owner", "list_audit", limit=1)
    assert page.body["data"][0]["operation"] == "get_stats"
    for role in ("billing_manager", "billing_clerk", "read_only"):
        assert (await billy.rest(role, "list_audit")).error == "not_allowed"
        assert (await billy.rest(role, "list_keys")).error == "not_allowed"


async def test_the_audit_is_read_page_by_page_without_a_gap(billy: Billy) -> None:
    for _ in range(5):
        await billy.rest("read_only", "get_stats")
    seen: list[str] = []
    cursor = None
    while True:
        page = (await billy.rest("owner", "list_audit", operation="get_stats", limit=2, **({"cursor": cursor} if cursor else {}))).body
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.requirement("SC-12", "SC-51", "SC-50")
async def test_a_crash_shows_a_reference_and_its_text_is_nowhere(
    billy: Billy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(query: object) -> None:
        raise RuntimeError("rk_live_secret in a message\nwith a second line")

    monkeypatch.setattr(type(billy.context.mirror), "list", lambda self, query: crash(query))
    with caplog.at_level(logging.DEBUG):
        answered = await billy.rest("owner", "list_charges")
    assert answered.error == "internal"
    assert answered.body["reference"] in caplog.text
    assert "rk_live_secret" not in caplog.text + json.dumps(answered.body) + json.dumps(await billy.audit())


async def in_azure(billy: Billy) -> bytes:
    """Every document and every row of the Azure stores, where the test runs on them."""
    settings = billy.context.settings
    if settings.store != "azure":
        return b""
    account = CosmosAccount(settings.cosmos_endpoint, settings.cosmos_key)
    key = AzureNamedKeyCredential(urlsplit(settings.tables_endpoint).path.strip("/"), settings.tables_key)
    documents = [await account.container(each["name"]).query("SELECT * FROM c", {}) for each in layout()["containers"]]
    await account.close()
    async with TableClient(settings.tables_endpoint, TABLE, credential=key) as table:
        rows = [dict(row) async for row in table.list_entities()]
    return json.dumps([documents, rows], default=str).encode()


@pytest.mark.requirement("AB-030", "AB-165")
async def test_no_secret_is_in_anything_that_the_stores_wrote(billy: Billy) -> None:
    charge = billy.stripe.charge(1000)
    made = await billy.rest("owner", "create_key", name="an agent", role="billing_clerk")
    await billy.rest(made.body["result"]["key"], "create_refund", charge=charge["id"], amount=100)
    written = b"".join(path.read_bytes() for path in billy.context.settings.home.rglob("*") if path.is_file())
    written += await in_azure(billy)
    assert charge["id"].encode() in written
    for secret in (billy.context.settings.stripe_api_key, made.body["result"]["key"], *billy.keys.values()):
        assert secret.encode() not in written


@pytest.mark.requirement("SC-48")
async def test_a_repeat_whose_act_fails_again_leaves_one_row_of_being_asked_and_one_outcome_each_time(billy: Billy) -> None:
    charge = billy.stripe.charge(1000)
    for _ in range(2):
        billy.stripe.fault(match="POST /v1/refunds", kind="status", status=429, times=1)
        assert (await billy.rest("owner", "create_refund", charge=charge["id"], amount=100, idempotency_key="k")).error == "rate_limited"
    found = list(reversed(await billy.audit(operation="create_refund")))
    assert [(row["decision"], row.get("code")) for row in found] == [("allowed", None), ("outcome", "rate_limited")] * 2
    assert [row.get("amount") for row in found] == [100, None, None, None], "sums over rows count an attempt once"


def crashing(*_: object, **__: object) -> Any:
    raise RuntimeError("rk_live_secret of a customer")


async def rows_of(billy: Billy, attempt: str) -> list[dict[str, Any]]:
    """The rows of an attempt, oldest first."""
    return list(reversed(await billy.audit(attempt=attempt)))


@pytest.mark.requirement("SC-12")
async def test_a_crash_while_acting_leaves_an_attempt_that_is_settled_from_stripe(
    billy: Billy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    charge = billy.stripe.charge(1000)
    with monkeypatch.context() as broken:
        broken.setattr(create_refund, "refund_as_done", crashing)
        answered = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100)
    assert (answered.error, answered.body["attempt_state"], len(billy.stripe.refunds(charge["id"]))) == ("unavailable", "unknown", 1)
    assert answered.body["reference"] in caplog.text and "rk_live_secret" not in caplog.text + json.dumps(answered.body)
    billy.clock.offset = 200
    assert (await settle_attempts(billy.context, BY_NAME))["succeeded"] == 1
    found = await rows_of(billy, answered.body["attempt"])
    rows = [(row["decision"], row.get("code"), row.get("state")) for row in found]
    assert rows == [("allowed", None, None), ("outcome", "unavailable", "unknown"), ("outcome", None, "succeeded")]
    assert found[1]["reference"] == answered.body["reference"]
    (id,) = {row["correlation_id"] for row in found}
    assert list(reversed(await billy.audit(correlation_id=id))) == found, "its end is found where its beginning is"
    assert len(billy.stripe.refunds(charge["id"])) == 1


@pytest.mark.requirement("SC-12")
async def test_a_crash_before_anything_was_sent_leaves_a_failed_attempt_that_the_same_call_makes_again(
    billy: Billy, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = billy.stripe.charge(1000)
    asked = {"charge": charge["id"], "amount": 100, "idempotency_key": "k"}
    with monkeypatch.context() as broken:
        broken.setattr(Gate, "begin", crashing)
        answered = await billy.rest("owner", "create_refund", **asked)
    assert (answered.error, answered.body["reference"][:4], billy.stripe.refunds(charge["id"])) == ("internal", "ref_", [])
    again = await billy.rest("owner", "create_refund", **asked)
    assert (again.error, again.body["attempt"], len(billy.stripe.refunds(charge["id"]))) == (None, answered.body["attempt"], 1)
    rows = [(row["decision"], row.get("code"), row.get("state")) for row in await rows_of(billy, answered.body["attempt"])]
    assert rows == [("allowed", None, None), ("outcome", "internal", "failed"), ("allowed", None, None), ("outcome", None, "succeeded")]


@pytest.mark.requirement("SC-82")
async def test_a_mirror_that_fails_after_the_act_changes_neither_the_answer_nor_its_rows(
    billy: Billy, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = billy.stripe.charge(1000)
    with monkeypatch.context() as broken:
        broken.setattr(type(billy.context.mirror), "apply", crashing)
        answered = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100)
    (refund,) = billy.stripe.refunds(charge["id"])
    assert (answered.error, answered.body["result"]["id"]) == (None, refund["id"])
    rows = [(row["decision"], row.get("code"), row.get("state")) for row in await rows_of(billy, answered.body["attempt"])]
    assert rows == [("allowed", None, None), ("outcome", None, "succeeded")]
    again = await billy.rest("owner", "create_refund", charge=charge["id"], amount=100)
    assert (again.error, again.body["attempt"]) == ("possible_duplicate", answered.body["attempt"])


def believing(billy: Billy, *proxies: str) -> None:
    billy.context = replace(billy.context, settings=replace(billy.context.settings, trusted_proxies=proxies))


@pytest.mark.requirement("AB-162", "SC-77")
@pytest.mark.parametrize(
    "proxies, forwarded, address",
    [
        (("azure",), "203.0.113.9:51234", "203.0.113.9"),
        (("azure",), "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (("azure",), "[2001:db8::1]:443", "2001:db8::1"),
        (("azure",), "2001:db8::1", "2001:db8::1"),
        (("azure", "198.51.100.0/24"), "192.0.2.1, 203.0.113.9, 198.51.100.7:443", "203.0.113.9"),
        (("azure", "2001:db8::/32"), "203.0.113.9, [2001:db8::5]:443", "203.0.113.9"),
        (("198.51.100.7",), "203.0.113.9, 198.51.100.7, 198.51.100.7", "203.0.113.9"),
        (("azure", "198.51.100.0/24"), "198.51.100.1, 198.51.100.2", None),
        (("azure",), "203.0.113.9, somebody", None),
        (("azure",), "", None),
        ((), "203.0.113.9", None),
        ((), "10.0.0.1, 203.0.113.9:51234", None),
    ],
)
async def test_the_address_of_a_caller_is_the_word_of_a_proxy_that_a_setting_names(
    billy: Billy, proxies: tuple[str, ...], forwarded: str, address: str | None
) -> None:
    believing(billy, *proxies)
    await billy.rest("owner", "get_stats", headers={"x-forwarded-for": forwarded})
    assert (await billy.audit())[0].get("address") == address


@pytest.mark.requirement("SC-105", "AB-075")
async def test_a_rare_row_is_found_over_several_answers_each_of_which_says_how_far_it_looked(
    billy: Billy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for store, bound in ((sqlite_audit, {"FARTHEST": 8}), (tables, {"FARTHEST": 4, "PIECE": 2})):
        for name, value in bound.items():
            monkeypatch.setattr(store, name, value)
    rare = next(each["id"] for each in (await billy.rest("owner", "list_keys")).body["data"] if each["role"] == "billing_manager")
    await billy.rest("billing_manager", "get_stats")
    for _ in range(60):
        await billy.rest("read_only", "get_stats")
        await billy.rest("billing_manager", "list_charges", limit=1)
    where = {"operation": "get_stats", "actor": rare}
    found: list[dict[str, Any]] = []
    answers, cursor, reached = 0, {}, []
    while True:
        page = (await billy.rest("owner", "list_audit", limit=5, **where, **cursor)).body
        answers += 1
        found += page["data"]
        reached += [page["reached"]] if page["reached"] else []
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [row["operation"] for row in found] == ["get_stats"] and found[0]["actor"] == rare
    assert answers > 3 and len(reached) == answers - 1 and reached == sorted(reached, reverse=True)


@pytest.mark.requirement("SC-77")
@pytest.mark.parametrize("text", ["nonsense-9", "10.0.0.0/99", "azure,nonsense-9", "*", "true"])
def test_a_proxy_that_is_none_is_refused_by_the_settings_name_and_never_by_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="BILLY_TRUSTED_PROXIES") as refused:
        read_settings({"BILLY_TRUSTED_PROXIES": text})
    assert "nonsense-9" not in str(refused.value)


def test_proxies_are_read_in_any_spelling() -> None:
    assert read_settings({"BILLY_TRUSTED_PROXIES": " Azure , 10.0.0.0/8,2001:DB8::/32 "}).trusted_proxies == (
        "azure",
        "10.0.0.0/8",
        "2001:db8::/32",
    )

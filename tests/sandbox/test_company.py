"""The believable company: whole, consistent, the same again, and hostile where a real one could be."""

import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import resources
from sandbox.amounts import THREE_DECIMAL
from sandbox.clock import Clock
from sandbox.company import Counts, fill
from sandbox.ids import Ids
from sandbox.store import Store
from sandbox.world import World
from tests.peers.sandbox import ROOT, client_of, control, running_sandbox

NOW = 1_795_000_000
DAY = 86_400


class Stopped(Clock):
    def now(self) -> int:
        return NOW


def made(home: Path, *, seed: int = 1, **size) -> tuple[dict[str, int], dict[str, list[dict]]]:
    """Fill a store and read it back: counts, and objects by kind."""
    resources.load()
    objects = defaultdict(list)
    store = Store(home)
    try:
        world = World(store, livemode=False, account="acct_company", clock=Stopped(), ids=Ids(9))
        store.db.execute("BEGIN")
        counts = fill(world, seed=seed, **size)
        store.db.execute("COMMIT")
        for kind, body, created in store.db.execute("SELECT kind, body, created FROM objects ORDER BY seq"):
            objects[kind].append({**orjson.loads(body), "_created": created})
    finally:
        store.close()
    return counts, objects


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> dict[str, list[dict]]:
    return made(tmp_path_factory.mktemp("company"))[1]


def by_id(objects: dict[str, list[dict]], kind: str) -> dict[str, dict]:
    return {one["id"]: one for one in objects[kind]}


def check(objects: dict[str, list[dict]]) -> None:
    """Everything that must be true between the objects of a company, whatever its size."""
    charges, intents, invoices = (by_id(objects, kind) for kind in ("charge", "payment_intent", "invoice"))
    customers, methods = by_id(objects, "customer"), by_id(objects, "payment_method")
    refunded = Counter()
    for refund in objects["refund"]:
        charge = charges[refund["charge"]]
        assert refund["currency"] == charge["currency"] and refund["payment_intent"] == charge["payment_intent"]
        assert refund["created"] >= charge["created"] and charge["status"] == "succeeded"
        if refund["status"] in ("succeeded", "pending"):
            refunded[charge["id"]] += refund["amount"]
    tried = defaultdict(list)
    for charge in charges.values():
        tried[charge["payment_intent"]].append(charge)
        assert charge["amount_refunded"] == refunded[charge["id"]] <= charge["amount"]
        assert charge["refunded"] == (charge["amount_refunded"] == charge["amount"])
        assert charge["paid"] == (charge["status"] == "succeeded")
        assert (charge["failure_code"] is not None) == (charge["status"] == "failed")
        assert charge["customer"] in customers and charge["payment_method"] in methods
        assert charge["amount"] > 0 and (charge["currency"] not in THREE_DECIMAL or charge["amount"] % 10 == 0)
    disputed = {dispute["charge"] for dispute in objects["dispute"]}
    assert disputed == {charge["id"] for charge in charges.values() if charge["disputed"]}
    for intent in intents.values():
        attempts = [charge for charge in tried[intent["id"]] if charge["amount"] == intent["amount"]]
        assert len(attempts) == len(tried[intent["id"]])
        if intent["latest_charge"]:
            latest = charges[intent["latest_charge"]]
            assert latest["payment_intent"] == intent["id"] and latest["currency"] == intent["currency"]
            assert latest["created"] == max(charge["created"] for charge in attempts)
            assert (intent["status"] == "succeeded") == (latest["status"] == "succeeded" and latest["captured"])
        assert intent["amount_received"] == (intent["amount"] if intent["status"] == "succeeded" else 0)
    for movement in objects["balance_transaction"]:
        assert movement["net"] == movement["amount"] - movement["fee"]
        assert movement["fee"] == sum(detail["amount"] for detail in movement["fee_details"])
    check_bills(objects, intents, charges, invoices)
    for kind, found in objects.items():
        assert len({one["id"] for one in found}) == len(found)
        oldest = NOW - 30 * DAY if kind == "event" else NOW - 548 * DAY
        assert all(oldest <= one["_created"] <= NOW for one in found), kind


def check_bills(objects, intents, charges, invoices) -> None:
    prices, subscriptions = by_id(objects, "price"), by_id(objects, "subscription")
    credited = defaultdict(Counter)
    for note in objects["credit_note"]:
        assert note["total"] == sum(line["amount"] for line in note["lines"]["data"])
        credited[note["invoice"]].update(before=note["pre_payment_amount"], after=note["post_payment_amount"])
    payments = defaultdict(list)
    for payment in objects["invoice_payment"]:
        invoice, intent = invoices[payment["invoice"]], intents[payment["payment"]["payment_intent"]]
        payments[invoice["id"]].append(payment)
        assert payment["amount_requested"] == intent["amount"] and intent["customer"] == invoice["customer"]
        assert (payment["status"] == "paid") == (intent["status"] == "succeeded")
    numbers = [invoice["number"] for invoice in invoices.values() if invoice["number"]]
    assert len(set(numbers)) == len(numbers)
    for invoice in invoices.values():
        lines = invoice["lines"]["data"]
        off = sum(entry["amount"] for entry in invoice["total_discount_amounts"])
        assert invoice["subtotal"] == sum(line["amount"] for line in lines)
        assert off == sum(entry["amount"] for line in lines for entry in line["discount_amounts"])
        assert invoice["total"] == invoice["subtotal"] - off
        notes = credited[invoice["id"]]
        assert (invoice["pre_payment_credit_notes_amount"], invoice["post_payment_credit_notes_amount"]) == (
            notes["before"],
            notes["after"],
        )
        assert invoice["amount_due"] == invoice["total"] - notes["before"]
        assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"]
        assert (invoice["number"] is None) == (invoice["status"] == "draft")
        assert all(line["invoice"] == invoice["id"] and line["currency"] == invoice["currency"] for line in lines)
        paid = sum(payment["amount_paid"] or 0 for payment in payments[invoice["id"]])
        assert invoice["amount_paid"] == paid + invoice["amount_paid_off_stripe"]
        assert (invoice["status"] == "paid") == (invoice["amount_remaining"] == 0 and invoice["status_transitions"]["paid_at"] is not None)
        for line in lines:
            if line["subscription"]:
                price = prices[line["pricing"]["price_details"]["price"]]
                assert line["amount"] in (0, price["unit_amount"] * line["quantity"])
                assert price["currency"] == invoice["currency"]
    for subscription in subscriptions.values():
        latest = invoices[subscription["latest_invoice"]]
        item = subscription["items"]["data"][0]
        assert latest["parent"]["subscription_details"]["subscription"] == subscription["id"]
        assert item["current_period_start"] < item["current_period_end"]
        assert (subscription["ended_at"] is not None) == (subscription["status"] in ("canceled", "incomplete_expired"))
        if subscription["status"] in ("active", "trialing", "past_due"):
            assert item["current_period_start"] <= NOW < item["current_period_end"]
        if subscription["status"] == "past_due":
            assert latest["status"] == "open"


def test_every_link_and_every_sum_holds(company):
    check(company)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([0.02, 0.1, 0.3]))
def test_every_link_and_every_sum_holds_for_any_seed_and_size(tmp_path_factory, seed, scale):
    check(made(tmp_path_factory.mktemp("any"), seed=seed, scale=scale)[1])


def test_the_counts_asked_for_are_the_counts_made(tmp_path):
    counts, objects = made(tmp_path, counts=Counts(customers=40, charges=500, subscriptions=50, invoices=160))
    assert {kind: counts[kind] for kind in ("customer", "charge", "subscription", "invoice")} == {
        "customer": 40,
        "charge": 500,
        "subscription": 50,
        "invoice": 160,
    }
    assert all(len(objects[kind]) == number for kind, number in counts.items())


def test_the_same_seed_and_moment_make_the_same_company(tmp_path):
    one, two, other = (made(tmp_path / name, seed=seed, scale=0.1)[1] for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert one == two
    assert {c["id"] for c in one["customer"]}.isdisjoint(c["id"] for c in other["customer"])


def test_every_status_of_every_object_is_there(company):
    def statuses(kind: str) -> set[str]:
        return {one["status"] for one in company[kind]}

    assert statuses("charge") == {"succeeded", "failed", "pending"}
    assert statuses("subscription") == {
        *("active", "past_due", "canceled", "trialing", "incomplete", "incomplete_expired", "unpaid", "paused"),
    }
    assert statuses("invoice") == {"draft", "open", "paid", "void", "uncollectible"}
    assert statuses("refund") == {"succeeded", "pending", "failed"}
    assert statuses("dispute") == {
        *("needs_response", "under_review", "won", "lost", "prevented"),
        *("warning_needs_response", "warning_under_review", "warning_closed"),
    }
    assert statuses("payment_intent") >= {
        "succeeded",
        "requires_payment_method",
        "processing",
        "requires_capture",
        "requires_action",
        "canceled",
    }
    causes = {one["failure_code"] for one in company["charge"]} | {(one["outcome"] or {}).get("reason") for one in company["charge"]}
    assert causes >= {"card_declined", "expired_card", "insufficient_funds", "fraudulent", "lost_card", "incorrect_cvc", "processing_error"}
    assert any(one["outcome"]["type"] == "blocked" for one in company["charge"])
    assert {one["currency"] for one in company["charge"]} >= {"usd", "eur", "gbp", "jpy", "kwd", "cad"}
    partly = [one for one in company["charge"] if 0 < one["amount_refunded"] < one["amount"]]
    assert partly and any(one["refunded"] for one in company["charge"])
    assert any(one["cancel_at_period_end"] for one in company["subscription"]) and any(one["discounts"] for one in company["subscription"])


def test_bills_are_overdue_by_various_days(company):
    late = {(NOW - one["due_date"]) // DAY for one in company["invoice"] if one["status"] == "open" and one["due_date"]}
    assert {3, 10, 20, 45, 120} <= late
    assert any(days < 0 for days in late)


def test_equal_charges_follow_each_other_and_a_plan_is_bought_twice(company):
    seen, twins = {}, 0
    for charge in sorted(company["charge"], key=lambda one: one["created"]):
        key = charge["customer"], charge["amount"], charge["currency"], charge["description"]
        if charge["status"] == "succeeded" and 0 <= charge["created"] - seen.get(key, -DAY) <= 600:
            twins += 1
        seen[key] = charge["created"]
    assert twins >= 5
    plans = Counter((one["customer"], one["items"]["data"][0]["price"]["id"]) for one in company["subscription"])
    assert max(plans.values()) >= 2


def test_who_is_looked_for_is_there(company):
    names = {one["name"] for one in company["customer"]}
    assert {"Acme Corp", "Globex", "Initech", "Jane Smith"} <= names
    assert any(one["metadata"].get("order_id") == "5678" for one in [*company["charge"], *company["invoice"]])


def test_some_texts_try_to_instruct_whoever_reads_them(company):
    texts = [text for kind in ("customer", "charge", "invoice") for one in company[kind] for text in _texts(one)]
    assert any("Ignore previous instructions" in text for text in texts)
    assert any("\u200b" in text for text in texts) and any("\u001b[" in text for text in texts)
    assert any("![" in text for text in texts) and any("SWdub3JlIHByZXZpb3Vz" in text for text in texts)
    assert any("CYRILLIC" in unicodedata.name(letter, "") for text in texts for letter in text)
    for one in company["customer"]:
        assert all(len(value) <= 500 for value in one["metadata"].values())


def _texts(one: dict) -> list[str]:
    values = [one.get("name"), one.get("description"), *one["metadata"].values()]
    return [value for value in values if value]


def test_life_goes_on_when_the_clock_moves(tmp_path):
    with running_sandbox(tmp_path, seed=4, scale=0.2) as running:
        client = client_of(running)
        before = {one.id: one.status for one in client.v1.subscriptions.list({"status": "all", "limit": 100}).auto_paging_iter()}
        control(running.url, "POST", "clock", {"advance": 32 * DAY}).raise_for_status()
        control(running.url, "POST", "clock", {"advance": 7200}).raise_for_status()
        after = {one.id: one for one in client.v1.subscriptions.list({"status": "all", "limit": 100}).auto_paging_iter()}
        renewed = [one for one in after.values() if one.status == "active" and before[one.id] == "active"]
        assert renewed
        now = control(running.url, "GET", "health").json()["now"]
        assert all(one["items"].data[0].current_period_end > now for one in renewed)
        assert not [one.id for one in after.values() if one.cancel_at and one.cancel_at <= now and one.status != "canceled"]
        fresh = client.v1.invoices.list({"created": {"gt": now - 3 * DAY}, "limit": 100}).data
        assert {"subscription_cycle"} <= {one.billing_reason for one in fresh} and "paid" in {one.status for one in fresh}


def test_a_store_holds_one_company(tmp_path):
    made(tmp_path, scale=0.02)
    with pytest.raises(ValueError, match="already"):
        made(tmp_path, scale=0.02)


@pytest.mark.slow
def test_a_home_filled_from_the_command_line_is_served(tmp_path):
    sizes = {"customers": 30, "charges": 300, "subscriptions": 30, "invoices": 90}
    flags = [part for name, number in sizes.items() for part in (f"--{name}", str(number))]
    command = [sys.executable, "-m", "sandbox.company", "--home", str(tmp_path), "--lean", *flags]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert orjson.loads(printed)["made"]["charge"] == 300
    with running_sandbox(tmp_path) as running:
        listed = client_of(running).v1.charges.list({"limit": 100})
        assert len({charge.id for charge in listed.auto_paging_iter()}) == 300
        wire = control(running.url, "POST", "company", {"seed": 2})
        assert wire.status_code == 400 and "already" in wire.json()["error"]

"""One movement in every form: numbers and truth values that arrive as text, null, and placeholders, on both surfaces."""

import json
from typing import Any

import azure.functions as func
import pytest

from shared.road.catalogue import BY_NAME
from shared.surfaces import rest
from tests.spec.conftest import Billy

pytestmark = pytest.mark.slow


@pytest.mark.requirement("SC-26")
async def test_a_list_in_every_form_of_its_limit_is_one_list_with_one_digest(both: Billy) -> None:
    for limit in (25, "25", *([25.0] if both.surface == "mcp" else [])):
        assert (await both.call("read_only", "list_charges", limit=limit)).error is None
    digests = {row["arguments_digest"] for row in await both.audit(operation="list_charges") if "code" not in row}
    assert len(digests) == 1


@pytest.mark.requirement("SC-26", "SC-71")
async def test_a_refund_in_every_form_is_one_movement_and_one_attempt(both: Billy) -> None:
    charge = both.stripe.charge(4599)["id"]
    first = await both.call(
        "owner", "create_refund", charge=charge, amount="500", dry_run="false", currency=None, idempotency_key="ticket-1"
    )
    assert first.error is None
    for form in ({"amount": 500}, {"amount": 500.0, "dry_run": False, "reason": None}, {"amount": "500", "repeat_of": None}):
        again = await both.call("owner", "create_refund", charge=charge, idempotency_key="ticket-1", **form)
        assert (again.body["replayed"], again.body["attempt"]) == (True, first.body["attempt"])
        twice = await both.call("owner", "create_refund", charge=charge, **form)
        assert (twice.error, twice.body["attempt"]) == ("possible_duplicate", first.body["attempt"])
    assert [each["amount"] for each in both.stripe.refunds(charge)] == [500]
    asked = [row for row in await both.audit(operation="create_refund") if row["decision"] == "allowed" and "replayed" in row]
    assert len({row["arguments_digest"] for row in asked}) == 1


@pytest.mark.requirement("SC-26")
@pytest.mark.parametrize("form", ["true", True])
async def test_a_preview_that_is_asked_for_as_text_is_a_preview(both: Billy, form: Any) -> None:
    charge = both.stripe.charge(4599)["id"]
    told = await both.call("owner", "create_refund", charge=charge, amount="4599", dry_run=form)
    assert (told.body["status"], told.body["settled"]["amount"], both.stripe.refunds(charge)) == ("preview", 4599, [])


@pytest.mark.requirement("SC-26")
async def test_a_preview_that_is_not_understood_never_becomes_an_act(both: Billy) -> None:
    charge = both.stripe.charge(4599)["id"]
    for form in ("yes", 1, 0, "false ", "True", "", "1", [], {}, "null", 1.0):
        told = await both.call("owner", "create_refund", charge=charge, amount=4599, dry_run=form)
        (field,) = told.body["fields"]
        assert (told.error, field["field"], "true or false" in field["expected"]) == ("invalid_request", "dry_run", True)
    assert both.stripe.refunds(charge) == [] and await both.context.records.find("attempts") == []


async def test_a_preview_asked_for_in_the_address_is_one_whatever_the_body_leaves_open(billy: Billy) -> None:
    charge = billy.stripe.charge(4599)["id"]
    told = []
    for body in ({"dry_run": None}, {"dry_run": "true"}, {"dry_run": True}, {}, {"dry_run": False}, {"dry_run": "yes"}):
        request = func.HttpRequest(
            "POST",
            "http://localhost/api/refunds?dry_run=true",
            headers={"authorization": f"Bearer {billy.keys['owner']}"},
            params={"dry_run": "true"},
            body=json.dumps({"charge": charge, "amount": 4599} | body).encode(),
        )
        answer = json.loads((await rest.answer(BY_NAME["create_refund"], request, billy.context)).response.get_body())
        told.append(answer["status"])
    assert told == ["preview"] * 4 + [400] * 2
    assert billy.stripe.refunds(charge) == []


@pytest.mark.requirement("SC-86")
async def test_a_placeholder_key_moves_nothing_and_joins_no_two_changes(both: Billy) -> None:
    one, other = both.stripe.charge(5_000)["id"], both.stripe.charge(5_000)["id"]
    for word in ("null", "None", "undefined", "nil", "N/A", "string", "<idempotency_key>", "   "):
        for charge, amount in ((one, 500), (other, 700), (one, 500)):
            told = await both.call("owner", "create_refund", charge=charge, amount=amount, idempotency_key=word)
            (field,) = told.body["fields"]
            assert (told.error, field["field"]) == ("invalid_request", "idempotency_key")
            assert "placeholder" in field["expected"] and "leave it out" in field["expected"]
    assert both.stripe.refunds(one) == both.stripe.refunds(other) == []
    assert await both.context.records.find("attempts") == []

"""What makes two calls the same: whose they are and their key, in its one spelling. A placeholder is no key."""

import pytest

from tests.road.faults import FAULTS
from tests.spec.conftest import Answered, Billy
from tests.spec.inside import LOOKS, REFUNDS, Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

PLACEHOLDERS = [
    *("null", "None", "undefined", "nil", "N/A", "NaN", "true", "string", "UUID", "idempotency_key", "Idempotency-Key", "..."),
    *("<idempotency_key>", "{{ticket}}", "{{ $json.id }}", "${TICKET}", "$TICKET", "{key}", "%(ticket)s", "your-key-here", "  null\t"),
    *('"order 1"', "'order 1'", "`order 1`", '""'),
]
NO_TEXT = ["", " ", "\t", "order\n1", "order 1\x7f", "órder", "ｎｕｌｌ", "order\u00a01", "order\u200b1", "k" * 256]


async def refund(billy: Billy, charge: str, key: str | None, surface: str, amount: int = 500) -> Answered:
    """A refund with a key in the argument or, where the surface is `header`, in REST's header."""
    given = {} if key is None or surface == "header" else {"idempotency_key": key}
    if surface == "mcp":
        return await billy.mcp("owner", "create_refund", charge=charge, amount=amount, **given)
    headers = {"idempotency-key": key} if key is not None and surface == "header" else None
    return await billy.rest("owner", "create_refund", charge=charge, amount=amount, headers=headers, **given)


@pytest.mark.slow
@pytest.mark.requirement("SC-86")
@pytest.mark.parametrize("way", ["rest", "header", "mcp"])
async def test_a_placeholder_for_a_key_is_refused_in_words_and_nothing_moves(billy: Billy, way: str) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    for key in (*PLACEHOLDERS, *NO_TEXT):
        refused = await refund(billy, charge, key, way)
        assert refused.error == "invalid_request", key
        (field,) = refused.body["fields"]
        assert field["field"] == "idempotency_key"
    (said,) = (await refund(billy, charge, "None", way)).body["fields"]
    assert "placeholder" in said["expected"] and "leave it out" in said["expected"]
    assert billy.stripe.refunds(charge) == [] and await billy.context.records.find("attempts") == []
    assert await billy.context.records.find("claims") == []


@pytest.mark.slow
@pytest.mark.requirement("SC-86")
@pytest.mark.parametrize("name, value", [("charge", "null"), ("charge", "undefined"), ("repeat_of", "None"), ("repeat_of", "{{attempt}}")])
async def test_a_placeholder_for_an_id_is_refused_and_nothing_moves(both: Billy, name: str, value: str) -> None:
    charge = both.stripe.charge(5_000)["id"]
    refused = await both.call("owner", "create_refund", **({"charge": charge, "amount": 500} | {name: value}))
    assert (refused.error, refused.body["fields"][0]["field"]) == ("invalid_request", name)
    assert both.stripe.refunds(charge) == []


@pytest.mark.slow
@pytest.mark.requirement("SC-86", "SC-71")
@pytest.mark.parametrize("key", ["k" * 255, "null-5678", "order {1} of $5", "N", "order 1, part 2", "a<b>c", "~!@#%^&*()_+"])
async def test_a_text_of_ones_own_is_a_key_on_every_way_in_and_spaces_around_it_do_not_count(billy: Billy, key: str) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    ways = [("rest", key), ("mcp", key)]
    if len(key) < 255:
        ways += [("rest", f"  {key}\t"), ("mcp", f" {key} ")]
    if "," not in key:
        ways += [("header", key)]
    told = [await refund(billy, charge, spelled, way) for way, spelled in ways]
    assert {(each.error, each.body["attempt"]) for each in told} == {(None, told[0].body["attempt"])}
    assert [each.body.get("replayed") for each in told] == [None] + [True] * (len(ways) - 1)
    assert len(billy.stripe.refunds(charge)) == 1


@pytest.mark.slow
@pytest.mark.requirement("SC-86")
async def test_a_header_that_came_twice_is_refused_and_so_are_two_keys_for_one_call(billy: Billy) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    twice = await refund(billy, charge, "order 1, order 1", "header")
    assert (twice.error, "came twice" in twice.body["detail"]) == ("invalid_request", True)
    asked = {"charge": charge, "amount": 500, "idempotency_key": "order 1"}
    two = await billy.rest("owner", "create_refund", headers={"idempotency-key": "order 2"}, **asked)
    assert (two.error, billy.stripe.refunds(charge)) == ("invalid_request", [])
    one = await billy.rest("owner", "create_refund", headers={"idempotency-key": "order 1"}, **asked)
    assert (one.error, len(billy.stripe.refunds(charge))) == (None, 1)


@pytest.mark.slow
@pytest.mark.requirement("SC-32")
async def test_a_key_that_was_used_for_something_else_is_a_conflict_that_names_the_attempt(both: Billy) -> None:
    charge, other = both.stripe.charge(5_000)["id"], both.stripe.charge(5_000)["id"]
    first = await both.call("owner", "create_refund", charge=charge, amount=500, idempotency_key="order 1")
    for change in ({"amount": 501}, {"charge": other}, {"reason": "duplicate"}):
        asked = {"charge": charge, "amount": 500, "idempotency_key": "order 1"} | change
        told = await both.call("owner", "create_refund", **asked)
        assert (told.error, told.body["attempt"]) == ("conflict", first.body["attempt"])
    assert (len(both.stripe.refunds(charge)), both.stripe.refunds(other)) == (1, [])


@pytest.mark.slow
async def test_one_key_for_two_operations_is_two_attempts(billy: Billy) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    refunded = await billy.rest("owner", "create_refund", charge=charge, amount=500, idempotency_key="order 1")
    made = await billy.rest("owner", "create_key", name="desk", role="read_only", idempotency_key="order 1")
    assert (refunded.error, made.error) == (None, None)
    assert refunded.body["attempt"] != made.body["attempt"]


@pytest.mark.slow
@pytest.mark.requirement("SC-71")
async def test_a_key_in_another_ones_place_returns_what_that_one_did(billy: Billy) -> None:
    charge = billy.stripe.charge(5_000)["id"]
    keys = [(await billy.rest("owner", "create_key", name="desk", role="billing_clerk")).body["result"]]
    asked = {"charge": charge, "amount": 500, "idempotency_key": "order 1"}
    first = await billy.rest(keys[0]["key"], "create_refund", **asked)
    for _ in range(2):  # rotated twice: the third key knows the first one's attempts
        made = await billy.rest("owner", "create_key", name="desk", role="billing_clerk", replaces=keys[-1]["id"])
        keys.append(made.body["result"])
        assert (await billy.rest("owner", "revoke_key", id=keys[-2]["id"])).error is None
        again = await billy.rest(keys[-1]["key"], "create_refund", **asked)
        shown = await billy.rest(keys[-1]["key"], "get_attempt", id=first.body["attempt"])
        assert (again.error, again.body["attempt"], again.body["replayed"]) == (None, first.body["attempt"], True)
        assert shown.body["asked_by"]["id"] == keys[0]["id"]
    assert {each["lineage"] for each in keys} == {keys[0]["id"]}
    stranger = (await billy.rest("owner", "create_key", name="desk", role="billing_clerk")).body["result"]["key"]
    told = await billy.rest(stranger, "create_refund", **asked)
    assert (told.error, told.body["attempt"]) == ("possible_duplicate", first.body["attempt"])
    assert (await billy.rest(stranger, "get_attempt", id=first.body["attempt"])).error == "not_found"
    assert len(billy.stripe.refunds(charge)) == 1


@pytest.mark.slow
async def test_a_key_can_only_take_the_place_of_one_that_is_there(billy: Billy) -> None:
    asked = {"name": "desk", "role": "read_only", "replaces": "key_" + "0" * 26}
    for dry_run in (True, False):
        assert (await billy.rest("owner", "create_key", dry_run=dry_run, **asked)).error == "not_found"


@pytest.mark.requirement("SC-71", "SC-33")
@on_virtual_time
async def test_a_successor_finds_out_what_became_of_its_predecessors_call(inside: Inside) -> None:
    await inside.person("desk", "billing_clerk")
    await inside.person("desk's next key", "billing_clerk", lineage=inside.people["desk"].id)
    inside.wire.add(REFUNDS, *[FAULTS["acted, lost"]] * 3)
    first = await inside.refund(by="desk", idempotency_key="order 1")
    await inside.wait(60)
    again = await inside.refund(by="desk's next key", idempotency_key="order 1")
    assert (again.error, again.attempt, again.body["result"]["amount"]) == (None, first.attempt, 1_000)
    assert inside.refunds == 1


@pytest.mark.requirement("SC-103")
@pytest.mark.parametrize("hours", [1, 25])
@on_virtual_time
async def test_a_keyed_call_whose_record_is_lost_is_answered_with_what_stripe_has_of_it(inside: Inside, hours: int) -> None:
    first = await inside.refund(700, idempotency_key="order 1")
    await inside.wait(hours * 3_600)
    await inside.restore("attempts", "claims")
    inside.standin.prune()
    asked = len(inside.standin.requests)
    would = await inside.refund(700, idempotency_key="order 1", dry_run=True)
    assert (would.body["would"], would.attempt, await inside.stores.records.find("attempts")) == ("replay", first.attempt, [])
    again = await inside.refund(700, idempotency_key="order 1")
    assert (again.error, again.body["replayed"], again.attempt) == (None, True, first.attempt)
    assert (again.body["result"]["id"], inside.refunds) == (first.body["result"]["id"], 1)
    assert all(each.method == "GET" for each in inside.standin.requests[asked:])
    assert await inside.state(first.attempt) == "succeeded"
    assert (await inside.refund(700, idempotency_key="order 1")).body["result"]["id"] == first.body["result"]["id"]


@pytest.mark.requirement("SC-103")
@on_virtual_time
async def test_a_keyed_call_whose_record_is_lost_and_which_stripe_has_otherwise_is_a_conflict(inside: Inside) -> None:
    await inside.refund(700, idempotency_key="order 1")
    await inside.restore("attempts", "claims")
    told = await inside.refund(800, idempotency_key="order 1")
    assert (told.code, inside.refunds) == ("conflict", 1)


@pytest.mark.requirement("SC-103")
@on_virtual_time
async def test_where_stripe_cannot_be_asked_a_keyed_call_without_a_record_sends_nothing(inside: Inside) -> None:
    inside.wire.add(LOOKS, *[FAULTS["403"]] * 2)
    told = await inside.refund(700, idempotency_key="order 1")
    assert (told.code, inside.refunds, inside.standin.asked("POST", "/v1/refunds")) == ("stripe_error", 0, [])


@pytest.mark.requirement("SC-103")
@on_virtual_time
async def test_a_refund_of_all_that_was_left_is_found_again_although_nothing_is_left_now(inside: Inside) -> None:
    first = await inside.refund(None, idempotency_key="order 1")
    await inside.restore("attempts", "claims")
    again = await inside.refund(None, idempotency_key="order 1")
    assert (again.error, again.attempt, again.body["result"]["amount"], inside.refunds) == (None, first.attempt, 5_000, 1)

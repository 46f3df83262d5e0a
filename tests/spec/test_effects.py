"""What a write does besides moving money: a permission of its own, a line in the preview, a place in the row."""

import typing
from typing import Any

import pytest

from shared.operations.written import Written
from shared.policy import roles
from shared.policy.decide import Allow, Asked, Deny, decide
from shared.policy.effects import EFFECTS
from shared.road.catalogue import OPERATIONS
from shared.road.declared import Besides, Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import Write, write
from shared.surfaces.mcp_tools import annotations
from tests.spec.conftest import Billy
from tests.spec.inside import embedded as stores  # noqa: F401
from tests.spec.made_up import NameInput

WRITES = [each for each in OPERATIONS if isinstance(each, Write)]


@pytest.mark.parametrize("operation", WRITES, ids=lambda each: each.name)
def test_every_write_declares_its_effects_and_each_follows_from_arguments_that_it_takes(operation: Write) -> None:
    for each in operation.declared.effects:
        assert each.effect in EFFECTS
        if each.argument is not None:
            field = operation.input.model_fields[each.argument]
            named = {value for part in typing.get_args(field.annotation) for value in typing.get_args(part)}
            assert each.values and set(each.values) <= named
        assert operation.destructive or not EFFECTS[each.effect].lasting


def test_a_write_that_does_not_say_what_it_does_besides_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="effects"):
        Declared(False, Category.NONE, Repeats.SAFE, Reversible(Reversal.FULLY))  # pyright: ignore[reportCallIssue]
    with pytest.raises(ValueError, match="knows no effect"):
        Besides("sends_flowers")


def test_reversibility_looks_at_the_arguments_and_the_annotation_at_the_worst_of_them() -> None:
    declared = Declared(False, Category.NONE, Repeats.SAFE, Reversible(Reversal.FULLY), (Besides("blocks_payer", "name", ("x",)),))
    parts = {"Input": NameInput, "settle": None, "view": None, "act": None, "words": "Make a thing."}
    operation = write("POST /api/things", permission="refund", output=Written, declared=declared, found=Found.NOT_AT_ALL)(
        type("make_thing", (), parts)
    )
    assert (declared.effects_of({"name": "x"}), declared.effects_of({"name": "y"}), declared.effects_of({})) == (("blocks_payer",), (), ())
    assert "cannot be taken back" in declared.undo({"name": "x"}) and "cannot" not in declared.undo({"name": "y"})
    assert annotations(operation)["destructiveHint"] is True


@pytest.mark.parametrize("effect", EFFECTS)
def test_no_effect_comes_with_the_permission_for_the_money(effect: str) -> None:
    holders = roles.who_may(EFFECTS[effect].permission)
    assert holders and set(holders) < set(roles.who_may("refund"))
    for role in roles.ROLES:
        decision = decide(Asked(role, "refund", 1, "usd", (effect,)))
        if role in holders:
            assert isinstance(decision, Allow)
        else:
            assert isinstance(decision, Deny) and set(decision.who_can) <= set(holders)


BLOCKS = "block lists"


@pytest.mark.requirement("SC-109")
async def test_a_clerk_blocks_nobody_for_one_cent(both: Billy) -> None:
    charges = [both.stripe.charge(9_000_00) for _ in range(3)]
    for charge in charges:
        asked: dict[str, Any] = {"charge": charge["id"], "amount": 1, "reason": "fraudulent"}
        preview = (await both.call("billing_clerk", "create_refund", **asked, dry_run=True)).body
        assert (preview["would"], preview["code"]) == ("refuse", "not_allowed")
        assert BLOCKS in preview["reason"] and "Neither a refund" in preview["reason"]
        refused = await both.call("billing_clerk", "create_refund", **asked)
        assert (refused.error, refused.body["who_can"]) == ("not_allowed", ["billing_manager", "owner"])
        assert both.stripe.refunds(charge["id"]) == []
        preview_row, denied = reversed(await both.audit(operation="create_refund", object=charge["id"]))
        assert (preview_row["effects"], denied["effects"], denied["decision"]) == (["blocks_payer"], ["blocks_payer"], "denied")


@pytest.mark.requirement("SC-109")
async def test_who_may_is_told_before_and_the_rows_tell_after(both: Billy) -> None:
    charge = both.stripe.charge(1000)
    asked: dict[str, Any] = {"charge": charge["id"], "amount": 1, "reason": "fraudulent"}
    preview = (await both.call("billing_manager", "create_refund", **asked, dry_run=True)).body
    assert (preview["would"], preview["view"]["effects"]) == ("act", ["blocks_payer"])
    assert any(BLOCKS in note for note in preview["view"]["notes"])
    made = await both.call("billing_manager", "create_refund", **asked)
    assert made.error is None
    rows = await both.audit(attempt=made.body["attempt"])
    assert [(row["decision"], row["effects"], row["about"]) for row in rows] == [
        ("outcome", ["blocks_payer"], {"reason": "fraudulent"}),
        ("allowed", ["blocks_payer"], {"reason": "fraudulent"}),
    ]


@pytest.mark.parametrize("reason", [None, "duplicate", "requested_by_customer"])
async def test_a_refund_for_another_reason_needs_no_more_than_before(both: Billy, reason: str | None) -> None:
    charge = both.stripe.charge(1000)
    made = await both.call("billing_clerk", "create_refund", charge=charge["id"], amount=1, **({"reason": reason} if reason else {}))
    assert made.error is None
    assert all("effects" not in row for row in await both.audit(attempt=made.body["attempt"]))

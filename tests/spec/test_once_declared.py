"""A write declares all of its parts, in one order, and what it says of itself fits together."""

from typing import Any

import pytest

from shared.operations.written import Written
from shared.road.calls import Settled
from shared.road.catalogue import BY_NAME
from shared.road.declared import Category, Declared, Found, Repeats, Reversal, Reversible
from shared.road.operation import MovementInput, Write, WriteInput, write
from tests.spec.made_up import MADE_UP

WRITES = [each for each in (BY_NAME | MADE_UP).values() if isinstance(each, Write)]
HARMLESS = Declared(False, Category.NONE, Repeats.SAFE, Reversible(Reversal.FULLY), ())
PARTS: dict[str, Any] = {
    "Input": WriteInput,
    "settle": lambda call: None,
    "view": lambda settled: None,
    "act": lambda act: None,
    "became": lambda look: None,
    "shown": lambda value: None,
    "words": "Make a thing. It is made up.",
}


def made(*names: str, found: Found = Found.BY_METADATA, makes: str | None = None, declared: Declared = HARMLESS, **other: Any) -> Write:
    """A write of these parts, in this order."""
    parts = type("make_thing", (), {name: (PARTS | other)[name] for name in names})
    return write("POST /api/things", permission="refund", output=Written, declared=declared, found=found, makes=makes)(parts)


def test_a_write_with_all_its_parts_in_their_order_is_one() -> None:
    operation = made(*PARTS, makes="refund")
    assert (operation.name, operation.tool, operation.summary, operation.writes) == ("make_thing", "billy_make_thing", "Make a thing", True)
    assert (operation.destructive, operation.idempotent, operation.wakes) == (False, True, None)


@pytest.mark.parametrize("missing", PARTS)
def test_a_write_without_one_of_its_parts_is_refused(missing: str) -> None:
    with pytest.raises(TypeError, match="in this order"):
        made(*(name for name in PARTS if name != missing), makes="refund")


@pytest.mark.parametrize("number", range(len(PARTS) - 1))
def test_a_write_with_two_parts_exchanged_is_refused(number: int) -> None:
    names = list(PARTS)
    names[number], names[number + 1] = names[number + 1], names[number]
    with pytest.raises(TypeError, match=r"make_thing has .*; a write has Input, settle, view, act, became, shown, words, in this order"):
        made(*names, makes="refund")


@pytest.mark.requirement("SC-101")
@pytest.mark.parametrize("found", Found)
def test_only_what_nobody_can_ask_leaves_out_how_it_is_found_out(found: Found) -> None:
    without, with_it = ("Input", "settle", "view", "act", "words"), ("Input", "settle", "view", "act", "became", "words")
    can_be_asked = found not in (Found.NOT_AT_ALL, Found.BY_REPLAY)
    right, wrong = (with_it, without) if can_be_asked else (without, with_it)
    assert made(*right, found=found).found is found
    with pytest.raises(TypeError):
        made(*wrong, found=found)


def test_what_makes_nothing_at_stripe_shows_nothing_of_it() -> None:
    with pytest.raises(TypeError):
        made(*PARTS)


def test_repeat_of_is_for_movements_alone() -> None:
    with pytest.raises(TypeError, match="names no movement"):
        made(*PARTS, makes="refund", Input=MovementInput)


@pytest.mark.parametrize(
    "moves_money, repeats, movement",
    [
        (False, Repeats.NOTICED, ()),
        (False, Repeats.SAFE, ("charge",)),
        (False, Repeats.NEVER, ("charge",)),
        (True, Repeats.SAFE, ()),
        (True, Repeats.NEVER, ()),
    ],
)
def test_what_a_write_says_of_its_repeats_fits_its_movement(moves_money: bool, repeats: Repeats, movement: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="notice"):
        Declared(moves_money, Category.NONE, repeats, Reversible(Reversal.FULLY), (), movement)


@pytest.mark.parametrize("operation", WRITES, ids=lambda each: each.name)
def test_every_write_declares_what_approvers_caps_and_the_timer_go_by(operation: Write) -> None:
    declared = operation.declared
    assert issubclass(operation.input, MovementInput) == bool(declared.movement)
    assert issubclass(operation.input, WriteInput) and operation.verb != "GET"
    assert (operation.became is None) == (operation.found in (Found.NOT_AT_ALL, Found.BY_REPLAY))
    assert (operation.shown is None) == (operation.makes is None) and (operation.makes is None or operation.found is Found.BY_METADATA)
    assert declared.reversible.by is None or declared.reversible.by in BY_NAME
    assert (declared.reversible.how is Reversal.BY_ANOTHER) <= (declared.reversible.by is not None)
    assert declared.reversible.sentence().endswith(".") and len(operation.description) > 20
    assert operation.destructive == (declared.reversible.how is Reversal.NOT_AT_ALL)


def test_a_refund_moves_money_is_noticed_and_cannot_be_taken_back() -> None:
    declared = BY_NAME["create_refund"].declared  # type: ignore[attr-defined]
    assert (declared.moves_money, declared.category, declared.repeats) == (True, Category.REFUNDS, Repeats.NOTICED)
    assert (declared.reversible.how, declared.movement) == (Reversal.NOT_AT_ALL, ("charge", "amount", "currency"))


@pytest.mark.parametrize(
    "reversible, sentence",
    [
        (Reversible(Reversal.FULLY), "This can be taken back, or changes nothing that stays."),
        (Reversible(Reversal.BY_ANOTHER, by="revoke_key"), "This can be taken back with revoke_key."),
        (Reversible(Reversal.IN_TIME, by="undo", within=60), "This can be taken back within 60 seconds with undo."),
        (Reversible(Reversal.IN_TIME, within=60), "This can be taken back within 60 seconds."),
        (Reversible(Reversal.NOT_AT_ALL), "This cannot be taken back."),
    ],
)
def test_whoever_approves_is_told_what_can_be_taken_back(reversible: Reversible, sentence: str) -> None:
    assert reversible.sentence() == sentence
    assert Settled({}, "x").known == {}

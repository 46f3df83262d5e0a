"""What of a charge may be refunded, and whose balance pays: settled before anything is recorded, and as Stripe itself takes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.sandbox import control, running_sandbox
from tests.spec.conftest import Billy
from tests.spec.inside import Inside, on_virtual_time
from tests.spec.inside import embedded as stores  # noqa: F401

SELLER = "acct_1Seller"
DESTINATION = {"transfer_data[destination]": SELLER, "application_fee_amount": 500}


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of its own, because its clock is moved."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox.url


def advance(billy: Billy, seconds: int) -> None:
    assert control(billy.stripe.url, "POST", "clock", {"advance": seconds}).status_code == 200


async def both_say(billy: Billy, **asked: Any) -> Any:
    """What the preview says, after which the call must say the same: an error's body, or None where it is done."""
    preview = await billy.call("owner", "create_refund", dry_run=True, **asked)
    call = await billy.call("owner", "create_refund", **asked)
    if call.error is None:
        assert (preview.error, preview.body["would"], preview.body["settled"]["amount"]) == (None, "act", call.body["result"]["amount"])
        return None
    assert (preview.error, preview.body.get("detail")) == (call.error, call.body["detail"])
    return call.body


@pytest.mark.slow
@pytest.mark.requirement("SC-27")
@pytest.mark.parametrize(
    "currency, whole, amount, says",
    [
        ("kwd", 25_000, 5_124, "5.120 KWD (5120) or 5.130 KWD (5130)"),
        ("kwd", 25_000, 5_120, None),
        ("kwd", 25_000, 4, "0.010 KWD (10)"),
        ("isk", 250_000, 12_345, "123.00 ISK (12300) or 124.00 ISK (12400)"),
        ("isk", 250_000, 12_300, None),
        ("huf", 250_000, 12_345, "123.00 HUF (12300) or 124.00 HUF (12400)"),
        ("huf", 250_000, 12_300, None),
        ("huf", 250_050, None, None),  # all that is left goes back as it came
        ("jpy", 1_000, 333, None),
        ("idr", 5_000_000, 1_234_567, None),
    ],
)
async def test_a_fraction_that_the_currency_lacks_is_refused_before_anything_is_recorded(
    both: Billy, currency: str, whole: int, amount: int | None, says: str | None
) -> None:
    charge = both.stripe.charge(whole, currency)["id"]
    said = await both_say(both, charge=charge, **({} if amount is None else {"amount": amount}))
    assert [each["amount"] for each in both.stripe.refunds(charge)] == ([] if says else [amount or whole])
    if says:
        assert (said["code"], says in said["detail"]) == ("invalid_request", True)
        assert await both.context.records.find("attempts") == [] == await both.context.records.find("claims")


@pytest.mark.requirement("SC-27")
@pytest.mark.parametrize(
    "currency, amount, code",
    [
        ("idr", 150_000_000_000, None),
        ("usd", 99_999_999, None),
        ("usd", 100_000_000, "invalid_request"),
        ("idr", 10**12, "invalid_request"),
    ],
)
@on_virtual_time
async def test_an_amount_has_no_more_digits_than_stripe_takes(inside: Inside, currency: str, amount: int, code: str | None) -> None:
    charge = inside.standin.books.charge(900_000_000_000, currency)["id"]
    told = await inside.refund(amount, charge=charge)
    assert (told.code, inside.refunds, len(await inside.stores.records.find("attempts"))) == ((code, 0, 0) if code else (None, 1, 1))


@pytest.mark.slow
@pytest.mark.requirement("SC-27")
async def test_a_charge_that_a_bank_only_asks_about_is_refunded_and_the_preview_says_so(both: Billy) -> None:
    charge = both.stripe.charge(4_000, payment_method="pm_card_createDisputeInquiry")["id"]
    preview = (await both.call("owner", "create_refund", charge=charge, amount=1_500, dry_run=True)).body
    assert (preview["would"], "an inquiry" in preview["summary"]) == ("act", True)
    assert any("inquiry" in note for note in preview["view"]["notes"])
    assert await both_say(both, charge=charge, amount=1_500) is None
    assert [each["amount"] for each in both.stripe.refunds(charge)] == [1_500]


@pytest.mark.slow
@pytest.mark.parametrize(
    "end, refundable", [(None, False), ("winning_evidence", True), ("losing_evidence", False)], ids=["open", "won", "lost"]
)
async def test_a_disputed_charge_is_refunded_where_stripe_lets_it_be(both: Billy, end: str | None, refundable: bool) -> None:
    charge = both.stripe.charge(4_000, payment_method="pm_card_createDispute")["id"]
    (dispute,) = both.stripe.call("GET", f"/v1/disputes?charge={charge}")["data"]
    if end:
        both.stripe.call("POST", f"/v1/disputes/{dispute['id']}", {"evidence[uncategorized_text]": end, "submit": "true"})
        advance(both, 5)
    said = await both_say(both, charge=charge, amount=1_500)
    assert (said and said["code"], len(both.stripe.refunds(charge))) == ((None, 1) if refundable else ("conflict", 0))
    assert refundable or "disputed" in said["detail"]


@pytest.mark.requirement("SC-27")
@on_virtual_time
async def test_one_dispute_that_forbids_it_forbids_it_beside_one_that_does_not(inside: Inside) -> None:
    inside.standin.books.dispute("ch_1", "warning_needs_response")["is_charge_refundable"] = True
    assert (await inside.refund(dry_run=True)).body["would"] == "act"
    inside.standin.books.dispute("ch_1", "lost")
    assert ((await inside.refund(dry_run=True)).code, (await inside.refund()).code, inside.refunds) == ("conflict", "conflict", 0)


@pytest.mark.slow
async def test_of_a_charge_that_was_captured_in_part_only_that_part_is_refunded(both: Billy) -> None:
    intent = both.stripe.call(
        "POST",
        "/v1/payment_intents",
        {
            "amount": 5_000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "capture_method": "manual",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        },
    )
    charge = intent["latest_charge"]
    assert (await both_say(both, charge=charge))["code"] == "conflict", "it took nothing yet"
    both.stripe.call("POST", f"/v1/payment_intents/{intent['id']}/capture", {"amount_to_capture": 3_000})
    assert "30.00 USD" in (await both_say(both, charge=charge, amount=3_001))["detail"]
    assert await both_say(both, charge=charge, amount=1_000) is None
    assert "20.00 USD" in (await both_say(both, charge=charge, amount=2_001))["detail"]
    assert await both_say(both, charge=charge) is None
    assert sorted(each["amount"] for each in both.stripe.refunds(charge)) == [1_000, 2_000]
    assert (await both_say(both, charge=charge, amount=1))["code"] == "conflict"


@pytest.mark.parametrize("released", [True, False], ids=["counts what was released as refunded", "does not"])
@on_virtual_time
async def test_whichever_way_stripe_counts_what_was_released_no_more_goes_back_than_was_taken(inside: Inside, released: bool) -> None:
    charge = inside.standin.books.charge(5_000, captured=3_000, amount_refunded=2_000 if released else 0)["id"]
    assert "30.00 USD" in (await inside.refund(3_001, charge=charge)).words
    first = await inside.refund(1_000, charge=charge)
    assert "20.00 USD" in (await inside.refund(2_001, charge=charge)).words
    inside.standin.books.refund_becomes(first.body["result"]["id"], "failed")
    if not released:
        inside.standin.books.get("charge", charge)["amount_refunded"] = 0
    assert (await inside.refund(None, charge=charge, dry_run=True)).body["settled"]["amount"] == 3_000, "what came back may go out again"


def to_seller(billy: Billy, **more: Any) -> str:
    return str(billy.stripe.charge(5_000, **(DESTINATION | more))["id"])


@pytest.mark.slow
async def test_a_refund_of_a_charge_whose_money_went_on_is_refused_until_it_is_said_who_pays(both: Billy) -> None:
    charge = to_seller(both)
    for given, missing in (({}, "reverse_transfer"), ({"reverse_transfer": True}, "refund_application_fee")):
        said = await both_say(both, charge=charge, amount=2_000, **given)
        assert (said["code"], said["fields"][0]["field"]) == ("invalid_request", missing)
        assert "true" in said["next"] and "false" in said["next"] and missing in said["next"]
    assert both.stripe.refunds(charge) == [] and await both.context.records.find("attempts") == []


@pytest.mark.slow
@pytest.mark.parametrize("reverse, fee", [(True, True), (True, False), (False, False), (False, True)])
async def test_who_pays_for_a_refund_reaches_stripe_as_it_was_said_and_the_preview_names_the_seller(
    both: Billy, reverse: bool, fee: bool
) -> None:
    charge = to_seller(both)
    asked = {"charge": charge, "amount": 2_000, "reverse_transfer": reverse, "refund_application_fee": fee}
    preview = (await both.call("owner", "create_refund", dry_run=True, **asked)).body
    said = await both_say(both, **asked)
    if fee and not reverse:  # which Stripe does not take
        assert (said["code"], both.stripe.refunds(charge)) == ("invalid_request", [])
        return
    assert said is None and SELLER in preview["summary"] and ("own balance" in preview["summary"]) == (not reverse)
    assert (preview["settled"]["reverse_transfer"], preview["settled"]["refund_application_fee"]) == (reverse, fee)
    now = both.stripe.call("GET", f"/v1/charges/{charge}?expand[]=transfer&expand[]=application_fee")
    assert (now["transfer"]["amount_reversed"], now["application_fee"]["amount_refunded"]) == (2_000 * reverse, 200 * fee)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reverse_transfer", "refund_application_fee"])
async def test_an_ordinary_charge_has_nobody_else_who_could_pay(both: Billy, name: str) -> None:
    charge = both.stripe.charge(5_000)["id"]
    said = await both_say(both, charge=charge, amount=100, **{name: True})
    assert (said["code"], said["fields"][0]["field"]) == ("invalid_request", name)


@on_virtual_time
async def test_an_ordinary_refund_sends_stripe_what_it_always_did(inside: Inside) -> None:
    told = await inside.refund(reason="duplicate")
    (sent,) = inside.standin.asked("POST", "/v1/refunds")
    assert sent.params == {"charge": "ch_1", "amount": "1000", "reason": "duplicate", "metadata": {"billy_attempt": told.attempt}}
    assert sent.key == told.attempt

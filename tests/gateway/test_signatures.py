"""Webhook signatures, judged against Stripe's own SDK in both directions."""

import hashlib
import hmac

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from shared.gateway.signatures import Verdict, verify

NOW = 1_795_000_000
SECRET = "whsec_first000000000000000000"
OTHER = "whsec_other000000000000000000"
PAYLOAD = b'{"id": "evt_1",  "object": "event", "name": "Zo\xc3\xab"}'


def signed(payload: bytes = PAYLOAD, secret: str = SECRET, at: int = NOW) -> str:
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + payload, hashlib.sha256).hexdigest()}"


def judged(header: str | None, payload: bytes = PAYLOAD, secrets: tuple[str, ...] = (SECRET,), now: float = NOW) -> Verdict:
    return verify(payload, header, secrets, now, 300)


@pytest.mark.requirement("AB-050")
@given(st.text(), st.integers(1, 2**33))
def test_what_stripes_sdk_signs_is_valid_here(text: str, at: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    header = stripe.WebhookSignature.generate_signature_header(text, SECRET, at)
    assert judged(header, text.encode(), now=at) is Verdict.VALID


def test_what_is_valid_here_is_valid_for_stripes_sdk() -> None:
    header = signed()
    assert judged(header) is Verdict.VALID
    assert stripe.WebhookSignature.verify_header(PAYLOAD, header, SECRET)


@pytest.mark.requirement("SC-52")
@pytest.mark.parametrize(
    "header, verdict",
    [
        (None, Verdict.MISSING),
        ("", Verdict.MISSING),
        ("nonsense", Verdict.MALFORMED),
        (f"t={NOW}", Verdict.MALFORMED),
        (signed().partition(",")[2], Verdict.MALFORMED),
        (f"t=,{signed().partition(',')[2]}", Verdict.MALFORMED),
        (f"t=-{NOW},v1=00", Verdict.MALFORMED),
        (f"t={NOW},t={NOW - 1},{signed().partition(',')[2]}", Verdict.MALFORMED),
        (signed() + "," * 5000, Verdict.MALFORMED),
        (signed().replace("v1=", "v0="), Verdict.MALFORMED),
        (f"t={NOW},v1=", Verdict.MISMATCH),
        (f"t={NOW},v1=é", Verdict.MISMATCH),
        (signed().upper().replace("T=", "t=").replace("V1=", "v1="), Verdict.MISMATCH),
        (signed(secret=OTHER), Verdict.MISMATCH),
        (signed().replace(str(NOW), str(NOW + 1)), Verdict.MISMATCH),
        (signed(at=NOW - 301), Verdict.TOO_OLD),
        (signed(at=NOW + 301), Verdict.TOO_NEW),
        (signed(at=NOW - 300), Verdict.VALID),
        (signed(at=NOW + 300), Verdict.VALID),
    ],
)
def test_a_signature_is_worth_nothing_unless_everything_about_it_fits(header: str | None, verdict: Verdict) -> None:
    assert judged(header) is verdict


@pytest.mark.requirement("SC-52")
def test_a_body_that_was_written_anew_does_not_fit_its_signature() -> None:
    assert judged(signed(), PAYLOAD.replace(b",  ", b", ")) is Verdict.MISMATCH
    assert judged(signed(), PAYLOAD + b"\n") is Verdict.MISMATCH


@pytest.mark.requirement("SC-54")
def test_during_a_rotation_either_secret_and_either_signature_will_do() -> None:
    both = f"{signed(secret=OTHER)},{signed().partition(',')[2]}"
    assert judged(both) is Verdict.VALID
    assert judged(signed(secret=OTHER), secrets=(SECRET, OTHER)) is Verdict.VALID
    assert judged(signed(secret=OTHER), secrets=(SECRET,)) is Verdict.MISMATCH


def test_an_empty_secret_verifies_nothing() -> None:
    assert judged(signed(secret=""), secrets=("",)) is Verdict.MISMATCH
    assert judged(signed(), secrets=()) is Verdict.MISMATCH


def test_bytes_that_are_no_text_are_refused_and_not_a_crash() -> None:
    assert judged(signed(), b"\xff\xfe") is Verdict.MISMATCH
    assert judged(signed(payload=b"\xff\xfe"), b"\xff\xfe") is Verdict.VALID  # what it says is for the JSON parser to refuse

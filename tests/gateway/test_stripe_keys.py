"""Which Stripe keys are taken."""

import pytest

from shared.errors import BillyError, problem
from shared.gateway.client import StripeGateway
from shared.gateway.keys import check_key
from shared.settings import Settings


@pytest.mark.requirement("AB-011", "AB-020")
@pytest.mark.parametrize("key, mode", [("rk_test_abc123", "test"), ("rk_live_abc123", "live")])
def test_a_restricted_key_is_taken_and_tells_its_mode(key: str, mode: str) -> None:
    assert check_key(key, Settings()) == mode


@pytest.mark.requirement("AB-020", "AB-021")
@pytest.mark.parametrize("mode", ["test", "live"])
def test_an_unrestricted_key_is_taken_only_where_a_setting_says_so(mode: str) -> None:
    key = f"sk_{mode}_unrestricted000"
    with pytest.raises(BillyError) as refused:
        check_key(key, Settings())
    assert refused.value.code == "unavailable"
    assert check_key(key, Settings(allow_secret_key=True)) == mode


@pytest.mark.requirement("AB-030")
@pytest.mark.parametrize(
    "key",
    [
        "",
        "pk_test_public0000",
        "rk_test_ä",
        "whsec_secret00000",
        "rk_test_a b",
        "rk_test_abc\n",
        "sk_live_unrestricted000",
        "rk_prod_canary0000",
    ],
)
def test_a_key_that_is_not_taken_appears_in_no_message(key: str) -> None:
    with pytest.raises(BillyError) as refused:
        StripeGateway(key, Settings())
    told = str(problem(refused.value)) + repr(refused.value) + str(refused.value)
    assert not key.strip() or key.strip() not in told


@pytest.mark.requirement("AB-030")
def test_a_gateway_does_not_show_its_key() -> None:
    assert "rk_test_canary" not in repr(StripeGateway("rk_test_canary0000", Settings()))

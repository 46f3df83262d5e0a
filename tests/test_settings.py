"""What people type: every setting and every secret takes what was meant, and refuses what was not by its name alone."""

import json
import re
import traceback
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from devhost.timers import schedule_after
from shared import settings as module
from shared.entered import SECRETS, Unfit, is_loopback, read_secret, trimmed
from shared.errors import BillyError, problem
from shared.gateway.client import StripeGateway
from shared.schedules import read_schedule
from shared.settings import READERS, Settings, SettingsRefused, read_settings, sync_schedule, variable, weakened

NAMES = [field.name for field in fields(Settings)]
# A value of each setting, and what it is read as.
GOOD: dict[str, tuple[str, object]] = {
    "store": ("azure", "azure"),
    "home": ("state/billy", Path("state/billy")),
    "identity_client_id": ("00000000-0000-4000-8000-00000000b111", "00000000-0000-4000-8000-00000000b111"),
    "cosmos_endpoint": ("https://billy.documents.azure.com", "https://billy.documents.azure.com"),
    "cosmos_key": ("a2V5LWNhbmFyeQ==", "a2V5LWNhbmFyeQ=="),
    "tables_endpoint": ("http://127.0.0.1:10002/devstoreaccount1", "http://127.0.0.1:10002/devstoreaccount1"),
    "tables_key": ("a2V5LWNhbmFyeQ==", "a2V5LWNhbmFyeQ=="),
    "queues_endpoint": ("https://billy.queue.core.windows.net", "https://billy.queue.core.windows.net"),
    "key_vault_url": ("https://billy.vault.azure.net", "https://billy.vault.azure.net"),
    "stripe_api_base": ("http://localhost:12111", "http://localhost:12111"),
    "stripe_api_key": ("rk_test_51Qd8", "rk_test_51Qd8"),
    "stripe_webhook_secret": ("whsec_first,whsec_second", "whsec_first,whsec_second"),
    "allow_secret_key": ("true", True),
    "allowed_hosts": ("billy.example.com,[::1]", ("billy.example.com", "[::1]")),
    "allowed_origins": ("https://desk.example.com,http://localhost:3000", ("https://desk.example.com", "http://localhost:3000")),
    "trusted_proxies": ("azure,10.0.0.0/8,203.0.113.7", ("azure", "10.0.0.0/8", "203.0.113.7")),
    "webhook_tolerance": ("600", 600),
    "sync_schedule": ("0 30 4 * * Mon-Fri", "0 30 4 * * Mon-Fri"),
    "sync_concurrency": ("8", 8),
    "sync_requests_per_second": ("25", 25),
}
FOLDED = {  # where capitals mean nothing
    *("store", "identity_client_id", "cosmos_endpoint", "queues_endpoint", "key_vault_url", "stripe_api_base"),
    *("allow_secret_key", "allowed_hosts", "allowed_origins", "trusted_proxies"),
}
ADDRESSES = {"cosmos_endpoint", "tables_endpoint", "queues_endpoint", "key_vault_url", "stripe_api_base"}
NUMBERS = {"webhook_tolerance", "sync_concurrency", "sync_requests_per_second"}
AROUND = ["{} ", " {}", "\t{}\r\n", "{}\n", "\ufeff{}", "\ufeff {}\n", "\u200b{}\u200b", "\u00a0{}", "ï»¿{}", "{}\x00"]
NONSENSE = ['"{}"', "'{}'", "“{}”", "{0} {0}", "{0}\n{0}", "{0};{0}", "<{}>", "canary4711 {}", "{}\u200bx", "$({})", "${{{}}}"]


def refused(name: str, text: str) -> str:
    """What is said of a setting that is refused: the whole text of the exception, with all that is behind it."""
    with pytest.raises(SettingsRefused) as raised:
        read_settings({variable(name): text})
    assert [each.name for each in raised.value.wrong] == [variable(name)]
    assert str(raised.value) == f"{variable(name)} is {READERS[name].takes}"
    return "".join(traceback.format_exception(raised.value)) + repr(raised.value.wrong)


def test_every_setting_has_one_reader_and_a_value_to_be_tried_with() -> None:
    assert set(READERS) == set(NAMES) == set(GOOD)


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_takes_what_is_meant_for_it(name: str) -> None:
    text, value = GOOD[name]
    assert getattr(read_settings({variable(name): text}), name) == value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_what_an_editor_adds_around_a_value_means_nothing(name: str, around: str) -> None:
    text, value = GOOD[name]
    assert getattr(read_settings({variable(name): around.format(text)}), name) == value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blank", ["", " ", "\r\n", "\ufeff", "\u200b\n"], ids=ascii)
def test_a_blank_setting_is_the_default(name: str, blank: str) -> None:
    assert read_settings({variable(name): blank}) == Settings()


@pytest.mark.parametrize("name", sorted(FOLDED))
def test_capitals_mean_nothing_where_words_and_hosts_are_named(name: str) -> None:
    text, value = GOOD[name]
    assert getattr(read_settings({variable(name): text.upper()}), name) == value


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_an_address_is_read_in_one_form(name: str) -> None:
    for text in ("billy.example.com", "https://billy.example.com", "HTTPS://Billy.Example.com:443/", "https://billy.example.com./"):
        assert getattr(read_settings({variable(name): text}), name) == "https://billy.example.com", text
    assert getattr(read_settings({variable(name): "https://billy.example.com:8443/"}), name) == "https://billy.example.com:8443"


def test_hosts_and_origins_are_read_in_the_form_in_which_they_arrive() -> None:
    hosts = "https://Billy.Example.com:443/, ::1, [::1]:8080,billy.example.com ,localhost."
    assert read_settings({"BILLY_ALLOWED_HOSTS": hosts}).allowed_hosts == ("billy.example.com", "[::1]", "localhost")
    origins = "https://Desk.example.com:443/, http://LOCALHOST:80,https://desk.example.com:8443"
    expected = ("https://desk.example.com", "http://localhost", "https://desk.example.com:8443")
    assert read_settings({"BILLY_ALLOWED_ORIGINS": origins}).allowed_origins == expected


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", NONSENSE, ids=ascii)
def test_nonsense_is_refused_by_the_variables_name_and_never_shown(name: str, form: str) -> None:
    """A path may hold nearly anything, so for it only quotes and what is not seen are nonsense."""
    text = form.format(GOOD[name][0])
    if name == "home" and form not in ('"{}"', "'{}'", "{0}\n{0}"):
        assert isinstance(read_settings({variable(name): text}).home, Path)
        return
    assert text not in refused(name, text)
    assert "canary4711" not in refused(name, text)


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize(
    "text", ["²", "٣٠٠", "３００", "1_00", "+100", "-100", "100.0", "1e2", "0x64", "5m", "many", "0", "9" * 400, "nan"]
)
def test_a_number_is_digits_within_its_bounds(name: str, text: str) -> None:
    refused(name, text)


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize(
    "text",
    [
        *(
            "http://attacker.example:80",
            "http://api.stripe.com",
            "ftp://api.stripe.com",
            "//api.stripe.com",
            "https://",
            "https://api.stripe.com/v1",
        ),
        *(
            "https://user:canary4711@api.stripe.com",
            "https://api.stripe.com?x=canary4711",
            "https://api.stripe.com#x",
            "https://a b.example",
        ),
        *(
            "https://api.stripe.com:0",
            "https://api.stripe.com:99999",
            "https://api.stripe.com:port",
            "https://[::1",
            "https://-a.example",
            "localhost:3000",
        ),
        *(
            "https://*.stripe.com",
            "javascript:alert(1)",
            "https://xn--\u200b.example",
            "https://münchen.example",
            "http://127.0.0.1.evil.example",
        ),
        *("http://localhost.evil.example", "http://127.0.0.1@evil.example", "http://0.0.0.0:1", "http://127.0.0.256"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_an_address_that_is_none_or_leaves_this_machine_without_tls_is_refused(name: str, text: str) -> None:
    assert "canary4711" not in refused(name, text)


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize(
    "text",
    [
        *(
            "null",
            "*",
            "NULL",
            "https://null",
            "https://*",
            "https://*.example.com",
            "http://desk.example.com",
            "desk.example.com",
            "https://",
        ),
        *(
            "file:///tmp",
            "https://desk.example.com/page",
            "https://u@desk.example.com",
            "https://desk.example.com?x",
            "chrome-extension://abc",
        ),
        *(
            "https://desk.example.com,null",
            "https://desk.example.com https://other.example.com",
            "data:text/html,x",
            "https://desk.example.com,*",
        ),
    ],
)
def test_an_origin_that_would_let_any_page_in_is_refused(text: str) -> None:
    refused("allowed_origins", text)


@pytest.mark.parametrize(
    "text", ["*", "*.example.com", "https://billy.example.com/mcp", "billy example.com", "billy.example.com,*", "user@billy.example.com"]
)
def test_a_host_that_would_be_any_host_is_refused(text: str) -> None:
    refused("allowed_hosts", text)


@pytest.mark.parametrize(
    "text", ["*", "0.0.0.0/0", "10.0.0.0/7", "::/0", "2001::/15", "gateway.example", "azure;10.0.0.1", "10.0.0", "10.0.0.1/33", "1"]
)
def test_a_proxy_that_would_be_anybody_is_refused(text: str) -> None:
    refused("trusted_proxies", text)


@pytest.mark.parametrize("text", ["29", "601", "0", "99999999999"])
def test_a_signature_is_believed_for_half_a_minute_at_least_and_ten_at_most(text: str) -> None:
    refused("webhook_tolerance", text)
    assert read_settings({"BILLY_WEBHOOK_TOLERANCE": "30"}).webhook_tolerance == 30


@pytest.mark.parametrize("text", ["no", "yes", "0", "1", "on", "truee"])
def test_a_flag_that_opens_a_guard_is_true_or_false_and_nothing_that_means_it(text: str) -> None:
    refused("allow_secret_key", text)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsRefused) as raised:
        read_settings({"BILLY_STORE": "cosmos", "BILLY_SYNC_CONCURRENCY": "many", "BILLY_ALLOW_SECRET_KEY": "true"})
    assert [each.name for each in raised.value.wrong] == ["BILLY_STORE", "BILLY_SYNC_CONCURRENCY"]


# A live key, and what opens a guard


@pytest.mark.requirement("SC-90")
@pytest.mark.parametrize("key", ["rk_live_canary4711", "sk_live_canary4711"])
@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "https://stripe.example.com", "https://api.stripe.com.evil.example"])
def test_a_live_key_goes_to_stripes_own_address_alone(key: str, base: str) -> None:
    with pytest.raises(SettingsRefused) as raised:
        read_settings({"BILLY_STRIPE_API_BASE": base, "BILLY_STRIPE_API_KEY": key})
    assert [each.name for each in raised.value.wrong] == ["BILLY_STRIPE_API_BASE"] and "canary4711" not in str(raised.value)
    with pytest.raises(BillyError) as refusal:
        StripeGateway(key, Settings(stripe_api_base=base, allow_secret_key=True))
    assert refusal.value.code == "unavailable" and "BILLY_STRIPE_API_BASE" in str(problem(refusal.value))
    StripeGateway(key.replace("live", "test"), Settings(stripe_api_base=base, allow_secret_key=True))
    for own in ("https://api.stripe.com", "https://API.stripe.com:443/"):
        assert StripeGateway(key, Settings(stripe_api_base=own, allow_secret_key=True)).livemode


@pytest.mark.parametrize("key", ["rk_test_gateway0000", "rk_live_gateway0000"])
@pytest.mark.parametrize("base", ["http://attacker.example:80", "http://api.stripe.com", "ftp://x", "", "attacker example"])
def test_no_key_leaves_this_machine_unencrypted(key: str, base: str) -> None:
    """Also where the settings were not read from the environment."""
    with pytest.raises(BillyError):
        StripeGateway(key, Settings(stripe_api_base=base))


def test_what_opens_a_guard_is_said_by_name_and_the_defaults_open_none() -> None:
    assert weakened(Settings()) == ()
    opened = {"stripe_api_base", "allow_secret_key", "allowed_origins", "trusted_proxies", "webhook_tolerance"}
    for name in NAMES:
        told = weakened(read_settings({variable(name): GOOD[name][0]}))
        assert [each.name for each in told] == ([variable(name)] if name in opened else [])
        assert all(GOOD[name][0] not in each.says for each in told)
    assert weakened(Settings(webhook_tolerance=30)) == ()


# Schedules

FIELDS = st.one_of(
    st.just("*"),
    st.integers(0, 60).map(str),
    st.tuples(st.integers(0, 31), st.integers(0, 60)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.tuples(st.sampled_from(["*", "3", "1-20"]), st.integers(0, 40)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.lists(st.integers(0, 31).map(str), min_size=2, max_size=3).map(",".join),
    st.sampled_from(["Mon", "sun-Sat", "JAN", "feb,Dec", "L", "?", "#", "1W", "٣"]),
)


@given(st.lists(FIELDS, min_size=5, max_size=7).map(" ".join))
def test_a_schedule_that_is_taken_is_one_that_the_host_can_keep(text: str) -> None:
    try:
        schedule = read_schedule(text)
    except Unfit:
        return
    assert croniter.is_valid(schedule, second_at_beginning=True)
    assert schedule_after(schedule, datetime(2026, 12, 1, tzinfo=UTC)) < datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=365 * 41)


@pytest.mark.parametrize(
    "text",
    [
        *("every six hours", "0 17 */6 * *", "0 17 */6 * * * *", "@hourly", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "* * * * 13 *"),
        *(
            "* * * * * 7",
            "0 0 0 31 2 *",
            "0 0 0 31 4,6 *",
            "0 */0 * * * *",
            "0 5-1 * * * *",
            "01:00:00",
            "%OTHER%",
            "0 17 */6 * * ²",
            "a b c d e f",
        ),
    ],
)
def test_what_is_no_schedule_is_refused_and_the_app_is_indexed_with_the_usual_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused("sync_schedule", text)
    monkeypatch.setenv("BILLY_SYNC_SCHEDULE", text)
    assert sync_schedule() == Settings().sync_schedule


def test_the_app_is_indexed_with_the_schedule_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLY_SYNC_SCHEDULE", " 0  30 4 * * Mon-Fri\n")
    assert sync_schedule() == "0 30 4 * * Mon-Fri"


# Secrets

STORED = {
    "stripe-api-key": ("rk_test_51Qd8", "rk_test_51Qd8"),
    "stripe-webhook-secrets": ("whsec_abc", ("whsec_abc",)),
    "first-owner-key": ("billy_" + "q" * 43, "billy_" + "q" * 43),
    "audit-digest": ("12:" + "q" * 43, ("12:" + "q" * 43,)),
}


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("around", AROUND, ids=ascii)
def test_what_is_around_a_stored_secret_is_taken_off(name: str, around: str) -> None:
    text, value = STORED[name]
    assert read_secret(name, around.format(text)) == value


@pytest.mark.requirement("SC-58", "SC-90")
@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize(
    "form", ['"{}"', "'{}'", "“{}”", "{} whsec_abc", "{}\nrk_test_51Qd8", "{0}{0},x", "key={}", "Bearer {}", "export KEY={}"], ids=ascii
)
def test_a_stored_secret_with_more_than_a_key_is_told_and_no_part_of_it_is_shown(name: str, form: str) -> None:
    text = STORED[name][0]
    with pytest.raises(BillyError) as raised:
        read_secret(name, form.format(text))
    said = "".join(traceback.format_exception(raised.value)) + json.dumps(problem(raised.value))
    assert "holds more than a key" in said and name in said
    assert text not in said and text[6:] not in said


def test_settings_and_secrets_take_the_same() -> None:
    assert READERS["stripe_api_key"] is SECRETS["stripe-api-key"]
    for text in ("whsec_a, whsec_b\n", "whsec_a,,whsec_b"):
        assert read_settings({"BILLY_STRIPE_WEBHOOK_SECRET": text}).stripe_webhook_secret == "whsec_a,whsec_b"
        assert read_secret("stripe-webhook-secrets", text) == ("whsec_a", "whsec_b")


@given(st.text(max_size=60), st.sampled_from(NAMES))
def test_no_text_at_all_raises_anything_but_the_refusal(text: str, name: str) -> None:
    try:
        read_settings({variable(name): text})
    except SettingsRefused as refusal:
        assert str(refusal) == f"{variable(name)} is {READERS[name].takes}"


@given(st.text(max_size=40))
def test_what_is_trimmed_once_is_trimmed(text: str) -> None:
    assert trimmed(trimmed(text)) == trimmed(text)


def test_only_this_machine_is_this_machine() -> None:
    assert all(
        is_loopback(each) for each in ("http://localhost:1", "http://127.0.0.1", "http://127.8.8.8", "http://[::1]:1/x", "HTTP://LOCALHOST")
    )
    assert not any(
        is_loopback(each)
        for each in ("http://localhost.evil", "http://127.0.0.1.x", "http://1", "", "nonsense", "http://[::2]", "http://[x")
    )


def test_every_variable_of_the_documents_is_one_that_is_read() -> None:
    """Also those that are not of the app: a run's own."""
    root = Path(module.__file__).parents[1]
    known = {variable(name) for name in NAMES} | {"BILLY_COMPANY_SCALE", "BILLY_TOKEN", "BILLY_WRITE_SNAPSHOTS"}
    told = set(re.findall(r"BILLY_[A-Z_]*[A-Z]", (root / "docs" / "operate.md").read_text()))
    assert told <= known

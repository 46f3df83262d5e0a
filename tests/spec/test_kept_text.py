"""Text that is kept for ever holds no credential, and what people and agents read holds nothing that they cannot see."""

import json
import sys
import unicodedata
from typing import Any

import pytest

from shared.actor import Origin
from shared.credentials import REMOVED, address, cleared, label
from shared.road.catalogue import BY_NAME, OPERATIONS
from shared.road.trail import Decided, Row
from shared.surfaces import mcp
from shared.untrusted import IGNORABLE, clean
from tests.spec.conftest import Billy
from tests.spec.inside import embedded as stores  # noqa: F401

OWN = "billy_" + "Zq9-_" * 8 + "abc"
CREDENTIALS = {
    "our own key": OWN,
    "a live restricted key": "rk_live_51" + "N" * 24,
    "a test secret key": "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "a key that was cut off": "rk_live_51…",
    "a webhook secret": "whsec_" + "h" * 32,
    "a token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "a card": "4242 4242 4242 4242",
    "a card with dashes": "5555-5555-5555-4444",
    "a card without spaces": "378282246310005",
    "a card among digits": "v2 4242 4242 4242 4242 1",
    "a payment's client secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "a password": "password: correct-horse-battery",
    "an api key": "api-key=9f8e7d6c5b4a39281706",
    "a signed address": "sv=2024&sig=Zm9vYmFyYmF6cXV4Zm9vYmFy",
    "a key of a language model": "sk-ant-" + "b" * 30,
}
EACH = pytest.mark.parametrize("text", CREDENTIALS.values(), ids=CREDENTIALS)
TOLD_APART = 8  # characters of a secret, in a row, that would show it


def secret_of(text: str) -> str:
    """The part of a credential that nobody may read."""
    return text[-TOLD_APART:]


@EACH
def test_a_credential_is_found_among_words_in_disguise_and_where_it_is_cut_off(text: str) -> None:
    hidden = "​".join(text)
    wide = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)
    for given in (text, f"agent/1.0 ({text})", f"x{'y' * 90} {text}", hidden, wide):
        kept = label(given, 120) or ""
        assert REMOVED in kept or len(kept) == 120, given
        assert secret_of(text) not in kept
        assert text[:12] not in kept or text.endswith("…"), "not the first letters of it either"


@pytest.mark.parametrize(
    "text",
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127",
        "claude-code/1.0.119",
        "python-httpx/0.28.1",
        *["order 4242424242424243", "billy_create_refund", "n8n 2024-10-01"],
    ],
)
def test_an_ordinary_name_stays_as_it_is(text: str) -> None:
    assert cleared(text) == text


@pytest.mark.requirement("AB-165", "SC-24")
@EACH
async def test_no_place_of_a_row_keeps_a_credential(billy: Billy, text: str) -> None:
    for headers in ({}, {"authorization": f"Bearer {text}"}, {"authorization": f"Basic {OWN}"}):
        await billy.rest(
            "owner",
            "get_stats",
            headers={"user-agent": f"agent {text}".encode("ascii", "ignore").decode(), "x-forwarded-for": text, **headers},
        )
    for meta in ({"clientInfo": {"name": text, "version": "1"}}, {"_meta": {"io.modelcontextprotocol/clientInfo": {"name": f"a {text}"}}}):
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": "2025-06-18", "capabilities": {}, **meta},
        }
        headers = {
            "host": "localhost",
            "authorization": f"Bearer {billy.keys['owner']}",
            "content-type": "application/json",
            "accept": "*/*",
        }
        await mcp.answer(mcp.Request(Origin("mcp", text, None), "POST", headers, {}, json.dumps(message).encode()), billy.context)
        message |= {"method": "tools/call", "params": {"name": "billy_nothing", "arguments": {}, **meta}}
        await mcp.answer(mcp.Request(Origin("mcp", text, text), "POST", headers, {}, json.dumps(message).encode()), billy.context)
    rows = await billy.audit()
    assert len(rows) >= 5
    kept = json.dumps([row | {"arguments_digest": ""} for row in rows], ensure_ascii=False)
    assert secret_of(text) not in kept and OWN not in kept
    assert all("address" not in row for row in rows), "what is no address is left out"
    assert any(REMOVED in row.get("client", "") for row in rows)


@EACH
async def test_a_key_is_not_named_after_a_credential_and_the_refusal_does_not_repeat_it(billy: Billy, text: str) -> None:
    for name in (text, f"agent {text}"[:80], f"{text[:4]}​{text[4:]}"):
        for dry_run in (False, True):
            refused = await billy.rest("owner", "create_key", name=name, role="read_only", dry_run=dry_run)
            assert (refused.error, secret_of(text) in json.dumps(refused.body, ensure_ascii=False)) == ("invalid_request", False)
    listed = json.dumps((await billy.rest("owner", "list_keys")).body, ensure_ascii=False)
    written = b"".join(path.read_bytes() for path in billy.context.settings.home.rglob("*") if path.is_file())
    assert secret_of(text) not in listed and secret_of(text).encode() not in written


@pytest.mark.parametrize(
    "name",
    [
        "system",
        "SYSTEM",
        "ѕуѕtem",
        "s y s t e m",
        "Stripe",
        "Str1pe",
        "StripE.",
        "ｓｔｒｉｐｅ",
        "Agent Billy",
        "agent-billy",
        "billy",
        "unknown",
        "Bílly",
        "S\u0301tripe",
        *[
            "key_0123456789abcdefghijklmnop owner",
            "'=1+1",
            '"@SUM(A1)',
            "key_" + "q" * 26,
            "KEY_" + "0" * 26,
            "att_" + "1" * 26,
            "cus_QabcDEF123",
            "ch_3Nabc12345",
            "acct_1234567890",
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "＝HYPERLINK(1)",
            "\u200b=1",
            "\t=1",
            "  =1",
            "\r@x",
            "⠀",
            "ㅤﾠ",
            "️",
            "\U000e0041",
            "...",
            " ",
        ],
    ],
)
async def test_a_name_that_stands_for_somebody_else_or_does_something_is_refused(billy: Billy, name: str) -> None:
    assert (await billy.rest("owner", "create_key", name=name, role="read_only")).error == "invalid_request"


@pytest.mark.parametrize(
    "name", ["x", "support bot", "Jane's laptop", "Stripe refunds agent", "in_house agent", "日本語", "Zoë", "refunds (EU) = eur", "owner"]
)
async def test_an_ordinary_name_of_a_key_is_kept_as_it_is(billy: Billy, name: str) -> None:
    made = await billy.rest("owner", "create_key", name=name, role="read_only")
    assert made.body["result"]["name"] == name


@pytest.mark.parametrize(
    "text, kept",
    [
        ("203.0.113.9:51234", "203.0.113.9"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("fe80::1%billy_secret", "fe80::1"),
        ("unknown", None),
        ("203.0.113.9 billy", None),
        ("localhost", None),
        ("", None),
        (None, None),
        ("1.2.3", None),
        ("<script>", None),
    ],
)
def test_an_address_is_an_address_in_its_one_spelling_or_nothing(text: str | None, kept: str | None) -> None:
    assert address(text) == kept


def test_a_row_is_cleared_whoever_made_it() -> None:
    row = Row("x", Origin("rest", OWN, f"agent {OWN}"), Decided.REFUSED).document("aud_1", 0.0)
    assert OWN[-10:] not in str(row) and "address" not in row


@pytest.mark.parametrize("operation", [each.name for each in OPERATIONS])
async def test_an_argument_that_no_schema_knows_is_not_repeated(both: Billy, operation: str) -> None:
    made_up: dict[str, Any] = {OWN: 1, "<b>ignore all</b>": "x"}
    path = dict.fromkeys(BY_NAME[operation].path_fields, "x") if both.surface == "rest" else {}
    answered = await both.call("owner", operation, **path, **made_up)
    offered = both.surface == "rest" or BY_NAME[operation].agents
    assert (answered.error, bool(answered.body)) == ("invalid_request" if offered else None, offered)
    assert OWN not in str(answered.body) and "ignore all" not in str(answered.body)


INVISIBLE = [chr(each) for first, last in IGNORABLE for each in range(first, last + 1)]
INVISIBLE += [
    chr(each) for each in range(sys.maxunicode + 1) if unicodedata.category(chr(each)) in ("Cc", "Cf") and not chr(each).isspace()
]
INVISIBLE += ["\u2800", "\u034f", "\u180e", "\u115f", "\u3164", "\uffa0"]


@pytest.mark.requirement("SC-55", "SC-73")
def test_no_invisible_letter_is_left_wherever_it_stands() -> None:
    assert len(INVISIBLE) > 4_000
    left = [hex(ord(each)) for each in INVISIBLE if each not in "\x1b\x90\x98\x9b\x9d\x9e\x9f" and clean(f"{each}a{each}b{each}") != "ab"]
    assert left == []


@pytest.mark.requirement("SC-55")
@pytest.mark.parametrize(
    "text",
    [
        "![a](https://x)",
        "![a][ref]",
        "a ![](//x)",
        "\\![a](x)",
        "!\u200b[a](x)",
        "！［a］(x)",
        "!![a](x)",
        "[![a](x)](y)",
        "<img src=//x>",
        "<IMG/src=x>",
        "<svg onload=x>",
        "＜img src=x＞",
        "<\u200bimg src=x>",
        "</script><script>x</script>",
        "<iframe src=x>",
    ],
)
def test_what_would_be_fetched_by_who_shows_it_is_plain_text(text: str) -> None:
    shown = clean(text)
    assert (
        "![" not in shown and "<img" not in shown.lower() and not any(f"<{each}" in shown.lower() for each in ("svg", "script", "iframe"))
    )
    assert clean(shown) == shown, "cleaning twice changes nothing more"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b1mbold", "bold"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\b", "ab"),
        ("\x1bPq\x1b\\x", "x"),
        *[("\x1b(Bplain", "plain"), ("\x1b]never ended", "never ended"), ("a\x90b", "ab")],
    ],
)
def test_a_terminal_is_told_nothing(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_the_list_of_ignorable_letters_is_unicodes() -> None:
    """Variation selectors, tags, fillers and separators, as Unicode's own property has them."""
    there = {each for first, last in IGNORABLE for each in range(first, last + 1)}
    assert {
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
        *range(0xE0020, 0xE0080),
        0x34F,
        0x115F,
        0x1160,
        0x3164,
        0xFFA0,
        0x180E,
    } <= there
    assert len(there) == 4174, "the size of Default_Ignorable_Code_Point since Unicode 14"

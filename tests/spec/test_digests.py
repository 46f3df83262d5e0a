"""The digest of a call's arguments tells whoever holds the secret that a row is of that call, and nobody else anything."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.errors import BillyError
from shared.operations.alarms import DIGESTS_MISSING, alarms
from shared.road.digests import FRESH, SECRET, is_digest_of, versions
from tests.spec.conftest import Billy
from tests.spec.inside import embedded as stores  # noqa: F401

ASKED = {"charge": "ch_guess", "amount": 1}


async def digest(billy: Billy, **asked: Any) -> str | None:
    await billy.rest("read_only", "create_refund", **(ASKED | asked))
    return max(await billy.audit(operation="create_refund"), key=lambda row: row["at"]).get("arguments_digest")


@pytest.mark.requirement("SC-110")
async def test_a_digest_cannot_be_found_by_trying_without_the_secret(billy: Billy) -> None:
    found = await digest(billy)
    secret = await billy.context.secrets.get(SECRET)
    assert found is not None and is_digest_of(ASKED, found, secret)
    plain = hashlib.sha256(orjson.dumps(ASKED, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert plain not in found and str(secret) not in found
    assert not is_digest_of(ASKED | {"amount": 2}, found, secret)
    assert not is_digest_of(ASKED, found, "1:" + "x" * 32) and not is_digest_of(ASKED, found, None)
    assert not is_digest_of(ASKED, plain, secret), "one of version 0.1.0"


@pytest.mark.requirement("SC-110")
async def test_two_deployments_digest_the_same_call_differently_and_one_the_same(billy: Billy) -> None:
    first = await digest(billy)
    assert await digest(billy) == first
    await billy.context.secrets.set(SECRET, "1:" + "y" * 40)
    billy.clock.offset += FRESH + 1
    assert await digest(billy) != first


@pytest.mark.requirement("SC-110")
async def test_a_rotation_keeps_what_was_written_readable(billy: Billy) -> None:
    old = await digest(billy)
    before = await billy.context.secrets.get(SECRET)
    both = "2:" + "z" * 40 + f", {before}\n"
    await billy.context.secrets.set(SECRET, both)
    billy.clock.offset += FRESH + 1
    new = await digest(billy)
    assert old is not None and new is not None and (old[:14], new[:14]) == ("hmac-sha256:1:", "hmac-sha256:2:")
    assert is_digest_of(ASKED, old, both) and is_digest_of(ASKED, new, both) and not is_digest_of(ASKED, new, before)


@pytest.mark.parametrize("secret", ["", "1:short", "nonsense", "x" * 64, ":" + "x" * 64, "-1:" + "x" * 64])
def test_what_could_be_guessed_is_no_secret(secret: str) -> None:
    assert versions(secret) == {}


@pytest.mark.requirement("SC-110")
@pytest.mark.parametrize("trouble", ["none", "away"])
async def test_without_the_secret_there_is_no_digest_the_call_goes_on_and_somebody_is_told(billy: Billy, trouble: str) -> None:
    class Secrets:
        async def get(self, name: str) -> str | None:
            if trouble == "away":
                raise BillyError("unavailable", "Key Vault cannot be reached.")
            return None

        async def set(self, name: str, value: str) -> None: ...

    billy.context = replace(billy.context, secrets=Secrets(), digests=[])
    assert (await billy.rest("read_only", "get_stats")).error is None
    assert await digest(billy) is None
    assert [each.event for each in await alarms(billy.context) if each.event == DIGESTS_MISSING] == [DIGESTS_MISSING]


async def test_a_vault_that_was_read_before_is_not_needed_for_the_next_row(billy: Billy) -> None:
    first = await digest(billy)

    async def away(name: str) -> str | None:
        raise BillyError("unavailable", "Key Vault cannot be reached.")

    billy.context.secrets.get = away  # type: ignore[method-assign]
    billy.clock.offset += 10 * FRESH
    assert await digest(billy) == first

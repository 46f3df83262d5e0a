"""What the store over Key Vault does besides the contract: how often it asks, how a rotation arrives, what an outage does."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from shared.context import Context, Seam
from shared.errors import BillyError
from shared.gateway.webhook import SECRETS, accept
from shared.settings import Settings
from shared.stores.identity import managed_identity
from shared.stores.keyvault import FRESH, STALE, KeyVaultSecrets
from shared.wiring import close_context, make_context
from tests.peers.keyvault import CLIENT_ID, Vault

NOW = 1_790_000_000.0


@dataclass
class Clock:
    at: float = NOW

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def secrets(vault: Vault, clock: Clock) -> AsyncIterator[KeyVaultSecrets]:
    async with managed_identity(CLIENT_ID) as identity:
        opened = KeyVaultSecrets.open(vault.url, identity, clock.now, connection_verify=str(vault.certificate), retry_total=0)
        yield opened
        await opened.close()


async def test_the_vault_is_asked_as_the_user_assigned_identity_after_its_challenge(secrets: KeyVaultSecrets, vault: Vault) -> None:
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    assert await secrets.get("stripe-api-key") == "rk_test_1"
    assert vault.identities == [CLIENT_ID] and vault.challenges == 1


async def test_many_calls_at_once_ask_the_vault_once_and_again_when_the_value_is_old(
    secrets: KeyVaultSecrets, vault: Vault, clock: Clock
) -> None:
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    assert set(await asyncio.gather(*(secrets.get("stripe-api-key") for _ in range(20)))) == {"rk_test_1"}
    clock.at += FRESH - 1
    await secrets.get("stripe-api-key")
    assert vault.asked == ["GET stripe-api-key"]
    clock.at += 1
    await secrets.get("stripe-api-key")
    assert len(vault.asked) == 2


async def test_a_new_version_is_seen_without_a_restart(secrets: KeyVaultSecrets, vault: Vault, clock: Clock) -> None:
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    await secrets.get("stripe-api-key")
    vault.versions["stripe-api-key"].append("rk_test_2")
    assert await secrets.get("stripe-api-key") == "rk_test_1"
    clock.at += FRESH
    assert await secrets.get("stripe-api-key") == "rk_test_2"


async def test_a_clock_that_went_back_believes_nothing_that_was_kept(secrets: KeyVaultSecrets, vault: Vault, clock: Clock) -> None:
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    await secrets.get("stripe-api-key")
    vault.versions["stripe-api-key"].append("rk_test_2")
    clock.at -= 3600
    assert await secrets.get("stripe-api-key") == "rk_test_2"


async def test_a_secret_that_is_not_set_is_asked_for_again_only_when_the_answer_is_old(
    secrets: KeyVaultSecrets, vault: Vault, clock: Clock
) -> None:
    assert [await secrets.get("stripe-api-key") for _ in range(3)] == [None, None, None]
    assert len(vault.asked) == 1
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    clock.at += FRESH
    assert await secrets.get("stripe-api-key") == "rk_test_1"


async def test_an_outage_of_the_vault_is_bridged_for_minutes_and_not_for_ever(secrets: KeyVaultSecrets, vault: Vault, clock: Clock) -> None:
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    await secrets.get("stripe-api-key")
    vault.failing = 503
    clock.at += STALE - 1
    assert await secrets.get("stripe-api-key") == "rk_test_1"
    clock.at += 1
    with pytest.raises(BillyError) as refused:
        await secrets.get("stripe-api-key")
    assert refused.value.code == "unavailable" and refused.value.retry_after


async def test_a_refusal_of_the_vault_is_no_outage(secrets: KeyVaultSecrets, vault: Vault, clock: Clock) -> None:
    """Access that was taken away must not live on in memory."""
    vault.versions["stripe-api-key"] = ["rk_test_1"]
    await secrets.get("stripe-api-key")
    vault.failing = 403
    clock.at += FRESH
    with pytest.raises(BillyError) as refused:
        await secrets.get("stripe-api-key")
    assert "Key Vault Secrets User" in (refused.value.next or "")


async def test_an_identity_that_may_only_read_sets_nothing_and_shows_nothing(secrets: KeyVaultSecrets, vault: Vault) -> None:
    vault.readable_only = True
    with pytest.raises(BillyError) as refused:
        await secrets.set("stripe-api-key", "rk_test_canary")
    assert vault.versions == {}
    assert "rk_test_canary" not in f"{refused.value!r}" and refused.value.__suppress_context__


def delivery(secret: str, at: float) -> tuple[bytes, str]:
    """A signed delivery as Stripe sends it."""
    event: dict[str, Any] = {"id": "evt_1", "object": "event", "type": "ping", "data": {"object": {"id": "ch_1", "object": "charge"}}}
    payload = orjson.dumps(event)
    signature = hmac.new(secret.encode(), f"{int(at)}.".encode() + payload, hashlib.sha256).hexdigest()
    return payload, f"t={int(at)},v1={signature}"


@pytest.fixture
async def billy(secrets: KeyVaultSecrets, clock: Clock, tmp_path: Any) -> AsyncIterator[Context]:
    made = await make_context(Settings(home=tmp_path / "billy"), Seam(now=clock.now))
    yield replace(made, secrets=secrets)
    await close_context(made)


@pytest.mark.requirement("AB-050")
async def test_old_and_new_webhook_secrets_are_accepted_while_they_overlap(billy: Context, vault: Vault, clock: Clock) -> None:
    async def accepted(secret: str) -> bool:
        try:
            await accept(billy, *delivery(secret, clock.at))
        except BillyError as error:
            assert error.code == "invalid_request"
            return False
        return True

    vault.versions[SECRETS] = ["whsec_old"]
    assert (await accepted("whsec_old"), await accepted("whsec_new")) == (True, False)
    vault.versions[SECRETS].append("whsec_new,whsec_old")
    clock.at += 90  # what the documents promise
    assert (await accepted("whsec_old"), await accepted("whsec_new")) == (True, True)
    vault.versions[SECRETS].append("whsec_new")
    clock.at += 90
    assert (await accepted("whsec_old"), await accepted("whsec_new")) == (False, True)

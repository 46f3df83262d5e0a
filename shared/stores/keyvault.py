"""Secrets in Azure Key Vault: kept in memory for seconds, so that a rotation needs no restart and a vault is not asked on every call."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient

from shared.errors import BillyError
from shared.stores.causes import VAULT, refusal
from shared.stores.identity import identified

FRESH = 30  # seconds for which a value is believed
STALE = 900  # seconds for which a value still serves while the vault cannot be reached


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    value: str | None
    read: float  # epoch seconds


class KeyVaultSecrets:
    """`Secrets` over one vault. A changed value is seen within `FRESH` seconds. Open it once in a process, and close it."""

    def __init__(self, vault: SecretClient, now: Callable[[], float]) -> None:
        self._vault: Any = vault  # the client's methods take keywords without types
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def open(cls, url: str, credential: AsyncTokenCredential, now: Callable[[], float], **client: Any) -> "KeyVaultSecrets":
        """Over the vault at `url`. `now` answers epoch seconds; `client` goes to the SDK's client as it is."""
        patience: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.3, "connection_timeout": 5, "read_timeout": 10}
        return cls(SecretClient(url, identified(credential), **(patience | client)), now)

    async def close(self) -> None:
        await self._vault.close()

    def __repr__(self) -> str:
        return "KeyVaultSecrets(…)"

    async def get(self, name: str) -> str | None:
        """The secret's current value, or None. Raises `unavailable` where the vault refuses, or is not reached and nothing is kept."""
        kept = self._fresh(name)
        if kept is None:
            async with self._asking[name]:  # those who wait share the one answer
                kept = self._fresh(name) or await self._read(name)
        return kept.value

    async def set(self, name: str, value: str) -> None:
        """A new version of the secret, durable on return. The app's identity in Azure may not: people and pipelines set secrets there."""
        try:
            await self._vault.set_secret(name, value)
        except AzureError as failure:
            raise _unavailable(failure) from None  # the failed request holds the value
        self._kept[name] = _Kept(value, self._now())

    def _fresh(self, name: str) -> _Kept | None:
        kept = self._kept.get(name)
        return kept if kept is not None and 0 <= self._now() - kept.read < FRESH else None

    async def _read(self, name: str) -> _Kept:
        try:
            value: str | None = (await self._vault.get_secret(name)).value
        except ResourceNotFoundError:
            value = None
        except (AzureError, BillyError) as failure:
            kept = self._kept.get(name)
            if _has_refused(failure) or kept is None or self._now() - kept.read >= STALE:
                raise _unavailable(failure) from None
            return kept
        kept = self._kept[name] = _Kept(value, self._now())
        return kept


def _has_refused(failure: Exception) -> bool:
    """Whether the vault answered and said no: then nothing that was kept may serve any longer."""
    return isinstance(failure, HttpResponseError) and failure.status_code in (401, 403)


def _unavailable(failure: AzureError | BillyError) -> BillyError:
    if isinstance(failure, BillyError):
        return failure
    away = BillyError("unavailable", "Key Vault cannot be reached.", next="Try again later.", retry_after=5)
    return refusal(failure, VAULT) or away

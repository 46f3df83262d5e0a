"""Who the app is in Azure: its managed identity, and nothing else. A key is for an emulator on this machine alone."""

from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential

from shared.errors import BillyError

AGAIN = 5  # seconds after which a token is asked for again
DEEP = 5  # causes behind a failure that are looked at


def managed_identity(client_id: str) -> ManagedIdentityCredential:
    """The credential of the user-assigned identity with that client id, or of the system-assigned one. Close it."""
    return ManagedIdentityCredential(client_id=client_id or None)


def identified(credential: AsyncTokenCredential) -> AsyncTokenCredential:
    """The same credential, whose failures are ours before a client of Azure's sees them: each client takes them for another thing, and the
    one for tables breaks down over one that brought no answer. The same words everywhere, and nothing is remembered."""
    return _Informed(credential) if isinstance(credential, AsyncSupportsTokenInfo) else _Identified(credential)


class _Identified:
    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        try:
            return await self._credential.get_token(*scopes, **options)
        except AzureError as failure:
            raise _no_token(failure) from None  # what it says names the instance

    async def close(self) -> None:
        """The credential stays its owner's."""

    async def __aenter__(self) -> "_Identified":
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """The credential stays its owner's."""


class _Informed(_Identified):
    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        try:
            return await self._credential.get_token_info(*scopes, options=options)
        except AzureError as failure:
            raise _no_token(failure) from None


def _no_token(failure: AzureError) -> BillyError:
    if _is_unknown(failure):
        return BillyError(
            "unavailable",
            "The app's identity is not found.",
            next="Set BILLY_IDENTITY_CLIENT_ID to the client id of an identity that the app has, as infra/bicep does.",
        )
    return BillyError(
        "unavailable", "No token can be had for the app's identity at the moment.", next="Try again in a while.", retry_after=AGAIN
    )


def _is_unknown(failure: BaseException | None) -> bool:
    """Whether the endpoint answered 400, which it does for an identity that the app does not have; the library may say so one error deeper."""
    for _ in range(DEEP):
        if failure is None:
            return False
        if getattr(failure, "status_code", None) == 400:
            return True
        failure = failure.__cause__ or failure.__context__
    return False

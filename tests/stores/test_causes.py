"""One status, several causes: each part of Azure says in its own way why it refuses, and each cause has a sentence of ours.

The bodies are those that Azure's services send, as their own documents and public reports of their users show them; principals and addresses are made up.
"""

import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CredentialUnavailableError

from shared.errors import BillyError, problem
from shared.stores.cosmos import CosmosAccount
from shared.stores.identity import managed_identity
from shared.stores.keyvault import KeyVaultSecrets
from shared.stores.queues import StorageQueues
from shared.stores.tables import TablesAuditLog
from tests.peers.keyvault import CLIENT_ID, Vault
from tests.stores.test_tables import row

CANARY = "11111111-2222-4333-8444-canary004711"  # a principal, an address: what Azure tells of others
KEY = "a2V5LW9mLWFuLWVtdWxhdG9y"


def vault_says(message: str, inner: str, code: str = "Forbidden") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "innererror": {"code": inner}}}


def cosmos_says(message: str) -> dict[str, Any]:
    return {
        "code": "Forbidden",
        "message": f"{message}\r\nActivityId: 00000000-0000-4000-8000-000000000000, Microsoft.Azure.Documents.Common/2.14.0",
    }


BY_RBAC = (
    f"Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, "
    f"please observe propagation time.\r\nCaller: appid={CANARY};oid={CANARY}\r\nAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
    "Assignment: (not found)\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\n"
)
VAULT = {  # what the vault answers → words of ours, and words of the advice
    "role": (403, vault_says(BY_RBAC, "ForbiddenByRbac"), "role is missing", "Key Vault Secrets User"),
    "policy": (
        403,
        vault_says(
            f"The user, group or application 'appid={CANARY}' does not have secrets get permission on key vault", "ForbiddenByPolicy"
        ),
        "role is missing",
        "Key Vault Secrets User",
    ),
    "firewall": (
        403,
        vault_says(
            f"Client address is not authorized and caller is not a trusted service.\r\nClient address: {CANARY}\r\n", "ForbiddenByFirewall"
        ),
        "refuses the network",
        "firewall",
    ),
    "private": (
        403,
        vault_says(
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
            "ForbiddenByConnection",
        ),
        "refuses the network",
        "private endpoint",
    ),
    "disabled": (
        403,
        {
            "error": {
                "code": "Forbidden",
                "message": "Operation get is not allowed on a disabled secret.",
                "innerError": {"code": "SecretDisabled"},
            }
        },
        "disabled",
        "Enable it",
    ),
    "expired": (403, vault_says("Operation get is not allowed on an expired secret.", "SecretExpired"), "expired", "new version"),
    "unknown": (403, vault_says("Something new.", "Unheard"), "does not say why", "Key Vault Secrets User"),
}
COSMOS = {  # substatus, what the account answers, our words, the advice, whether it passes
    "role": (
        5302,
        f"Request blocked by Auth acc : Request is blocked because principal [{CANARY}] does not have required RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [/].",
        "role is missing",
        "infra/bicep",
        False,
    ),
    "plane": (
        5300,
        "Request blocked by Auth acc : The given request [POST /dbs] cannot be authorized by AAD token in data plane.",
        "role is missing",
        "infra/bicep",
        False,
    ),
    "firewall": (
        0,
        f"Request originated from IP {CANARY} through public internet. This is blocked by your Cosmos DB account firewall settings.",
        "refuses the network",
        "firewall",
        False,
    ),
    "blocked": (
        0,
        "Request is blocked. Please check your authorization token and Cosmos DB account firewall settings. Learn more: https://aka.ms/cosmosdb-tsg-forbidden",
        "refuses the network",
        "firewall",
        False,
    ),
    "private": (
        0,
        "Request for Read Document is blocked because of the private endpoint policy of the account.",
        "refuses the network",
        "private endpoint",
        False,
    ),
    "write region": (3, "The requested operation cannot be performed at this region", "another region", "Try again", True),
    "moved": (1008, "Database Account acc does not exist", "another region", "Try again", True),
    "full": (1014, "Partition key reached maximum size of 20 GB", "partition of the store is full", "layout", False),
    "keys": (0, "Local Authorization is disabled. Use an AAD token to authorize all requests.", "takes no keys", "BILLY_COSMOS_KEY", False),
    "unknown": (0, "Something new.", "does not say why", "infra/bicep", False),
}
STORAGE = {
    "role": (
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
        "role is missing",
        "role",
    ),
    "network": (
        403,
        "AuthorizationFailure",
        "This request is not authorized to perform this operation.",
        "refuses the network",
        "firewall",
    ),
    "token": (
        403,
        "AuthenticationFailed",
        f"Server failed to authenticate the request. {CANARY}",
        "does not take this identity's token",
        "BILLY_IDENTITY_CLIENT_ID",
    ),
    "tenant": (
        401,
        "InvalidAuthenticationInfo",
        f"Issuer validation failed. {CANARY}",
        "does not take this identity's token",
        "BILLY_IDENTITY_CLIENT_ID",
    ),
    "keys": (
        403,
        "KeyBasedAuthenticationNotPermitted",
        "Key based authentication is not permitted on this storage account.",
        "takes no keys",
        "Unset",
    ),
    "unknown": (403, "Unheard", "Something new.", "does not say why", "role"),
}


def check(error: BillyError, words: str, advice: str, *, passes: bool) -> None:
    told = problem(error)
    assert (error.code, words in error.detail, advice in (error.next or "")) == ("unavailable", True, True), told
    assert (error.retry_after is not None) is passes, told
    assert "canary" not in f"{told} {error!r}"


@dataclass
class Service:
    """A part of Azure on loopback. `refusing` answers in its place; a Cosmos account tells of itself unless `starts` is false."""

    url: str = ""
    refusing: Callable[[], web.Response] | None = None
    starts: bool = True
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.refusing is not None and not (request.path == "/" and self.starts):
            return self.refusing()
        if request.path == "/":
            place = [{"name": "here", "databaseAccountEndpoint": self.url}]
            policy = {"defaultConsistencyLevel": "Strong"}
            return web.json_response({"id": "acc", "writableLocations": place, "readableLocations": place, "userConsistencyPolicy": policy})
        return web.json_response({"id": "1", "pk": "1", "_etag": '"1"', "value": []}, headers={"x-ms-request-charge": "1"})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service, app = Service(), web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


async def refused(call: Awaitable[Any]) -> BillyError:
    with pytest.raises(BillyError) as raised:
        await call
    return raised.value


@pytest.mark.parametrize("cause", VAULT)
async def test_key_vault_says_why_it_refuses(cause: str, vault: Vault) -> None:
    vault.failing, vault.said, words, advice = VAULT[cause]
    async with managed_identity(CLIENT_ID) as identity:
        secrets = KeyVaultSecrets.open(vault.url, identity, lambda: 0.0, connection_verify=str(vault.certificate), retry_total=0)
        check(await refused(secrets.get("stripe-api-key")), words, advice, passes=False)
        await secrets.close()


@pytest.mark.parametrize("at_start", [False, True], ids=["running", "at the start"])
@pytest.mark.parametrize("cause", COSMOS)
async def test_cosmos_db_says_why_it_refuses_and_the_client_goes_on_when_it_does_not_any_more(
    cause: str, at_start: bool, service: Service
) -> None:
    sub, message, words, advice, passes = COSMOS[cause]
    service.starts = not at_start
    service.refusing = lambda: web.json_response(cosmos_says(message), status=403, headers={"x-ms-substatus": str(sub)})
    account = CosmosAccount(service.url, KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a client that is left open is told when it is collected
        check(await refused(account.container("records").read("1", "1")), words, advice, passes=passes)
        gc.collect()
    service.refusing = None
    assert await account.container("records").read("1", "1")
    await account.close()


@pytest.mark.parametrize("cause", STORAGE)
async def test_the_audit_log_says_why_it_refuses(cause: str, service: Service) -> None:
    status, code, message, words, advice = STORAGE[cause]
    body = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}}
    service.refusing = lambda: web.json_response(body, status=status, headers={"x-ms-error-code": code})
    log = TablesAuditLog.open(f"{service.url}/account", KEY)
    for call in (log.append(row("aud_1")), log.list(limit=5), log.create()):
        check(await refused(call), words, advice, passes=False)
    await log.close()


@pytest.mark.parametrize("cause", STORAGE)
async def test_the_queues_say_why_they_refuse(cause: str, service: Service) -> None:
    status, code, message, words, advice = STORAGE[cause]
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    service.refusing = lambda: web.Response(text=body, status=status, content_type="application/xml", headers={"x-ms-error-code": code})
    queues = StorageQueues.open(f"{service.url}/account", KEY)
    check(await refused(queues.depths()), words, advice, passes=False)
    await queues.close()


# The endpoint that gives tokens


@dataclass
class Identity:
    """A credential that fails as it is told to, one time after the other, and then gives tokens."""

    failures: list[Exception]
    token: str
    asked: int = 0

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return AccessToken(self.token, 4_000_000_000)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *args: object) -> None: ...


class Response:  # of the library's own kind, a part of which an error keeps
    """What the endpoint answered."""

    reason, headers = CANARY, {}

    def __init__(self, status: int) -> None:
        self.status_code = status

    def text(self) -> str:
        return CANARY


def answered(status: int) -> Any:
    return Response(status)


def unassigned() -> Exception:
    """As the identity library tells of an instance without that identity: the status is that of the cause."""
    error = CredentialUnavailableError(message=f"The requested identity has not been assigned to this resource. {CANARY}")
    error.__cause__ = HttpResponseError(message=CANARY, response=answered(400))
    return error


FAILURES: dict[str, tuple[Callable[[], Exception], bool]] = {
    "away": (lambda: CredentialUnavailableError(message=f"no response from the IMDS endpoint {CANARY}"), True),
    "500": (lambda: ClientAuthenticationError(message=CANARY, response=answered(500)), True),
    "429": (lambda: ClientAuthenticationError(message=CANARY, response=answered(429)), True),
    "404": (lambda: ClientAuthenticationError(message=CANARY, response=answered(404)), True),
    "cut": (lambda: ClientAuthenticationError(message=CANARY), True),
    "400": (lambda: ClientAuthenticationError(message=CANARY, response=answered(400)), False),
    "unassigned": (unassigned, False),
}
NOWHERE = "https://127.0.0.1:9"  # nobody listens there: past the token a call cannot be answered
STORES: dict[str, Callable[[Any], tuple[Any, Callable[[Any], Awaitable[Any]]]]] = {
    "cosmos": lambda identity: (CosmosAccount(NOWHERE, identity), lambda store: store.container("records").read("1", "1")),
    "tables": lambda identity: (TablesAuditLog.open(NOWHERE, identity), lambda store: store.append(row("aud_1"))),
    "queues": lambda identity: (StorageQueues.open(NOWHERE, identity), lambda store: store.depths()),
}


async def of_vault(vault: Vault, identity: Any) -> tuple[Any, Callable[[Any], Awaitable[Any]]]:
    """The vault asks for a token by its challenge, so it has to be there."""
    opened = KeyVaultSecrets.open(vault.url, identity, lambda: 0.0, connection_verify=str(vault.certificate), retry_total=0)
    return opened, lambda store: store.get("stripe-api-key")


@pytest.mark.parametrize("cause", FAILURES)
@pytest.mark.parametrize("store", [*STORES, "vault"])
async def test_a_token_that_is_not_given_is_told_in_the_same_words_everywhere_and_asked_for_again(
    cause: str, store: str, vault: Vault
) -> None:
    make, passes = FAILURES[cause]
    identity = Identity([make(), make()], vault.token)
    opened, call = STORES[store](identity) if store in STORES else await of_vault(vault, identity)
    said = [problem(await refused(call(opened))) for _ in range(2)]
    assert said[0] == said[1] and "canary" not in str(said)
    assert ("retry_after" in said[0]) is passes
    assert "role" not in said[0]["next"], "a role has nothing to do with it"
    assert ("BILLY_IDENTITY_CLIENT_ID" in said[0]["next"]) is not passes
    assert said[0]["detail"] == (
        "No token can be had for the app's identity at the moment." if passes else "The app's identity is not found."
    )
    asked = identity.asked
    try:
        await call(opened)
    except BillyError as beyond:  # it has a token, and goes on to where nobody answers
        assert beyond.retry_after and beyond.detail != said[0]["detail"]
    assert identity.asked > asked, "no failure of before is remembered"
    await opened.close()


async def test_the_platforms_own_answer_for_an_identity_that_it_does_not_know_names_the_setting(vault: Vault) -> None:
    """Through the real client of the identity endpoint, which the platform's answer reaches."""
    vault.identity_header = "another"  # so that the endpoint answers 400, as it does for an unknown client id
    async with managed_identity(CLIENT_ID) as identity:
        secrets = KeyVaultSecrets.open(vault.url, identity, lambda: 0.0, connection_verify=str(vault.certificate), retry_total=0)
        check(await refused(secrets.get("stripe-api-key")), "identity is not found", "BILLY_IDENTITY_CLIENT_ID", passes=False)
        await secrets.close()

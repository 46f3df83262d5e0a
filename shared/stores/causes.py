"""What a failure of Azure's means. One status has several causes, and each has a sentence of its own, which says whether it passes by itself.

Azure tells the cause in a code, a substatus or, where it has no code for it, a sentence. What it says is compared and never passed on: it
names principals, addresses and documents. Loaded with the first client of Azure's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from shared.errors import BillyError

PASSING = 5  # seconds after which a moment's failure is tried again
MOVING = 30  # seconds in which a region takes over
_SERVICES_OWN = (401, 403)  # refusals of the service itself; another status of a token is the token endpoint's
_DEEP = 5  # causes behind a failure that are looked at


@dataclass(frozen=True, slots=True)
class Service:
    """Which part of Azure answers: its name in sentences, the role that it wants, and which network is to let the app in."""

    name: str
    role: str
    network: str


COSMOS = Service(
    "The store",
    "Give the app's identity its role on the Cosmos account again: deploy infra/bicep, which grants it. A new role takes some minutes.",
    "Let the app's network into the Cosmos account: its firewall or its private endpoint. A change takes up to a quarter of an hour.",
)
TABLES = Service(
    "The audit log",
    "Give the app's identity its role on the audit table again: deploy infra/bicep, which grants it. A new role takes some minutes.",
    "Let the app's network into the storage account of the audit log: its firewall or its private endpoint.",
)
QUEUES = Service(
    "The queues",
    "Give the app's identity the role Storage Queue Data Contributor. A new role takes some minutes.",
    "Let the app's network into the storage account of the queues: its firewall or its private endpoint.",
)
VAULT = Service(
    "Key Vault",
    "Give it the role Key Vault Secrets User, or set the secret as a person who may. A new role takes some minutes.",
    "Let the app's network into the vault: its firewall or its private endpoint.",
)

_NETWORK = (
    *("firewall", "forbiddenbyconnection", "client address is not authorized", "public network access is disabled"),  # vault and Cosmos
    *("through public internet", "virtual network", "private endpoint", "private link", "publicaccessnotpermitted"),
)
_NETWORK_OF_STORAGE = "authorizationfailure"  # Storage's word for a network that it does not let in; a missing role is a mismatch
_ROLE = ("rbac", "forbiddenbypolicy", "authorizationpermissionmismatch", "insufficientaccountpermissions", "aad token in data plane")
_SECRET = ("secretdisabled", "disabled secret", "expired secret", "secretexpired", "secretnotyetvalid", "not yet valid")
_KEYS = ("local authorization is disabled", "keybasedauthenticationnotpermitted")
_WRITE_REGION, _FULL, _MOVED = 3, 1014, 1008  # substatus of a 403 of Cosmos DB


def refusal(failure: BaseException, service: Service) -> BillyError | None:
    """The error of a failure to get a token, and of a 401 or 403 of the service; None for every other failure."""
    if (token := _of_token(failure)) is not None:
        return token
    if not isinstance(failure, HttpResponseError) or failure.status_code not in _SERVICES_OWN:
        return None
    sub, said = _sub_status(failure), _said(failure)
    if sub in (_WRITE_REGION, _MOVED):
        return _passing(f"{service.name} is moving to another region and takes nothing there yet.", MOVING)
    if sub == _FULL:
        return _lasting("A partition of the store is full.", "Tell whoever maintains Billy: its layout keeps partitions small.")
    if any(word in said for word in _SECRET):
        return _lasting(
            f"{service.name} does not hand out the secret: it is disabled, expired or not valid yet.",
            "Enable it, or set a new version of it.",
        )
    if any(word in said for word in _KEYS):
        return _lasting(f"{service.name} takes no keys.", "Unset BILLY_COSMOS_KEY and BILLY_TABLES_KEY: Azure takes the app's identity.")
    if any(word in said for word in _ROLE):
        return _lasting(f"{service.name} refuses this identity: its role is missing.", service.role)
    if any(word in said for word in _NETWORK) or _NETWORK_OF_STORAGE in said:
        return _lasting(f"{service.name} refuses the network from which the app calls.", service.network)
    if failure.status_code == 401 or "authenticationfailed" in said:
        return _lasting(
            f"{service.name} does not take this identity's token.",
            "Look whether BILLY_IDENTITY_CLIENT_ID names an identity of this account's tenant, and whether the clock is right.",
        )
    return _lasting(f"{service.name} refuses this identity, and does not say why.", f"{service.role} {service.network}")


def _of_token(failure: BaseException) -> BillyError | None:
    """Where the endpoint that gives tokens failed, and not the service: the same words for every store."""
    status = getattr(failure, "status_code", None)
    if not _is_of_token(failure, status):
        return None
    if 400 in (status, *_statuses_behind(failure)):
        return _lasting(
            "The app's identity is not found.",
            "Set BILLY_IDENTITY_CLIENT_ID to the client id of an identity that the app has, as infra/bicep does.",
        )
    return _passing("No token can be had for the app's identity at the moment.", PASSING)


def _is_of_token(failure: BaseException, status: int | None) -> bool:
    if any(kind.__name__ == "CredentialUnavailableError" for kind in type(failure).__mro__):
        return True  # of azure.identity, which an emulator's key does without
    return isinstance(failure, ClientAuthenticationError) and status not in _SERVICES_OWN


def _statuses_behind(failure: BaseException) -> list[int | None]:
    """The statuses of what led to a failure."""
    found: list[int | None] = []
    behind = failure.__cause__ or failure.__context__
    while behind is not None and len(found) < _DEEP:
        found.append(getattr(behind, "status_code", None))
        behind = behind.__cause__ or behind.__context__
    return found


def _said(failure: HttpResponseError) -> str:
    """All that Azure tells of a refusal, in lower case, to look for its codes in."""
    told: list[object] = [getattr(failure, "error_code", ""), failure.reason, failure.message]
    response: Any = failure.response
    headers: Mapping[str, Any] = getattr(response, "headers", None) or {}
    told += [value for name, value in headers.items() if name.lower() == "x-ms-error-code"]
    try:
        told.append(response.text())
    except Exception:  # it was read as a stream, or is none
        told.append(getattr(failure, "error", ""))
    return " ".join(str(getattr(each, "value", each)) for each in told).lower()


def _sub_status(failure: HttpResponseError) -> int | None:
    sub = getattr(failure, "sub_status", None)
    return int(sub) if isinstance(sub, int) or (isinstance(sub, str) and sub.isdecimal()) else None


def _passing(detail: str, seconds: int) -> BillyError:
    return BillyError("unavailable", detail, next="Try again in a while.", retry_after=seconds)


def _lasting(detail: str, advice: str) -> BillyError:
    return BillyError("unavailable", detail, next=advice)

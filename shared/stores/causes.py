"""What a failure of Azure's means. One status has several causes, and each has a sentence of its own, which says whether it passes by itself.

Azure tells the cause in a code, a substatus or, where it has no code for it, a sentence. What it says is compared and never passed on: it
names principals, addresses and documents. Loaded with the first client of Azure's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import HttpResponseError

from shared.errors import BillyError

MOVING = 30  # seconds in which a region takes over


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
    """The error of a 401 or 403 of a service; None for every other failure."""
    if not isinstance(failure, HttpResponseError) or failure.status_code not in (401, 403):
        return None
    sub, said = _sub_status(failure), _said(failure)
    if sub in (_WRITE_REGION, _MOVED):
        return BillyError(
            "unavailable",
            f"{service.name} is moving to another region and takes nothing there yet.",
            next="Try again in a while.",
            retry_after=MOVING,
        )
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


def _lasting(detail: str, advice: str) -> BillyError:
    return BillyError("unavailable", detail, next=advice)

"""Who the app is in Azure: its managed identity, and nothing else. A key is for an emulator on this machine alone."""

from urllib.parse import urlsplit

from azure.identity.aio import ManagedIdentityCredential

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def managed_identity(client_id: str) -> ManagedIdentityCredential:
    """The credential of the user-assigned identity with that client id, or of the system-assigned one. Close it."""
    return ManagedIdentityCredential(client_id=client_id or None)


def is_loopback(address: str) -> bool:
    """Whether a URL names this very machine. Only there may a key stand in for the identity."""
    return urlsplit(address).hostname in LOOPBACK

"""Who the app is in Azure: its managed identity, and nothing else. A key is for an emulator on this machine alone."""

from azure.identity.aio import ManagedIdentityCredential


def managed_identity(client_id: str) -> ManagedIdentityCredential:
    """The credential of the user-assigned identity with that client id, or of the system-assigned one. Close it."""
    return ManagedIdentityCredential(client_id=client_id or None)

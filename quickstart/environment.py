"""What each process of a run is given of the environment that `make run` was started with."""

from pathlib import Path

from emulators.environment import chosen, of_the_network, plain

ROOT = Path(__file__).parent.parent

# What the app and its host read by name or by what the name begins with: Billy's own, those of the Functions host, of managed identities and of telemetry.
_OF_THE_APP = (
    "BILLY_",
    "AzureWebJobs",
    "AzureFunctionsJobHost__",
    "AZURE_FUNCTIONS_",
    "FUNCTIONS_",
    "WEBSITE_",
    "IDENTITY_",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "APPLICATIONINSIGHTS_",
    "OTEL_",
)


def python() -> dict[str, str]:
    """For a process of this project that reads no settings."""
    return plain() | {"PYTHONPATH": str(ROOT)}


def of_the_host() -> dict[str, str]:
    """For the process that serves the app: its settings too, and how Stripe and a collector are reached."""
    return python() | of_the_network() | chosen((), _OF_THE_APP)

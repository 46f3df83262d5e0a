"""Where the queues of a test lie: in the host's own file, or in Azurite over Azure's protocol."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Storage:
    kind: str
    connection_string: str
    """Empty for the embedded queue."""
    queue: str
    """A queue name that no other test uses."""

    @property
    def settings(self) -> dict[str, str]:
        """What an app's environment needs to use it."""
        return {"AzureWebJobsStorage": self.connection_string, "SAMPLE_QUEUE": self.queue}


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite that runs for the whole session."""
    from tests.peers.azurite import running_azurite  # its Node is installed when it is first asked for

    with running_azurite(tmp_path_factory.mktemp("azurite")) as connection_string:
        yield connection_string


@pytest.fixture(params=["embedded", pytest.param("azurite", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest) -> Storage:
    connection_string = request.getfixturevalue("azurite") if request.param == "azurite" else ""
    return Storage(request.param, connection_string, f"q{uuid.uuid4().hex[:12]}")

"""How long the sandbox keeps a connection for the next request."""

import http.client
import select
from urllib.parse import urlsplit

import pytest

from tests.peers.sandbox import RunningSandbox


@pytest.mark.slow
def test_an_idle_connection_stays_open_for_longer_than_a_client_trusts_it(sandbox: RunningSandbox) -> None:
    """httpx takes a connection again within five seconds; a server that closes it just then resets the request."""
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    connection.request("GET", "/_sandbox/health")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read()
    assert connection.sock is not None and select.select([connection.sock], [], [], 6) == ([], [], []), "the sandbox closed it"
    connection.close()

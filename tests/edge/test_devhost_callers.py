"""The host's own routes start functions by hand, so no page of a browser may call them, whatever name it made lead here."""

from collections.abc import Iterator

import pytest

from tests.edge.devhost_process import RunningHost, running_host

pytestmark = pytest.mark.slow

OURS = (
    {},
    {"Host": "localhost:7071"},
    {"Host": "LOCALHOST"},
    {"Host": "[::1]:7071"},
    {"Host": "192.168.1.7"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "127.0.0.1:7071", "Origin": "http://127.0.0.1:7071", "Sec-Fetch-Site": "same-origin"},
)
FOREIGN = (
    {"Host": "rebound.evil.example:4242"},
    {"Host": "localhost.evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/admin/host/status", "/admin/functions", "/admin/functions/take_work"])
def test_a_foreign_page_reaches_none_of_the_hosts_own_routes_even_with_the_key(
    host: RunningHost, headers: dict[str, str], path: str
) -> None:
    reply = host.client.get(path, headers={"x-functions-key": host.master_key} | headers)
    assert (reply.status_code, reply.content) == (403, b"")


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_a_program_and_a_page_of_the_host_itself_reach_them(host: RunningHost, headers: dict[str, str]) -> None:
    assert host.client.get("/admin/host/status", headers={"x-functions-key": host.master_key} | headers).status_code == 200


def test_the_key_is_still_asked_for(host: RunningHost) -> None:
    assert host.client.get("/admin/host/status").status_code == 401

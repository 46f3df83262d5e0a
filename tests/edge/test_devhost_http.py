"""HTTP functions through the local host and Microsoft's worker library."""

import json
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.edge.devhost_process import SAMPLE_APP, RunningHost, refusal, running_host

pytestmark = pytest.mark.slow  # starts processes


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


def raw_exchange(host: RunningHost, request: bytes) -> bytes:
    """One exchange without a client library's own ideas of what a request looks like."""
    port = int(host.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_a_route_parameter_its_constraint_and_the_query_reach_the_function(host: RunningHost) -> None:
    seen = host.client.post("/api/echo/Ada?x=1&y=two%20words", content=b"hello").json()
    assert seen["name"] == "Ada"
    assert seen["params"] == {"x": "1", "y": "two words"}
    assert seen["body"] == "hello"
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.url}/api/echo/Ada?x=1&y=two%20words"


def test_a_path_that_breaks_a_constraint_is_not_found(host: RunningHost) -> None:
    assert host.client.get("/api/echo/Ada7").status_code == 404
    assert host.client.get("/api/numbers/seven").status_code == 404
    assert host.client.get("/api/numbers/99999999999").status_code == 404


def test_an_optional_parameter_may_be_left_out(host: RunningHost) -> None:
    assert host.client.get("/api/numbers").text == "number None"
    assert host.client.get("/api/numbers/-12").text == "number -12"


def test_a_rest_parameter_takes_every_segment_that_follows(host: RunningHost) -> None:
    assert host.client.get("/files").text == "file "
    assert host.client.get("/files/a/b/c.txt").text == "file a/b/c.txt"


def test_an_encoded_slash_does_not_split_a_segment(host: RunningHost) -> None:
    assert host.client.get("/api/items/a%2Fb%20c").text == "item a%2Fb c"


def test_routes_match_whatever_their_case_and_with_a_slash_at_the_end(host: RunningHost) -> None:
    assert host.client.get("/API/Items/Xy/").text == "item Xy"


def test_a_literal_segment_wins_over_a_parameter_when_its_method_fits(host: RunningHost) -> None:
    assert host.client.post("/api/items/special").status_code == 201
    assert host.client.get("/api/items/special").text == "item special"


def test_a_wrong_method_is_not_found(host: RunningHost) -> None:
    assert host.client.delete("/api/echo/Ada").status_code == 404
    assert host.client.head("/api/items/one").status_code == 404


def test_a_route_at_the_root_is_served_without_a_prefix(host: RunningHost) -> None:
    answer = host.client.get("/.well-known/thing.json")
    assert answer.json() == {}
    assert answer.headers["content-type"] == "application/json"


def test_header_names_arrive_in_lower_case_and_repeated_ones_joined_by_commas(host: RunningHost) -> None:
    headers = [("X-Thing", "1"), ("x-thing", "2"), ("X-UPPER", "Yes")]
    seen = host.client.get("/api/echo/Ada", headers=headers).json()["headers"]
    assert seen["x-thing"] == "1,2"
    assert seen["x-upper"] == "Yes"
    assert not [name for name in seen if name != name.lower()]


def test_repeated_query_names_are_joined_and_empty_values_dropped(host: RunningHost) -> None:
    seen = host.client.get("/api/echo/Ada?a=1&a=2&empty=&tags[0]=core").json()["params"]
    assert seen == {"a": "1,2", "tags[0]": "core"}


def test_a_chunked_body_arrives_empty(host: RunningHost) -> None:
    answer = raw_exchange(
        host, b"POST /api/echo/Ada HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"body": ""' in answer


def test_a_body_of_several_packets_arrives_whole(host: RunningHost) -> None:
    text = "x" * 3_000_000
    assert host.client.post("/api/echo/Ada", content=text.encode()).json()["body"] == text


@pytest.mark.requirement("SC-5")
@pytest.mark.parametrize("length", ["4194305", "104857600", "104857601", "999999999999999999", "9223372036854775807"])
@pytest.mark.parametrize("line", ["POST /api/echo/Ada", "GET /api/cookies", "POST /nowhere", "POST /admin/functions/work"])
def test_a_body_over_the_limit_is_refused_before_it_is_read(host: RunningHost, line: str, length: str) -> None:
    request = f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    assert raw_exchange(host, request.encode()).startswith(b"HTTP/1.1 413")


def test_a_body_at_the_limit_is_taken(host: RunningHost) -> None:
    text = "x" * 4_194_304
    assert host.client.post("/api/echo/Ada", content=text.encode()).json()["body"] == text


def test_the_limit_is_the_real_hosts_own_setting(tmp_path: Path) -> None:
    with running_host(tmp_path / "small", FUNCTIONS_REQUEST_BODY_SIZE_LIMIT="10") as small:
        assert small.client.post("/api/echo/Ada", content=b"x" * 10).status_code == 200
        assert small.client.post("/api/echo/Ada", content=b"x" * 11).status_code == 413


@pytest.mark.parametrize("value", ["many", "-1", "0", "4 MiB", "1e6"])
def test_a_limit_that_is_no_number_of_bytes_refuses_the_start_by_its_name(tmp_path: Path, value: str) -> None:
    assert "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT" in refusal(tmp_path, SAMPLE_APP, FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=value)


@pytest.mark.requirement("SC-5", "SC-105")
def test_eight_strangers_with_a_hundred_mebibytes_each_take_no_place(host: RunningHost) -> None:
    def resident() -> int:
        """KiB."""
        status = Path(f"/proc/{host.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def send(line: str) -> bytes:
        with socket.create_connection((host.client.base_url.host, host.client.base_url.port), timeout=30) as connection:
            connection.sendall(f"{line} HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n".encode())
            with suppress(OSError):
                for _ in range(256):
                    connection.sendall(b"x" * 65_536)
            return connection.recv(100)

    before = resident()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, ["POST /api/echo/Ada", "GET /api/cookies", "POST /nowhere", "POST /api/broken"] * 2))
    assert all(each.startswith(b"HTTP/1.1 413") for each in answers)
    assert resident() - before < 20 * 1024


def test_an_exception_answers_500_without_its_text(host: RunningHost) -> None:
    answer = host.client.get("/api/broken")
    assert answer.status_code == 500
    assert answer.content == b""
    assert "broken failed with RuntimeError" in host.log


def test_cookies_and_headers_of_a_response_come_through(host: RunningHost) -> None:
    answer = host.client.get("/api/cookies")
    assert answer.status_code == 204
    assert answer.headers["x-thing"] == "yes"
    cookies = answer.headers.get_list("set-cookie")
    host.client.cookies.clear()
    assert cookies == ["a=1; HttpOnly; Path=/; SameSite=Lax", "b=2; Max-Age=60; Secure"]


def test_a_function_key_opens_function_level_and_only_the_master_key_opens_admin_level(host: RunningHost) -> None:
    keys = json.loads((host.home / "keys.json").read_text())
    get = host.client.get
    assert get("/api/function-key").status_code == 401
    assert get("/api/function-key", headers={"x-functions-key": "wrong"}).status_code == 401
    assert get("/api/function-key", headers={"x-functions-key": keys["function"]}).text == "open"
    assert get("/api/function-key", params={"code": keys["function"]}).text == "open"
    assert get("/api/admin-key", headers={"x-functions-key": keys["function"]}).status_code == 401
    assert get("/api/admin-key", headers={"x-functions-key": keys["master"]}).text == "open"
    assert get("/api/function-key", headers={"x-functions-key": keys["master"]}).text == "open"


def test_the_keys_are_readable_by_their_owner_only(host: RunningHost) -> None:
    assert stat.S_IMODE((host.home / "keys.json").stat().st_mode) == 0o600


def test_host_status_and_functions_are_told_to_the_master_key_only(host: RunningHost) -> None:
    for path in ("/admin/host/status", "/admin/functions"):
        assert host.client.get(path).status_code == 401
    admin = {"x-functions-key": host.master_key}
    assert host.client.get("/admin/host/status", headers=admin).json()["state"] == "Running"
    listed = {record["name"]: record for record in host.client.get("/admin/functions", headers=admin).json()}
    assert listed["echo"]["route"] == "api/echo/{name:alpha}"
    assert listed["work"]["queue"] == "work"
    assert host.client.get("/admin/nothing", headers=admin).status_code == 404


def test_the_host_adds_no_header_of_its_own_to_a_request(host: RunningHost) -> None:
    seen = host.client.get("/api/echo/Ada").json()["headers"]
    assert set(seen) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


def test_a_client_that_goes_away_in_mid_body_leaves_the_host_well(host: RunningHost) -> None:
    port = int(host.url.rpartition(":")[2])
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(b"POST /api/echo/Ada HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        connection.close()
    assert host.client.get("/api/items/one").text == "item one"
    assert "ASGI" not in host.log


def test_two_hosts_do_not_share_one_home(host: RunningHost) -> None:
    assert "another host is running" in refusal(Path(host.home), SAMPLE_APP)

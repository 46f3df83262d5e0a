"""What listens on loopback asks who calls."""

import http.client
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from sandbox.control import CONTROLS
from sandbox.route import ROUTES
from tests.peers.sandbox import RunningSandbox, control, running_sandbox
from tests.sandbox.conftest import KEY

FOREIGN = {
    "the name of another site, rebound to loopback": {"host": "rebound.evil.example:4242"},
    "loopback's name as a part of another": {"host": "localhost.evil.example"},
    "loopback's name as a user of another site": {"host": "localhost@evil.example"},
    "the address of the cloud's metadata": {"host": "169.254.169.254"},
    "no name": {"host": ""},
    "a page of another site": {"origin": "https://evil.example"},
    "a page without an origin of its own": {"origin": "null"},
    "a page of another port": {"origin": "http://127.0.0.1:1"},
    "what another site sends": {"sec-fetch-site": "cross-site"},
    "what another port sends": {"sec-fetch-site": "same-site"},
}
TRUE = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def asked(sandbox: RunningSandbox, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, dict]:
    """One request with exactly these headers."""
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"host": urlsplit(sandbox.url).netloc, "content-length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, orjson.loads(answer.read())
    connection.close()
    return found


def every_route() -> list[tuple[str, str]]:
    from sandbox import resources

    resources.load()
    found = {(route.method, route.path) for by_length in ROUTES.values() for routes in by_length.values() for _, route in routes}
    return sorted(found) + [(method, f"/_sandbox/{name}") for method, name, _ in CONTROLS]


@pytest.mark.requirement("SC-111")
@pytest.mark.parametrize("why", FOREIGN)
def test_every_route_refuses_a_caller_who_is_not_of_this_machine(sandbox: RunningSandbox, why: str) -> None:
    before = control(sandbox.url, "GET", "requests").json()
    for method, path in every_route():
        status, answer = asked(sandbox, method, path, {**TRUE, "sandbox-token": sandbox.token, **FOREIGN[why]}, b'{"advance":31536000}')
        assert (status, bool(answer["error"])) == (403, True), (method, path)
    assert control(sandbox.url, "GET", "requests").json() == before


@pytest.mark.requirement("SC-111")
def test_every_control_route_wants_the_token_and_json(sandbox: RunningSandbox) -> None:
    now = control(sandbox.url, "GET", "health").json()["now"]
    for method, path in every_route():
        if not path.startswith("/_sandbox/") or path == "/_sandbox/health":
            continue
        for token in ({}, {"sandbox-token": sandbox.token[:-1]}, {"authorization": f"Basic {sandbox.token}"}):
            assert asked(sandbox, method, path, {**TRUE, **token}, b'{"advance":31536000}')[0] == 401, (method, path)
        for kind in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            if method == "POST":
                headers = {**TRUE, "sandbox-token": sandbox.token, "content-type": kind}
                assert asked(sandbox, method, path, headers, b'{"advance":31536000}')[0] == 415, path
    assert control(sandbox.url, "GET", "health").json()["now"] - now < 3600


def test_the_token_is_also_taken_as_a_bearer_token(sandbox: RunningSandbox) -> None:
    assert asked(sandbox, "GET", "/_sandbox/requests", {"authorization": f"bearer {sandbox.token}"})[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:4242", "[::1]:80", "LOCALHOST"])
def test_loopbacks_own_names_and_its_own_origin_are_let_in(sandbox: RunningSandbox, host: str) -> None:
    headers = {**TRUE, "host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert asked(sandbox, "GET", "/v1/customers", headers)[0] == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "https://hooks.example.com/x",
        "http://localhost.example.com/",
        "http://127.0.0.1@example.com/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://2130706433.example/",
    ],
)
def test_events_go_to_this_machine_alone(wire: httpx.Client, url: str) -> None:
    answer = wire.post("/v1/webhook_endpoints", data={"url": url, "enabled_events[]": "*"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "url")
    made = wire.post("/v1/webhook_endpoints", data={"url": "http://localhost:9/x", "enabled_events[]": "coupon.created"}).json()
    assert wire.post(f"/v1/webhook_endpoints/{made['id']}", data={"url": url}).status_code == 400
    wire.delete(f"/v1/webhook_endpoints/{made['id']}").raise_for_status()


def test_a_flag_lets_events_go_anywhere_and_what_it_left_behind_is_not_sent_without_it(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, webhooks_anywhere=None) as open_one, httpx.Client(headers=TRUE, base_url=open_one.url) as http:
        form = {"url": "http://192.0.2.1/", "enabled_events[]": "customer.created"}
        http.post("/v1/webhook_endpoints", data=form, headers={"content-type": "application/x-www-form-urlencoded"}).raise_for_status()
    with running_sandbox(tmp_path) as closed, httpx.Client(headers={"authorization": f"Bearer {KEY}"}, base_url=closed.url) as http:
        http.post("/v1/customers", data={"name": "Ann"}).raise_for_status()
        while (sent := control(closed.url, "GET", "deliveries").json()["deliveries"]) and sent[0]["state"] == "pending":
            pass
        assert [each["state"] for each in sent] == ["dropped"]


def test_what_the_sandbox_writes_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sandbox.sqlite").touch(0o644)  # as an earlier version left it
    with running_sandbox(tmp_path / "home") as running, httpx.Client(base_url=running.url) as http:
        http.post("/v1/customers", data={"name": "Ann"}, headers={"authorization": f"Bearer {KEY}"}).raise_for_status()
        written = [file for file in running.home.iterdir() if file.name != "sandbox.log"]  # the log is the test's
        assert {file.name for file in written} >= {"sandbox.sqlite", "sandbox.sqlite-wal", "control.token"}
        assert {file.name: oct(file.stat().st_mode & 0o777) for file in written} == {file.name: "0o600" for file in written}


@pytest.mark.parametrize("at", [0, 1, 4096])
def test_an_answer_is_cut_at_a_byte_and_a_shorter_one_passes(sandbox: RunningSandbox, wire: httpx.Client, at: int) -> None:
    for number in range(12):
        wire.post("/v1/customers", data={"name": f"Cut {number}"}).raise_for_status()
    whole = wire.get("/v1/customers?limit=12").content
    assert len(whole) > 4096 > len(wire.get("/v1/customers?limit=1").content)
    wire.post("/_sandbox/faults", json={"match": "GET /v1/customers", "kind": "cut", "at": at, "times": 2}).raise_for_status()
    answer = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=20)
    answer.request("GET", "/v1/customers?limit=12", headers=TRUE)
    response = answer.getresponse()
    assert response.getheader("content-length") == str(len(whole))
    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    assert cut.value.partial == whole[:at]
    answer.close()
    if at == 4096:
        assert wire.get("/v1/customers?limit=1").status_code == 200
    wire.delete("/_sandbox/faults")

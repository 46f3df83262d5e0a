"""Faults: answers that are cut, replaced, late or not the one of what was done. The effect is what counts, and the key finds it again."""

import uuid
from collections.abc import Callable, Iterator
from threading import Thread
from time import monotonic, sleep

import httpx
import pytest
import stripe

from tests.peers.sandbox import client_of

Post = Callable[..., httpx.Response]


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def post(wire: httpx.Client, key: str) -> Post:
    """Make the customer whose name is the test's key, under that key."""
    return lambda **options: wire.post("/v1/customers", data={"name": key}, headers={"Idempotency-Key": key}, **options)


@pytest.fixture
def made(client: stripe.StripeClient, key: str) -> Callable[[], int]:
    """How many customers of that name there are."""
    return lambda: sum(customer.name == key for customer in client.v1.customers.list({"limit": 100}).auto_paging_iter())


@pytest.fixture
def fault(wire: httpx.Client) -> Iterator[Callable[..., None]]:
    def add(**wanted: object) -> None:
        answer = wire.post("/_sandbox/faults", json={"match": "POST /v1/customers", **wanted})
        assert answer.status_code == 200, answer.text

    yield add
    wire.delete("/_sandbox/faults")


def test_a_cut_answer_promises_more_than_comes_and_the_effect_is_found_by_its_key(wire, post, made, fault, key):
    fault(kind="cut")
    with (
        wire.stream("POST", "/v1/customers", data={"name": key}, headers={"Idempotency-Key": key}) as answer,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"),
    ):
        assert answer.status_code == 200 and int(answer.headers["content-length"]) > 100
        assert answer.headers["request-id"].startswith("req_")
        answer.read()
    assert made() == 1
    again = post()
    assert (again.status_code, again.json()["name"], again.headers["idempotent-replayed"]) == (200, key, "true")
    assert made() == 1


def test_a_cut_answer_leaves_the_sandbox_and_other_connections_alone(sandbox, wire, fault, post):
    fault(kind="cut")
    with pytest.raises(httpx.RemoteProtocolError):
        post()
    assert wire.get("/v1/customers").status_code == 200
    assert "Traceback" not in (sandbox.home / "sandbox.log").read_text()


def test_the_sdk_does_not_repeat_a_request_whose_answer_was_cut(sandbox, made, fault, key):
    fault(kind="cut")
    retrying = client_of(sandbox, retries=2)
    with pytest.raises(stripe.APIConnectionError):
        retrying.v1.customers.create({"name": key}, {"idempotency_key": key})
    assert made() == 1
    assert retrying.v1.customers.create({"name": key}, {"idempotency_key": key}).name == key
    assert made() == 1


def test_a_malformed_answer_is_a_page_with_status_200_and_the_effect_happened(post, made, fault, key):
    fault(kind="malformed")
    answer = post()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>") and answer.headers["request-id"].startswith("req_")
    assert made() == 1
    assert post().json()["name"] == key


def test_a_malformed_answer_can_have_any_body_status_and_headers_and_no_request_id(post, made, fault):
    fault(kind="malformed", body='{"id": "cus_', status=502, request_id=False, headers={"Server": "edge"})
    answer = post()
    assert (answer.status_code, answer.text, answer.headers["server"]) == (502, '{"id": "cus_', "edge")
    assert answer.headers["content-type"] == "application/json"
    assert not {"request-id", "original-request"} & answer.headers.keys()
    assert made() == 1


def test_a_status_after_the_effect_is_stripes_document_and_the_key_finds_the_effect(post, made, fault, key):
    fault(kind="status", status=503, after=True)
    answer = post()
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "api_error")
    assert "original-request" not in answer.headers
    assert made() == 1
    again = post()
    assert (again.status_code, again.json()["name"], again.headers["idempotent-replayed"]) == (200, key, "true")
    assert made() == 1


def test_a_500_after_the_effect_is_remembered_in_its_place(post, made, fault):
    fault(kind="status", status=500, after=True)
    first, again = post(), post()
    assert (first.status_code, again.content, again.headers["idempotent-replayed"]) == (500, first.content, "true")
    assert made() == 1
    fault(kind="status", status=500)
    refused = post()
    assert refused.content == first.content, "the key still tells the first failure"


def test_a_status_after_the_effect_of_a_request_without_a_key_leaves_the_effect(wire, made, fault, key):
    fault(kind="status", status=503, after=True)
    assert wire.post("/v1/customers", data={"name": key}).status_code == 503
    assert made() == 1


def test_a_409_says_whether_it_is_the_key_or_the_object_that_is_in_use(post, made, fault, key):
    fault(kind="status", status=409, code="idempotency_key_in_use")
    taken = post()
    error = taken.json()["error"]
    assert (taken.status_code, error["type"], error["code"]) == (409, "invalid_request_error", "idempotency_key_in_use")
    assert "using this Idempotent Key" in error["message"] and key in error["message"]
    fault(kind="status", status=409)
    locked = post()
    assert (locked.status_code, locked.json()["error"].get("code")) == (409, None)
    fault(kind="status", status=429, code="lock_timeout")
    busy = post()
    assert (busy.status_code, busy.json()["error"]["code"]) == (429, "lock_timeout")
    assert made() == 0
    assert post().status_code == 200, "none of them is remembered"


@pytest.mark.parametrize("hint", [None, "true", "false"])
def test_a_429_comes_with_and_without_a_hint_to_retry(post, fault, hint):
    fault(kind="status", status=429, **({"headers": {"Stripe-Should-Retry": hint}} if hint else {}))
    answer = post()
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers.get("stripe-should-retry")) == (429, "rate_limit", hint)


def test_the_rate_limit_can_leave_its_hint_out(wire):
    wire.post("/_sandbox/limits", json={"per_second": 1, "should_retry": None})
    refused = [answer for answer in (wire.get("/v1/charges") for _ in range(4)) if answer.status_code == 429]
    assert refused and "stripe-should-retry" not in refused[0].headers


@pytest.mark.parametrize("late", [True, False])
def test_a_caller_that_goes_away_during_a_delay_does_not_stop_the_effect(post, made, fault, late):
    fault(kind="delay", ms=700, **({"late": True} if late else {}))
    with pytest.raises(httpx.ReadTimeout):
        post(timeout=0.2)
    assert made() == 0
    assert post().status_code == 409, "its key is in use until then"
    end = monotonic() + 10
    while not made():
        assert monotonic() < end
        sleep(0.05)
    assert post().headers["idempotent-replayed"] == "true"
    assert made() == 1


def test_a_late_answer_comes_to_whoever_waits(post, made, fault):
    fault(kind="delay", ms=300, late=True)
    answers: list[int] = []
    waiting = Thread(target=lambda: answers.append(post().status_code))
    waiting.start()
    waiting.join(10)
    assert (answers, made()) == ([200], 1)


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "cut", "ms": 5},
        {"kind": "drop_after", "after": True},
        {"kind": "delay", "body": "x"},
        {"kind": "status", "late": True},
        {"kind": "malformed", "code": "x"},
        {"kind": "malformed", "surprise": 1},
        {"kind": "malformed", "body": 7},
        {"kind": "status", "after": "yes"},
        {"kind": "status", "status": 700},
        {"kind": "status", "headers": "Stripe-Should-Retry"},
    ],
)
def test_an_option_that_the_kind_does_not_have_is_refused(wire, wanted):
    answer = wire.post("/_sandbox/faults", json={"match": "POST /v1/customers", **wanted})
    assert answer.status_code == 400 and answer.json()["error"]
    assert wire.post("/v1/customers").status_code == 200

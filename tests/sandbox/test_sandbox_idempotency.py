"""Idempotency keys and faults: what is repeated, what is refused, what is lost on the way."""

import threading
import uuid
from time import monotonic

import httpx
import pytest
import stripe

from tests.peers.sandbox import client_of, running_sandbox


def post(wire: httpx.Client, path: str, form: dict[str, str], key: str) -> httpx.Response:
    return wire.post(path, data=form, headers={"Idempotency-Key": key})


def fault(wire: httpx.Client, **wanted) -> None:
    assert wire.post("/_sandbox/faults", json=wanted).status_code == 200


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def customers_named(client: stripe.StripeClient, name: str) -> int:
    return sum(customer.name == name for customer in client.v1.customers.list({"limit": 100}).auto_paging_iter())


def test_the_same_key_gives_the_same_answer_and_does_nothing_twice(wire, client, key):
    first = post(wire, "/v1/customers", {"name": key}, key)
    again = post(wire, "/v1/customers", {"name": key}, key)
    assert again.content == first.content
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert again.headers["original-request"] == first.headers["request-id"] != again.headers["request-id"]
    assert first.headers["original-request"] == first.headers["request-id"], "the first answer tells it too, so it is no sign of a replay"
    assert customers_named(client, key) == 1


def test_the_same_key_with_other_parameters_or_another_path_is_refused(wire, key):
    post(wire, "/v1/customers", {"name": key}, key)
    other = post(wire, "/v1/customers", {"name": "Other"}, key)
    elsewhere = post(wire, "/v1/charges", {"amount": "900", "currency": "usd", "source": "tok_visa"}, key)
    for answer in (other, elsewhere):
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")


def test_a_refused_request_that_never_began_is_not_remembered(wire, client, key):
    refused = post(wire, "/v1/customers", {"bogus": "1"}, key)
    assert (refused.status_code, "original-request" in refused.headers) == (400, False)
    assert post(wire, "/v1/customers", {"name": key}, key).status_code == 200


def test_a_decline_is_remembered(wire, key):
    form = {"amount": "900", "currency": "usd", "source": "tok_chargeDeclined"}
    first, again = post(wire, "/v1/charges", form, key), post(wire, "/v1/charges", form, key)
    assert (first.status_code, again.content, again.headers["idempotent-replayed"]) == (402, first.content, "true")


def test_a_second_request_while_the_first_is_under_way_is_409(wire, sandbox, key):
    fault(wire, match="POST /v1/customers", kind="delay", ms=1500)
    first: list[int] = []
    thread = threading.Thread(
        target=lambda: first.append(
            httpx.post(
                f"{sandbox.url}/v1/customers",
                data={"name": key},
                headers={"Authorization": "Bearer sk_test_x", "Idempotency-Key": key},
                timeout=10,
            ).status_code
        )
    )
    thread.start()
    end = monotonic() + 10
    while not any(entry["idempotency_key"] == key for entry in wire.get("/_sandbox/requests").json()["requests"]):
        assert monotonic() < end
    second = post(wire, "/v1/customers", {"name": key}, key)
    thread.join()
    assert first == [200]
    error = second.json()["error"]
    assert (second.status_code, error["code"], error["type"]) == (409, "idempotency_key_in_use", "invalid_request_error")
    assert post(wire, "/v1/customers", {"name": key}, key).headers["idempotent-replayed"] == "true"


def test_a_key_is_forgotten_after_24_hours(wire, client, key):
    post(wire, "/v1/customers", {"name": key}, key)
    wire.post("/_sandbox/clock", json={"advance": 24 * 3600 - 60})
    assert post(wire, "/v1/customers", {"name": key}, key).headers.get("idempotent-replayed") == "true"
    wire.post("/_sandbox/clock", json={"advance": 120})
    assert "idempotent-replayed" not in post(wire, "/v1/customers", {"name": key}, key).headers
    assert customers_named(client, key) == 2


def test_a_key_means_nothing_on_a_get(wire, key):
    headers = {"Idempotency-Key": key}
    assert wire.get("/v1/customers", headers=headers).status_code == wire.get("/v1/charges", headers=headers).status_code == 200


def test_a_500_is_remembered_and_a_503_is_not(wire, key):
    fault(wire, match="POST /v1/customers", kind="status", status=500)
    first, again = (post(wire, "/v1/customers", {"name": key}, key) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (500, 500, first.content)
    fault(wire, match="POST /v1/customers", kind="status", status=503)
    assert [post(wire, "/v1/customers", {"name": key}, key + "b").status_code for _ in range(2)] == [503, 200]


def test_an_answer_lost_after_the_effect_is_found_again_by_its_key(wire, client, key):
    fault(wire, match="POST /v1/customers", kind="drop_after")
    with pytest.raises(httpx.RemoteProtocolError):
        post(wire, "/v1/customers", {"name": key}, key)
    assert customers_named(client, key) == 1
    assert post(wire, "/v1/customers", {"name": key}, key).headers["idempotent-replayed"] == "true"
    assert customers_named(client, key) == 1


def test_a_request_lost_before_the_effect_changes_nothing(wire, client, key):
    fault(wire, match="POST /v1/*", kind="drop_before", times=2)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            post(wire, "/v1/customers", {"name": key}, key)
    assert customers_named(client, key) == 0


def test_the_sdks_own_retry_survives_a_lost_answer_without_a_second_effect(wire, sandbox, key):
    retrying = client_of(sandbox, retries=2)
    fault(wire, match="POST /v1/customers", kind="drop_after")
    assert retrying.v1.customers.create({"name": key}).name == key
    assert customers_named(retrying, key) == 1


def test_a_fault_that_cannot_be_is_refused(wire):
    assert wire.post("/_sandbox/faults", json={"match": "*", "kind": "earthquake"}).status_code == 400
    assert wire.post("/_sandbox/faults", json={"kind": "delay"}).status_code == 400


def test_objects_and_idempotency_keys_survive_kill_and_restart(tmp_path, key):
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": key}
    with running_sandbox(tmp_path, seed=7) as first:
        made = httpx.post(f"{first.url}/v1/customers", data={"name": key}, headers=headers)
        first.kill()
    with running_sandbox(tmp_path, seed=7) as second:
        again = httpx.post(f"{second.url}/v1/customers", data={"name": key}, headers=headers)
        assert again.content == made.content
        other = httpx.post(f"{second.url}/v1/customers", data={"name": key}, headers=headers | {"Idempotency-Key": key + "2"})
        assert other.json()["id"] != made.json()["id"]


def test_the_same_seed_gives_the_same_ids(tmp_path):
    ids = []
    for home in ("one", "two"):
        with running_sandbox(tmp_path / home, seed=3) as running:
            ids.append(httpx.post(f"{running.url}/v1/customers", headers={"Authorization": "Bearer sk_test_x"}).json()["id"])
    assert ids[0] == ids[1]

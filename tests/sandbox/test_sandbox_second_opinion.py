"""The same calls on this sandbox and on stripe-stateful-mock, which others wrote: refunds and idempotency must come out alike."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.peers.node import node_bin, node_env, node_modules

# The package starts on every interface; its own application is put on loopback instead.
RUNNER = """
const { createExpressApp } = require(process.argv[1] + '/stripe-stateful-mock');
const server = createExpressApp().listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
HEADERS = {"Authorization": "Bearer sk_test_peer12345"}
Post = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def mock_url() -> Iterator[str]:
    process = subprocess.Popen(
        [node_bin(), "-e", RUNNER, str(node_modules())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=node_env()
    )
    assert process.stdout is not None
    port = process.stdout.readline().decode().strip()
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


def outcome(answer: httpx.Response, *fields: str) -> tuple[Any, ...]:
    """What must be alike: the status, the error's type, code and parameter, and the named fields of what was made."""
    body = answer.json()
    if answer.status_code >= 400:
        error = body["error"]
        return answer.status_code, error["type"], error.get("code"), error.get("param")
    return answer.status_code, *(body[field] for field in fields)


def refunds(post: Post, get: Callable[[str], httpx.Response]) -> list[tuple[Any, ...]]:
    charge = post("/v1/charges", amount=1000, currency="usd", source="tok_visa").json()["id"]
    steps = [
        outcome(post("/v1/refunds", charge=charge, amount=300, reason="duplicate"), "amount", "status", "reason", "currency"),
        outcome(get(f"/v1/charges/{charge}"), "amount_refunded", "refunded"),
        outcome(post("/v1/refunds", charge=charge, amount=900)),
        outcome(post("/v1/refunds", charge=charge), "amount", "status"),
        outcome(get(f"/v1/charges/{charge}"), "amount_refunded", "refunded"),
        outcome(post("/v1/refunds", charge=charge)),
        outcome(post("/v1/refunds", charge=charge, amount=1)),
        # The parameter is left out: the package, of 2020, names the charge's own `id` where this API version names `charge`.
        outcome(post("/v1/refunds", charge="ch_unknown"))[:3],
    ]
    whole = post("/v1/charges", amount=4200, currency="cad", source="tok_visa").json()["id"]
    steps.append(outcome(post("/v1/refunds", charge=whole), "amount", "currency"))
    held = post("/v1/charges", amount=800, currency="usd", source="tok_visa", capture="false").json()["id"]
    steps.append(outcome(post("/v1/refunds", charge=held), "amount"))
    return steps


def declines(post: Post, _: Callable[[str], httpx.Response]) -> list[tuple[Any, ...]]:
    tokens = ("tok_chargeDeclined", "tok_chargeDeclinedInsufficientFunds")
    answers = [post("/v1/charges", amount=500, currency="usd", source=token) for token in tokens]
    return [(*outcome(answer)[:3], answer.json()["error"].get("decline_code")) for answer in answers]


def idempotency(post: Post, _: Callable[[str], httpx.Response]) -> list[tuple[Any, ...]]:
    key, other = uuid.uuid4().hex, uuid.uuid4().hex
    form = {"amount": 700, "currency": "usd", "source": "tok_visa"}
    first, again = post("/v1/charges", key=key, **form), post("/v1/charges", key=key, **form)
    changed = post("/v1/charges", key=key, **(form | {"amount": 800}))
    fresh = post("/v1/charges", key=other, **form)
    refused = [post("/v1/refunds", key=other + "r", charge=first.json()["id"], amount=9000) for _ in range(2)]
    return [
        (first.status_code, first.json()["id"] == again.json()["id"]),
        (first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")),
        outcome(changed)[:2],
        (fresh.status_code, fresh.json()["id"] != first.json()["id"]),
        (refused[0].status_code, refused[1].status_code, refused[0].json()["error"]["param"]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("script", [refunds, declines, idempotency])
def test_both_doubles_answer_alike(sandbox, mock_url, script):
    def run(url: str) -> list[tuple[Any, ...]]:
        with httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as http:

            def post(path: str, key: str | None = None, **form: Any) -> httpx.Response:
                return http.post(path, data=form, headers={"Idempotency-Key": key} if key else {})

            return script(post, http.get)

    assert run(sandbox.url) == run(mock_url)

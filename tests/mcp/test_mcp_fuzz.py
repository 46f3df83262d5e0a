"""Messages that are almost right: whatever is sent, nothing breaks, nothing leaks, and the audit counts along."""

import copy
import json
import random
from typing import Any

import pytest

from tests.mcp.asking import Asker, message, routing

CANARY = "canary-2b9d"
JUNK: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", CANARY, CANARY * 50, [], [CANARY], {}, {CANARY: CANARY}, [[[[[[CANARY]]]]]]]
ROUNDS = 400


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in items:
        found += [(value, key), *places(inner)]
    return found


def mutated(chance: random.Random, original: dict[str, Any]) -> dict[str, Any]:
    """The message with one to three of its parts replaced, removed or added."""
    changed = copy.deepcopy(original)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(places(changed) or [(changed, "id")])
        how = chance.random()
        if how < 0.5:
            container[key] = copy.deepcopy(chance.choice(JUNK))
        elif how < 0.8:
            del container[key]
        elif isinstance(container, dict):
            container[chance.choice([CANARY, "_meta", "extra"])] = copy.deepcopy(chance.choice(JUNK))
    return changed


@pytest.mark.requirement("SC-48", "SC-58", "SC-26")
async def test_almost_right_messages_break_nothing_leak_nothing_and_are_counted(asker: Asker, generation: str) -> None:
    chance = random.Random(20261121)
    originals = [
        message(generation, "tools/call", {"name": "billy_create_refund", "arguments": {"charge": "ch_001", "amount": 5, "dry_run": True}}),
        message(generation, "tools/call", {"name": "billy_list_charges", "arguments": {"limit": 2, "status": "failed"}}),
        message(generation, "tools/list"),
    ]
    expected_rows = 0
    for _ in range(ROUNDS):
        sent = mutated(chance, chance.choice(originals))
        name = sent["params"].get("name") if isinstance(sent.get("params"), dict) else None
        method = sent.get("method") if isinstance(sent.get("method"), str) else "tools/call"
        headers = {
            key.replace("-", "_"): value for key, value in routing(generation, method, name if isinstance(name, str) else None).items()
        }
        reply = await asker.post(json.dumps(sent).encode(), **headers)
        assert reply.status < 500, sent
        refused = False
        if reply.body:
            answer = reply.json
            refused = "error" in answer
            answer.pop("id", None)
            answer.get("error", {}).pop("data", None)  # the method or the version that was asked for
            for field in answer.get("result", {}).get("structuredContent", {}).get("fields", []):
                field.pop("field")  # the name of the argument that is wrong
            answer.get("result", {}).pop("content", None)  # the same once more as text
            assert CANARY not in json.dumps(answer), sent
        expected_rows += reply.status >= 400 or refused or sent.get("method") == "tools/call"
    assert len(await asker.company.audit()) == expected_rows
    assert expected_rows > ROUNDS / 3

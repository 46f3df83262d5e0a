"""An agent's `tools/call` that gets a charge, in both generations of the protocol, beside the SDK's own server that answers a constant."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from bench import events
from bench import home as homes
from bench.load import Seen, request, run_load, write_requests
from bench.processes import running
from bench.table import Row, middle, pair

if TYPE_CHECKING:
    from bench.run import Run

CALLS = 400  # of one round
ROUNDS = 5
MOST = 3.0
GENERATIONS = ("2026-07-28", "2025-11-25")
META = "io.modelcontextprotocol/"


def measure(run: Run) -> list[Row]:
    home = run.mirror()
    key = homes.owner_key(home)
    ids = [charge["id"] for charge in events.charges(home, 500)]
    count = run.sized(CALLS, 150)
    folder = run.folder("mcp")
    with homes.host(home) as host:
        constant = _answer(host.url, key, ids[0])
        (folder / "constant.json").write_bytes(orjson.dumps(constant))
        with running(["-m", "bench.peers.mcp_server", str(folder / "constant.json")], folder / "log") as peer:
            seen: dict[tuple[str, str], list[Seen]] = {}
            for number in range(run.rounds(ROUNDS) + 1):
                for generation in GENERATIONS:
                    chosen = random.Random(number).choices(ids, k=count)
                    for name, server, path in (("ours", host, "/mcp"), ("peer", peer, "/mcp/")):
                        write_requests(folder / "calls", (_call(generation, id, key, path) for id in chosen))
                        result = run_load(server.port, folder / "calls", 1)
                        if result.failed:
                            raise RuntimeError(f"{result.failed} calls were refused by {name}")
                        if number:
                            seen.setdefault((generation, name), []).append(result)
    return [_row(generation, seen[generation, "ours"], seen[generation, "peer"]) for generation in GENERATIONS]


def _row(generation: str, ours: list[Seen], peer: list[Seen]) -> Row:
    mine, theirs = middle(each.p50 for each in ours), middle(each.p50 for each in peer)
    tails = middle(each.p95 for each in ours), middle(each.p95 for each in peer)
    return Row(
        f"MCP {generation}: tools/call, get by id",
        pair(mine, tails[0]),
        f"{pair(theirs, tails[1])} SDK's minimal server",
        mine / theirs,
        f"p50 ≤ {MOST:g}×",
        mine <= MOST * theirs,
    )


def _message(generation: str, id: str) -> bytes:
    params: dict[str, Any] = {"name": "billy_get_charge", "arguments": {"id": id}}
    if generation == GENERATIONS[0]:
        client = {"name": "bench", "version": "1"}
        params["_meta"] = {f"{META}protocolVersion": generation, f"{META}clientCapabilities": {}, f"{META}clientInfo": client}
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def _headers(generation: str, key: str) -> dict[str, str]:
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": generation,
    }
    return headers | ({"mcp-method": "tools/call", "mcp-name": "billy_get_charge"} if generation == GENERATIONS[0] else {})


def _call(generation: str, id: str, key: str, path: str) -> bytes:
    return request("POST", path, _headers(generation, key), _message(generation, id))


def _answer(url: str, key: str, id: str) -> dict[str, Any]:
    """What the host answers, so that the peer's constant is as large; it must be the charge that was asked for."""
    answered = httpx.post(f"{url}/mcp", headers=_headers(GENERATIONS[0], key), content=_message(GENERATIONS[0], id)).json()
    found = answered["result"]["structuredContent"]
    if found["id"] != id:
        raise RuntimeError("the host did not answer with the charge")
    return found

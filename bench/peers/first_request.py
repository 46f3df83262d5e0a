"""`python -P -m bench.peers.first_request FOLDER KEY`: index the app in FOLDER as at a cold start, then its first requests; prints what each cost and loaded.

`python -P -m bench.peers.first_request FOLDER` alone makes the key and a charge, in the stores that the settings choose, and prints the key.
"""

import asyncio
import json
import sys
import time
from typing import Any

from bench.peers.index_app import index

CHARGE = {
    "id": "ch_first",
    "object": "charge",
    "created": 1_790_000_000,
    "amount": 100,
    "amount_refunded": 0,
    "currency": "usd",
    "status": "succeeded",
}


async def seed() -> None:
    from shared import wiring
    from shared.gateway.kinds import write_from_object
    from shared.people.keys import make_key

    context = await wiring.context()
    await context.mirror.apply([write_from_object("charge", CHARGE, CHARGE["created"])])
    print((await make_key(context, "the bench", "owner", None, "system"))["key"])
    await wiring.close_context(context)


async def requests(folder: str, key: str) -> None:
    functions = {each.name: each for each in await index(folder)}
    before = set(sys.modules)
    told: dict[str, Any] = {"functions": sorted(functions), "index": sorted(before)}
    from azure_functions_runtime.bindings.datumdef import Datum
    from azure_functions_runtime.native_invocation import invocation_request_native

    def texts(values: dict[str, str]) -> dict[str, Datum]:
        return {name: Datum(value, "string") for name, value in values.items()}

    path = f"/api/charges/{CHARGE['id']}"
    asked = {
        **texts({"method": "GET", "url": f"http://localhost{path}"}),
        "headers": texts({"authorization": f"Bearer {key}"}),
        "query": {},
        "params": texts({"id": str(CHARGE["id"])}),
        "body": Datum(b"", "bytes"),
    }
    for name in ("first", "second"):
        wall, processor = time.perf_counter(), time.process_time()
        function = functions["get_charge"].function_id
        succeeded, answer, *_ = await invocation_request_native(name, function, [("req", Datum(asked, "http"))], {})
        told[name] = {
            "status": int(answer.value["status_code"].value) if succeeded and answer else 500,
            "wall": time.perf_counter() - wall,
            "processor": time.process_time() - processor,
            "loaded": sorted(set(sys.modules) - before),
        }
        before = set(sys.modules)
    from shared import wiring

    await wiring.close_context(await wiring.context())
    print(json.dumps(told))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(requests(*sys.argv[1:]) if len(sys.argv) > 2 else seed())

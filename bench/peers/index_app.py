"""`python -P -m bench.peers.index_app FOLDER`: what the worker does at a cold start (import the app, index it); prints what it loaded.

It drives Microsoft's worker library alone, without the local host, as the platform does.
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as worker

from devhost import worker_messages as protos


async def index(folder: str) -> list[Any]:
    """What the worker tells of each function: `name` and `function_id` among it."""
    sys.path.insert(0, folder)
    init = SimpleNamespace(capabilities={}, function_app_directory=folder)
    request = SimpleNamespace(request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": protos})
    await worker.worker_init_request(request)
    return list((await worker.functions_metadata_request(None)).function_metadata_results or [])


if __name__ == "__main__":
    found = asyncio.run(index(sys.argv[1]))
    print(len(found), *sorted(sys.modules))

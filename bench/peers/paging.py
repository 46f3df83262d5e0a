"""Reads Stripe lists to their end with aiohttp and orjson and keeps nothing: as fast as Python can page."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlencode

import aiohttp
import orjson
import uvloop

from bench.processes import ROOT, pin

AT_ONCE = 4  # lists, as many as Billy reads at once


def run_paging(base: str, key: str, lists: Sequence[tuple[str, dict[str, str]]], pages: int, cores: Sequence[int]) -> tuple[float, float]:
    """Objects a second, and a second of processor time, over at most so many pages of each list, from a process of its own."""
    asked = json.dumps({"base": base, "key": key, "lists": lists, "pages": pages, "cores": list(cores)})
    command = [sys.executable, "-m", "bench.peers.paging"]
    wall, processor = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    return float(wall), float(processor)


async def _page_all(base: str, key: str, lists: list[tuple[str, dict[str, str]]], pages: int) -> tuple[float, float]:
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:

        async def one(path: str, params: dict[str, str]) -> int:
            objects, after = 0, dict[str, str]()
            async with gate:
                for _ in range(pages):
                    async with session.get(f"{base}{path}?{urlencode({**params, 'limit': 100, **after})}") as answer:
                        page = orjson.loads(await answer.read())
                    objects += len(page["data"])
                    if not page["has_more"]:
                        break
                    after = {"starting_after": page["data"][-1]["id"]}
            return objects

        began, processor = time.perf_counter(), time.process_time()
        objects = sum(await asyncio.gather(*(one(path, params) for path, params in lists)))
        return objects / (time.perf_counter() - began), objects / (time.process_time() - processor)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    pin(asked.pop("cores"))
    print(*uvloop.run(_page_all(**asked)))

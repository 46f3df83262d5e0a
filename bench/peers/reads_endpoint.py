"""`python -m bench.peers.reads_endpoint MIRROR`: the bare queries over HTTP, with no key, no roles, no audit and no view of the object."""

import sqlite3
import sys
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.webhook_endpoint import serve

KINDS = ("customer", "charge", "subscription", "invoice", "refund")
GET = "SELECT body FROM objects WHERE id = ? AND kind = 'charge'"
LIST = """SELECT position, body FROM objects INDEXED BY by_status WHERE deleted = 0 AND kind = 'charge' AND status = ? AND position < ?
ORDER BY position DESC LIMIT 100"""
SEARCH = """SELECT position, body FROM objects JOIN (SELECT rowid AS found FROM words_{0} WHERE words_{0} MATCH ? ORDER BY rowid DESC LIMIT 20)
ON position = found"""
ALWAYS, LAST_DAY = -1, 2**31  # the day under which all days are summed, and one that never comes
STATS = "SELECT status, currency, sum(count), sum(amount), sum(refunded) FROM totals WHERE kind = ? AND day BETWEEN ? AND ? GROUP BY 1, 2"


def application(path: str) -> Starlette:
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    file.execute("PRAGMA cache_size = -32768")

    def answered(rows: list[Any]) -> Response:
        return Response(orjson.dumps([[orjson.Fragment(cell) if isinstance(cell, bytes) else cell for cell in row] for row in rows]))

    async def get(request: Request) -> Response:
        return answered(file.execute(GET, (request.path_params["id"],)).fetchall())

    async def listed(request: Request) -> Response:
        asked = request.query_params
        return answered(file.execute(LIST, (asked["status"], int(asked["before"]))).fetchall())

    async def search(request: Request) -> Response:
        asked = request.query_params
        star = "" if "whole" in asked else "*"  # a whole word spares the merging of all that begin with it
        expression = " AND ".join(f'"{word}"{star}' for word in asked["q"].replace("@", " ").replace(".", " ").split())
        found = [row for kind in KINDS for row in file.execute(SEARCH.format(kind), (expression,))]
        return answered(sorted(found, reverse=True)[:20])

    async def stats(request: Request) -> Response:
        first = int(request.query_params["first"])
        return answered(
            [row for asked in (("charge", first, LAST_DAY), ("subscription", ALWAYS, ALWAYS)) for row in file.execute(STATS, asked)]
        )

    return Starlette(routes=[Route("/get/{id}", get), Route("/list", listed), Route("/search", search), Route("/stats", stats)])


if __name__ == "__main__":
    serve(application(sys.argv[1]))

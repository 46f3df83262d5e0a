"""What stands in Cosmos DB: one source for code and Bicep. `python -m shared.stores.cosmos_layout FILE` writes it as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from shared.stores.expiry import DAY

DATABASE = "billy"
OBJECTS, ENTRIES, TOTALS, RECORDS = "objects", "entries", "totals", "records"
KEY_PATH = "/pk"  # every document carries its partition key under this name
# Compare-and-set needs no more than the ETag. But counting each change once, and knowing one's own write again, need reads that are never behind.
CONSISTENCY = "Strong"
ONLY_WITH_TTL = -1  # a document expires only if it says after how many seconds itself

# Collections that stay small and are listed whole: one partition each. The others have one for each record.
GATHERED = frozenset({"keys", "sync"})
ORDERED = ("due", "state")  # fields of records by which many are found, page by page: each has an index together with the order
RETIRED = DAY  # seconds for which an index entry that was taken out still tells at which version


def layout() -> dict[str, Any]:
    """The account's databases and containers, in the words of Azure's resource provider, with sorted paths."""
    return {
        "database": DATABASE,
        "consistency": CONSISTENCY,
        "containers": [
            # `words` holds beginnings of words, for search; `unsettled` stands only on objects with work left over.
            # Kind and position together are the order in which a kind is walked over.
            _container(
                OBJECTS, ["/kind/?", "/position/?", "/unsettled/?", "/words/[]/?"], most=10_000, composites=[["/kind", "/position"]]
            ),
            # Both are sortable strings, the position alone and behind the status: one property answers filter and order together.
            _container(ENTRIES, ["/place/?", "/standing/?"], ttl=ONLY_WITH_TTL, most=10_000),
            _container(TOTALS, ["/day/?"], most=4_000),
            _container(
                RECORDS,
                ["/collection/?", "/document/due/?", "/document/key_id/?", "/document/state/?", "/id/?"],
                ttl=ONLY_WITH_TTL,
                most=4_000,
                composites=[*(["/collection", f"/document/{field}", "/id"] for field in ORDERED), ["/collection", "/id"]],
            ),
        ],
    }


def _container(
    name: str, indexed: list[str], *, most: int, ttl: int | None = None, composites: list[list[str]] | None = None
) -> dict[str, Any]:
    """`most` is the ceiling, in request units a second, where autoscale is chosen instead of serverless."""
    return {
        "name": name,
        "partitionKey": {"kind": "Hash", "paths": [KEY_PATH], "version": 2},
        "defaultTtl": ttl,
        "autoscaleMaxThroughput": most,
        "indexingPolicy": {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": path} for path in indexed],
            "excludedPaths": [{"path": "/*"}],
            "compositeIndexes": [[{"path": path, "order": "descending"} for path in each] for each in composites or []],
        },
    }


def text() -> str:
    """The JSON document that the Bicep loads."""
    return json.dumps(layout(), indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())

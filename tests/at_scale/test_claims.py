"""The pages on scale claim nothing without saying what holds it: the tests they name are there, and the parameters are what the code says."""

import ast
import json
import re
from pathlib import Path

import pytest

from shared.gateway import feed
from shared.settings import Settings
from shared.stores import cosmos, cosmos_totals
from shared.stores.cosmos_layout import layout

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "at-scale.md").read_text()


def known() -> set[str]:
    """The name of every test."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", ["at-scale.md", "cost.md", "cold-start.md", "operate.md", "deploy.md"])
def test_a_test_that_a_page_names_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (ROOT / "docs" / page).read_text()))
    assert named - known() == set()
    assert page != "at-scale.md" or len(named) > 25


def test_every_row_of_a_case_says_what_holds_it() -> None:
    for case in PAGE.split("\n## ")[1:]:
        for line in case.splitlines():
            if line.startswith("| ") and not line.startswith(("| what | ", "| step | ", "| who | ")):
                held = line.strip("| ").rpartition(" | ")[2]
                assert re.search(r"`test_|\*Azure\*|\*Stripe\*|arithmetic|the code|python -m bench", held), line


def test_the_parameters_are_those_of_the_code() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.split("\n## ")[0].splitlines() if line.startswith("| `")]
    told = {name: value for name, _, value in rows}
    host = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    bicep = (ROOT / "infra" / "bicep" / "main.bicep").read_text()
    given = {name: re.search(rf"param {name} int = (\d+)", bicep)[1] for name in ("maximumInstances", "httpConcurrency", "instanceMemory")}  # type: ignore[index]
    ceilings = [str(each["autoscaleMaxThroughput"]) for each in layout()["containers"]]
    assert told == {
        "`maximumInstances`, `httpConcurrency`, `instanceMemory`": ", ".join(given.values()),
        "`batchSize` + `newBatchThreshold`": f"{host['batchSize']} + {host['newBatchThreshold']}",
        "`visibilityTimeout`, `maxDequeueCount`": f"{host['visibilityTimeout']}, {host['maxDequeueCount']}",
        "`autoscaleMaxThroughput` of objects, entries, totals, records": ", ".join(ceilings),
        "`PATIENCE`": f"{cosmos.PATIENCE:g}",
        "`LANES`": str(cosmos_totals.LANES),
        "`SECONDS`, `PAGE`": f"{feed.SECONDS}, {feed.PAGE}",
        "`BILLY_SYNC_REQUESTS_PER_SECOND`": str(Settings().sync_requests_per_second),
    }

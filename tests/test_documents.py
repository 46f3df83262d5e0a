"""The pages agree with each other and with what they tell of: links lead somewhere, parameters are those of the templates."""

import re
from pathlib import Path

import pytest

from shared.gateway import failures, transport
from shared.road import timing
from shared.road.attempt import MAY, By, State
from tests.infra.bicep_files import read

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`]*`", re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_house_leads_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            dead.append(target)
    assert dead == []


def test_decisions_are_numbered_without_a_gap() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        assert text.startswith(f"# {int(record.name[:4])}. "), record.name


def test_the_guide_to_deployment_names_every_parameter_with_its_default() -> None:
    table = (ROOT / "docs" / "deploy.md").read_text().split("## What can be chosen")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")]
    told = {name: row[2].strip("`") for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    declared = read().files["main.bicep"]["parameters"]
    assert set(told) == set(declared)
    numbers = {name: cell for row in rows for name, cell in zip(re.findall(r"`(\w+)`", row[0]), row[2].split(", "), strict=False)}
    for name, each in declared.items():
        if str(each["default"]).isdigit():
            assert re.match(rf"{each['default']}\b", numbers[name]), name
        elif each["default"] in ("test", "serverless", False, "false"):
            assert told[name] == str(each["default"]).lower(), name


ONCE = (ROOT / "docs" / "exactly-once.md").read_text()


def section(heading: str) -> list[list[str]]:
    """The rows of the tables under a heading of the page on doing things once."""
    rows = [line for line in ONCE.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def test_the_page_on_doing_things_once_tells_the_times_of_the_code() -> None:
    told = {
        name.strip("`"): float(value)
        for names, values, _ in section("The times")
        for name, value in zip(names.split(", "), values.split(", "), strict=True)
    }
    assert told == {name: value for name, value in vars(timing).items() if name.isupper()}
    assert told["CALL"] + told["TRY"] + told["SKEW"] == 95 < told["GRACE"] and told["LOOK"] < told["CALL"] - told["ROOM"]
    assert told["TRY"] == transport.TRY, "the gateway keeps what the road reckons with"


def test_the_page_on_doing_things_once_has_the_table_of_states() -> None:
    told = {}
    for state, *cells in section("The states"):
        for by, cell in zip((By.CALL, By.LOOK, By.SHOWN, By.PERSON), cells, strict=True):
            if found := frozenset(map(State, re.findall(r"`(\w+)`", cell))):
                told[State(state.strip("`")), by] = found
    assert told == MAY


def test_the_page_on_doing_things_once_tells_what_counts_as_an_answer() -> None:
    no, nothing = (next(line for line in ONCE.splitlines() if line.startswith(start)) for start in ("| 4xx ", "| 408, "))
    assert set(re.findall(r"`(\w+)`", no)) == failures.TYPES_OF_A_NO | {"api_error"}
    assert set(map(int, re.findall(r"\b4\d\d\b", nothing))) == failures.NEVER_A_NO

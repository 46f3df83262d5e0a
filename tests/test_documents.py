"""The pages agree with each other and with what they tell of: links lead somewhere, parameters are those of the templates."""

import re
from pathlib import Path

import pytest

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

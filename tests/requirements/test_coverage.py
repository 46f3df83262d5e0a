"""Every requirement has a test or a reason, and every test that cites one cites one that exists."""

import ast
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROWS = tomllib.loads((HERE / "requirements.toml").read_text())


def _cited() -> dict[str, list[str]]:
    """Requirement id → the tests that name it in `@pytest.mark.requirement(…)`."""
    cited: dict[str, list[str]] = {}
    for path in sorted(HERE.parent.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        cited.setdefault(str(argument.value), []).append(path.name)
    return cited


def test_every_requirement_has_a_test_or_a_reason_why_not() -> None:
    cited = _cited()
    assert [id for id, row in ROWS.items() if "deferred" not in row and id not in cited] == []


def test_every_requirement_that_a_test_cites_exists() -> None:
    assert sorted(set(_cited()) - set(ROWS)) == []


def test_a_requirement_with_a_test_is_not_called_deferred() -> None:
    cited = _cited()
    assert [id for id, row in ROWS.items() if "deferred" in row and id in cited] == []


def test_every_row_is_one_sentence() -> None:
    assert [id for id, row in ROWS.items() if not row["says"].endswith(".") or set(row) - {"says", "deferred"}] == []
